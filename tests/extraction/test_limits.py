import threading
import time

import pytest

from hmdb_kedro.extraction.limits import within
from hmdb_kedro.video.decode import UnreadableClipError


def test_what_is_done_in_time_is_passed_on():
    assert within(5, lambda: 42) == 42


def test_an_error_is_passed_on():
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


def test_what_hangs_is_given_up_and_says_so():
    start = time.monotonic()
    with pytest.raises(UnreadableClipError, match=r"not done after 0\.1 s \(`clip_timeout_s`\)"):
        within(0.1, lambda: time.sleep(3))
    assert time.monotonic() - start < 2


def test_what_comes_after_a_hang_is_done():
    with pytest.raises(UnreadableClipError):
        within(0.05, lambda: time.sleep(1))
    assert within(5, lambda: 42) == 42


def test_no_thread_outlives_the_one_it_worked_for():
    before = threading.active_count()
    owner = threading.Thread(target=lambda: within(5, lambda: 42))
    owner.start()
    owner.join()
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
