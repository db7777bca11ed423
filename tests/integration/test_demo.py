"""The page of `make demo` in a browser, over the sample run."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from browsing import PHONE, new_page
from clips import REPOSITORY

pytestmark = pytest.mark.extended

SOON = 30_000  # milliseconds
PLAYS = """video => new Promise(done => {
  const look = () => video.currentTime > 0 ? done([video.videoWidth, video.duration])
    : setTimeout(look, 50);
  look();
})"""


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """The folder in which the page puts whatever it puts on disk."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def address(sample_run, temporary):
    """Serve the page in a process of its own, as `make demo` does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # A background job of a shell ignores Ctrl-C, and so would what it starts.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "kedro", "hmdb", "demo"]
    command += ["--env", "sample", "--port", port, "--params", f"data_root={sample_run.root}"]
    server = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = next((m for line in server.stdout if (m := re.search(r"http://127\S+", line))), None)
    assert found, f"the page did not start: {server.wait()}"
    yield found.group()
    server.send_signal(signal.SIGINT)
    assert server.wait(30) == 0
    assert server.stdout.read().strip() == ""  # nothing went wrong, and nothing was warned of
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def test_clips(sample_run, browser, address):
    """Test clips by their class: files of the clips that the page has for examples."""
    videos = sample_run.root / "01_raw" / "videos"
    with visit(browser, address) as page:
        buttons = page.locator("#examples [data-clip]").all()
        names = [button.get_attribute("data-clip") for button in buttons]
    return {name.partition("/")[0]: videos / name for name in names}


@contextmanager
def visit(browser, address, **how):
    """Open the page and wait for its examples."""
    with new_page(browser, address, **how) as page:
        page.on("filechooser", lambda _: None)  # from here on the browser opens none itself
        page.goto(address)
        page.wait_for_selector("#examples [data-clip]")
        yield page


def upload(page, file):
    page.set_input_files("#upload input[type=file]", file)


def uploads_in(folder):
    """Return the files below a folder that are none of the page's own: networks, locks."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    locks = set(folder.glob("hmdb_page_*.lock"))
    return [p for p in files if p.parent.name != "export" and p not in locks]


def test_an_upload_is_answered_played_and_forgotten(browser, address, test_clips, temporary):
    label, file = next(iter(test_clips.items()))
    with visit(browser, address) as page:
        upload(page, file)
        answer = page.locator("#result .answer")
        answer.wait_for(timeout=SOON)
        assert file.name in answer.inner_text()
        said = answer.locator("section.fused .first .name").inner_text()
        assert said == label.replace("_", " ")
        assert answer.locator("section").count() == 3
        width, seconds = answer.locator("video").evaluate(PLAYS)
        assert width == 2 * 320 + 8
        assert 1 < seconds < 2
    assert uploads_in(temporary) == []


def test_a_bad_file_is_one_sentence_and_the_next_one_is_answered(browser, address, tmp_path):
    (tmp_path / "bad.avi").write_bytes(b"no video" * 100)
    with visit(browser, address) as page:
        upload(page, tmp_path / "bad.avi")
        trouble = page.locator("#result [role=alert]")
        trouble.wait_for(timeout=SOON)
        assert trouble.inner_text() == "bad.avi gets no answer: no video that OpenCV can open."
        page.locator("#examples [data-clip]").first.click()
        page.locator("#result .truth").wait_for(timeout=SOON)


def test_two_visitors_at_once_get_their_own_answers(browser, address, test_clips, temporary):
    (one, first), *_, (two, second) = test_clips.items()
    with visit(browser, address) as left, visit(browser, address) as right:
        upload(left, first)
        upload(right, second)
        for page, label, file in ((left, one, first), (right, two, second)):
            page.locator("#result .answer").wait_for(timeout=SOON)
            said = page.locator("#result").inner_text()
            assert file.name in said
            assert label.replace("_", " ") in said
    assert uploads_in(temporary) == []


def test_the_keyboard_is_enough(browser, address):
    with visit(browser, address) as page:
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('#upload button') !== null"):
                break
        else:
            pytest.fail("the drop zone cannot be reached")
        with page.expect_file_chooser():
            page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('#examples [data-clip]') !== null")
        page.keyboard.press("Enter")
        page.locator("#result .truth").wait_for(timeout=SOON)


def test_the_gallery_is_filtered_and_opened_on_a_phone(browser, address):
    with visit(browser, address, viewport=PHONE, color_scheme="dark") as page:
        page.get_by_role("tab", name="Right and wrong").click()
        page.get_by_text("108 of 108 test clips").wait_for()
        assert page.locator("#gallery [data-clip]").count() == 24
        page.get_by_role("button", name="Show more").click()
        page.locator("#gallery [data-clip]").nth(47).wait_for()
        page.get_by_label("Class").click()
        page.get_by_role("option", name="teal up").click()
        page.get_by_text("12 of 108 test clips").wait_for()
        page.get_by_role("button", name="Show more").wait_for(state="hidden")
        card = page.locator("#gallery [data-clip]").first
        card.click()
        page.locator("#detail .answer").wait_for(timeout=SOON)
        assert card.get_attribute("data-clip") in page.locator("#detail").inner_text()
        page.locator("#detail video").evaluate(PLAYS)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]
