"""Where uploads lie while they are answered: a private folder from which they go at once."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hmdb_kedro.errors import UserError
from hmdb_kedro.page.folders import own_folder

MOST_BYTES = 100 * 2**20
# Gradio moves what has arrived to a folder each; what lies beside these is on its way, or was cut.
_CUT_S = 30.0
# What has arrived is taken at once, unless its visitor left.
_FORGOTTEN_S = 300.0
_SWEEP_S = 10.0
# Gradio reads the first one when its server is made, workers the second one when they start: what
# one leaves that is killed while it writes a film is removed as well.
_FOLDERS = ("GRADIO_TEMP_DIR", "TMPDIR")


class Uploads:
    """The folder that Gradio writes uploads into.

    Attributes:
        folder: Only its owner can look into it.
    """

    def __init__(self, folder: Path):
        """Take an empty folder."""
        self.folder = folder.resolve()
        # Gradio gives uploads of the same content the same place.
        self._lent: Counter[Path] = Counter()
        self._counting = threading.Lock()

    @contextmanager
    def taken(self, given: Any) -> Iterator[tuple[str, Path]]:
        """Lend an upload's name and file, which is removed when nobody has it any more.

        Args:
            given: What Gradio hands on of an upload: a mapping with `path` and `orig_name`.

        Raises:
            UserError: It is no upload: a path elsewhere is not read.
        """
        file = Path(str((given or {}).get("path"))).resolve()
        if not file.is_relative_to(self.folder) or not file.is_file():
            raise UserError("it did not arrive; drop it again")
        with self._counting:
            self._lent[file] += 1
        try:
            yield Path(str(given.get("orig_name") or file.name)).name, file
        finally:
            with self._counting:
                self._lent -= Counter([file])
                is_last = file not in self._lent
            if is_last:
                self._remove(file)

    def sweep(self) -> None:
        """Remove what was cut on its way, and what nobody took."""
        now = time.time()
        for file in sorted(self.folder.rglob("*"), reverse=True):
            most = _CUT_S if file.parent == self.folder else _FORGOTTEN_S
            with suppress(OSError):  # another visitor's request removes its own
                is_old = file.is_file() and now - file.stat().st_mtime > most
                if is_old and file not in self._lent:
                    self._remove(file)

    def _remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        with suppress(OSError):  # another upload of the same content is on its way
            if file.parent != self.folder:
                file.parent.rmdir()


@contextmanager
def private_uploads() -> Iterator[Uploads]:
    """Give Gradio and workers a folder of their own, kept clean, and remove it at the end."""
    before = {name: os.environ.get(name) for name in _FOLDERS}
    ended = threading.Event()
    with own_folder() as folder:
        os.environ |= dict.fromkeys(_FOLDERS, str(folder))
        uploads = Uploads(folder)
        sweeper = threading.Thread(target=_sweep, args=(uploads, ended), daemon=True)
        sweeper.start()
        try:
            yield uploads
        finally:
            ended.set()
            sweeper.join()
            _restore(before)


def _restore(before: Mapping[str, str | None]) -> None:
    for name, value in before.items():
        del os.environ[name]
        if value is not None:
            os.environ[name] = value


def _sweep(uploads: Uploads, ended: threading.Event) -> None:
    while not ended.wait(_SWEEP_S):
        uploads.sweep()
