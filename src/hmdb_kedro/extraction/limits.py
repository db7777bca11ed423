"""Cut off what does not end: a decoder that hangs must not hold up thousands of clips."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Any, TypeVar

from hmdb_kedro.video.decode import UnreadableClipError

Result = TypeVar("Result")
Call = tuple["Future[Any]", Callable[[], Any]]

_SLICES = 20


class TimedOutError(UnreadableClipError):
    """A clip was given up for its time: with another limit it may well be done."""


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """Return the function's result, or give up on it.

    No thread can be stopped from outside; one that hangs is left behind, as a daemon, so that it
    does not keep the process from ending either.

    Raises:
        TimedOutError: It was not done in time.
    """
    outcome = _helper().call(function)
    if not _is_done(outcome, seconds):
        del _own.helper
        raise TimedOutError(
            f"not done after {seconds:g} s (`clip_timeout_s`); the decoder may hang"
        )
    return outcome.result()


def _is_done(outcome: "Future[Any]", seconds: float) -> bool:
    """Wait in slices: a run that was stopped (Ctrl-Z, a closed laptop) loses one, not the clip."""
    return any(wait([outcome], seconds / _SLICES).done for _ in range(_SLICES))


class _Helper:
    """A thread that calls functions for another one, for as long as that one lives.

    A new thread for every clip costs a tenth of the time that decoding takes.
    """

    def __init__(self) -> None:
        calls: SimpleQueue[Call | None] = SimpleQueue()
        self._calls = calls
        threading.Thread(target=_serve, args=(calls,), daemon=True).start()
        weakref.finalize(self, calls.put, None)

    def call(self, function: Callable[[], Result]) -> "Future[Result]":
        outcome: Future[Result] = Future()
        self._calls.put((outcome, function))
        return outcome


_own = threading.local()


def _helper() -> _Helper:
    if not hasattr(_own, "helper"):
        _own.helper = _Helper()
    helper: _Helper = _own.helper
    return helper


def _serve(calls: "SimpleQueue[Call | None]") -> None:
    while (call := calls.get()) is not None:
        outcome, function = call
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)
        del call, outcome, function  # or the last clip's pictures would stay until the next
