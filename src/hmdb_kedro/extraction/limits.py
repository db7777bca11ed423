"""Cut off what does not end: a decoder that hangs must not hold up thousands of clips."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from hmdb_kedro.video.decode import UnreadableClipError

Result = TypeVar("Result")


def within(seconds: float, function: Callable[[], Result]) -> Result:
    """Return the function's result, or give up on it.

    No thread can be stopped from outside; one that hangs is left behind, as a daemon, so that it
    does not keep the process from ending either.

    Raises:
        UnreadableClipError: It was not done in time.
    """
    outcome: Future[Result] = Future()
    Thread(target=_fulfil, args=(outcome, function), daemon=True).start()
    try:
        return outcome.result(seconds)
    except TimeoutError:
        raise UnreadableClipError(
            f"not done after {seconds:g} s (`clip_timeout_s`); the decoder may hang"
        ) from None


def _fulfil(outcome: Future[Result], function: Callable[[], Result]) -> None:
    try:
        outcome.set_result(function())
    except BaseException as error:
        outcome.set_exception(error)
