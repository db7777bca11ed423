"""Folders that go with the page, however it ends."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "hmdb_page_"
_LOCK = ".lock"


@contextmanager
def own_folder() -> Iterator[Path]:
    """Give a private folder and remove it at the end; of a page that was killed the next one does.

    While its page lives, a lock beside the folder is held, which ends with the process.
    """
    _remove_left(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made:
        lock = FileLock(f"{made}{_LOCK}")
        try:
            with lock:
                yield Path(made)
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)


def _remove_left(parent: Path) -> None:
    """Remove the folders whose pages are gone."""
    for file in parent.glob(f"{_PREFIX}*{_LOCK}"):
        # Another page lives, or it is somebody else's.
        with suppress(Timeout, OSError), FileLock(file, timeout=0):
            shutil.rmtree(file.with_suffix(""), ignore_errors=True)
            file.unlink(missing_ok=True)
