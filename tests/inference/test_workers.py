"""Untrusted videos are read in processes of their own: a poisoned one fails alone."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import misbehaving
import numpy as np
import pytest
from clips import moving_clip, write_clip
from exporting import tiny_export

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Limits, Recogniser, Workers
from hmdb_kedro.video.decode import UnreadableClipError

# Every test starts processes.
pytestmark = pytest.mark.slow

LIMITS = Limits(max_seconds=10, max_memory_bytes=300 * 2**20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_export(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def workers(folder):
    with Workers(folder, LIMITS, n_workers=2) as workers:
        yield workers


@pytest.fixture
def video(tmp_path):
    return write_clip(tmp_path / "wave.avi", moving_clip(3, 0, n_frames=12))


def pids(workers):
    return {worker._process.pid for worker in workers._workers}


def test_a_file_and_its_bytes_get_the_answer_that_the_recogniser_gives(workers, folder, video):
    expected = Recogniser.from_export(folder).predict(video, top_k=1, with_timeline=True)
    assert workers.classes == Recogniser.from_export(folder).classes
    assert workers.predict(video, top_k=1, with_timeline=True) == expected
    of_bytes = workers.predict(video.read_bytes(), top_k=1, with_timeline=True)
    assert of_bytes.probabilities == expected.probabilities


def test_a_worker_is_used_again(workers, video):
    workers.predict(video)
    before = pids(workers)
    assert int(workers.run(misbehaving.pid, video)) in before
    with pytest.raises(UnreadableClipError, match="no video"):
        workers.predict(b"no video")
    workers.predict(video)
    assert pids(workers) == before


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (misbehaving.crash, "ended the process that read it: SIGSEGV"),
        (misbehaving.fill_memory, "more memory than there is for it"),
    ],
)
def test_what_ends_its_worker_fails_alone(workers, video, task, reason):
    with ThreadPoolExecutor(2) as threads:
        beside = threads.submit(workers.run, misbehaving.sleep, video, seconds=1)
        with pytest.raises(UnreadableClipError, match=reason):
            workers.run(task, video)
        assert beside.result() == b"done"
    assert workers.predict(video).label == "bright_right"


def test_what_hangs_is_given_up_after_the_time_limit(folder, video):
    with Workers(folder, Limits(max_seconds=3), n_workers=1) as workers:
        workers.predict(video)
        (before,) = pids(workers)
        start = time.monotonic()
        with pytest.raises(UnreadableClipError, match="not answered after 3 s"):
            workers.run(misbehaving.hang, video)
        assert time.monotonic() - start < 15
        assert not Path(f"/proc/{before}").exists()
        assert workers.predict(video).label == "bright_right"


def test_a_worker_that_was_ended_while_idle_is_replaced(workers, video):
    for worker in workers._workers:
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
    assert workers.predict(video).label == "bright_right"


def test_a_fault_of_ours_is_no_fault_of_the_video(workers, video):
    with pytest.raises(RuntimeError, match="a fault of ours"):
        workers.run(misbehaving.fail, video)


def test_what_a_library_prints_does_not_disturb_the_messages(workers, video):
    assert workers.run(misbehaving.print_something, video) == b"done"


def test_many_threads_ask_at_once(workers, video):
    data = video.read_bytes()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: workers.predict(data).label, range(60)))
    assert answers == ["bright_right"] * 60


def test_huge_frames_are_refused_before_they_take_memory(workers, folder, tmp_path):
    picture = cv2.imencode(".jpg", np.zeros((9000, 9000), np.uint8))[1].tobytes()
    file = write_clip(tmp_path / "bomb.avi", np.zeros((3, 96, 128, 3), np.uint8))
    whole = bytearray(file.read_bytes())
    begin = whole.index(b"00dc") + 8
    # A small file by its header, whose frames are another thing.
    bomb = whole[: begin - 4] + len(picture).to_bytes(4, "little") + picture
    with pytest.raises(UnreadableClipError, match="pixels are beyond the limit"):
        workers.predict(bytes(bomb))
    with Workers(folder, Limits(max_pixels=10**9, max_memory_bytes=10**8), 1) as careless:
        with pytest.raises(UnreadableClipError, match=r"memory|truncated|no frame"):
            careless.predict(bytes(bomb))
        assert careless.predict(file).label == "none of these"


def test_too_many_bytes_are_refused_unsent(folder, video):
    with Workers(folder, Limits(max_bytes=1000), n_workers=1) as workers:
        for given in (video, video.read_bytes()):
            with pytest.raises(UnreadableClipError, match="beyond the limit of 1,000 bytes"):
                workers.predict(given)


def test_nothing_of_an_upload_stays_on_disk_when_its_worker_is_killed(
    folder, video, tmp_path, monkeypatch
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with Workers(folder, LIMITS, n_workers=1) as workers:
        workers.predict(video.read_bytes())
        with pytest.raises(UnreadableClipError):
            workers.run(misbehaving.crash, video.read_bytes())
    assert not list((tmp_path / "temporary").iterdir())


def test_a_changed_export_is_refused(tmp_path):
    changed = tiny_export(tmp_path)
    (changed / "spatial.onnx").write_bytes(b"something else")
    with pytest.raises(UserError, match="as it was written"):
        Workers(changed)


def test_workers_end_with_their_server_however_it_ends(folder):
    script = (
        "import os, sys, signal\n"
        "from hmdb_kedro.inference import Workers\n"
        "workers = Workers(sys.argv[1], n_workers=2)\n"
        "print(*[worker._process.pid for worker in workers._workers], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script, str(folder)]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    assert len(found) == 2
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in found):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_closing_ends_the_workers(folder, video):
    with Workers(folder, n_workers=1) as workers:
        workers.predict(video)
        (pid,) = pids(workers)
    assert not Path(f"/proc/{pid}").exists()
