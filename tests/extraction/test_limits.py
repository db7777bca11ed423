import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from hmdb_kedro.extraction.limits import TimedOutError, within
from hmdb_kedro.video.decode import UnreadableClipError


def test_what_is_done_in_time_is_passed_on():
    assert within(5, lambda: 42) == 42


def test_an_error_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


def test_what_hangs_is_given_up_and_says_so():
    start = time.monotonic()
    with pytest.raises(TimedOutError, match=r"not done after 0\.1 s \(`clip_timeout_s`\)"):
        within(0.1, lambda: time.sleep(3))
    assert time.monotonic() - start < 2


def test_what_comes_after_a_hang_is_done():
    with pytest.raises(UnreadableClipError):
        within(0.05, lambda: time.sleep(1))
    assert within(5, lambda: 42) == 42


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="stops a process as Ctrl-Z does")
def test_a_run_that_was_stopped_longer_than_the_limit_goes_on_with_its_clip():
    work = "print('begun', flush=True); [time.sleep(0.05) for _ in range(10)]; print('done')"
    script = (
        "import time; from hmdb_kedro.extraction.limits import within\n"
        f"within(2, lambda: exec({work!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(2.2)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.read() == b"done\n"
    assert process.returncode == 0


def test_no_thread_outlives_the_one_it_worked_for():
    before = threading.active_count()
    owner = threading.Thread(target=lambda: within(5, lambda: 42))
    owner.start()
    owner.join()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
