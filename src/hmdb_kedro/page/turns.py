"""Who is answered when: a few visitors at a time, and not more waiting than can be answered."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hmdb_kedro.errors import UserError


class Turns:
    """Visitors in a row, each in a thread of its own."""

    def __init__(self, at_once: int, waiting: int):
        """Take how many are answered at a time, and how many may wait beside these."""
        self._places = threading.Semaphore(at_once + waiting)
        self._turn = threading.Semaphore(at_once)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and hold it.

        Raises:
            UserError: Too many wait already; nobody is kept for that.
        """
        if not self._places.acquire(blocking=False):
            raise UserError("too many clips wait to be answered; try again in a minute")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()
