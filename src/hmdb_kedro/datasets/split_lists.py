"""The official split lists of HMDB51, as one table."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.datasets.archives import locate, place_to_unpack, unpack_folder

# No dot in front: macOS leaves a `._<name>` beside each file on drives that it does not know.
LIST_NAME = re.compile(r"(?P<label>[^.].*)_test_split(?P<split>[123])\.txt")
COLUMNS = ["clip_id", "label", "split", "part"]


class SplitLists(AbstractDataset[NoReturn, pd.DataFrame]):
    """Load `<class>_test_split{1,2,3}.txt` as rows of clip_id, label, split (1–3) and part.

    A line holds a file name and its part: 1 train, 2 test, 0 unused. `path` is the folder of the
    lists, one that holds that folder alone, or an archive (RAR, ZIP, TAR); where it is not there,
    an archive of that name is looked for (`<path>.rar`, …). An absent one loads as no rows,
    because clips without lists can be split by `data_prep.splits=auto`.
    """

    def __init__(
        self,
        *,
        path: str,
        unpack_to: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        """Describe the lists; nothing is opened.

        Args:
            path: Where they are.
            unpack_to: Where an archive is unpacked (`path`); not needed for a folder.
            metadata: Ignored by Kedro; read by kedro-viz.
        """
        self._path = Path(path).expanduser()
        self._unpack_to = place_to_unpack(unpack_to)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return every line of every list.

        Raises:
            DatasetError: A line is not a file name and 0, 1 or 2, a list is not UTF-8, or an
                archive cannot be used.
        """
        folder = self._folder(locate(self._path))
        rows = [row for file in sorted(folder.glob("*.txt")) for row in _read(file)]
        return pd.DataFrame(rows, columns=COLUMNS)

    def save(self, data: NoReturn) -> None:
        """Refuse: the official lists are given."""
        raise DatasetError("`raw_splits` is read-only.")

    def _exists(self) -> bool:
        source = locate(self._path)
        return source.is_file() or _holds_lists(_folder_of_lists(source))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "unpack_to": str(self._unpack_to)}

    def _folder(self, source: Path) -> Path:
        """Return the folder of the lists, after unpacking it where it is packed."""
        if not source.is_file():
            return _folder_of_lists(source)
        if self._unpack_to is None:
            raise DatasetError(
                f"`raw_splits`: {source} is packed, and its catalog entry does not say where to "
                "unpack it. Add `unpack_to: {path: …}`."
            )
        return unpack_folder(source, self._unpack_to, _is_list)


def _folder_of_lists(folder: Path) -> Path:
    """Return the folder, or the only one in it that holds lists where itself holds none."""
    if not folder.is_dir() or _holds_lists(folder):
        return folder
    below = [entry for entry in folder.iterdir() if entry.is_dir() and _holds_lists(entry)]
    return below[0] if len(below) == 1 else folder


def _holds_lists(folder: Path) -> bool:
    return any(_is_list(file.name) for file in folder.glob("*.txt"))


def _is_list(name: str) -> bool:
    return LIST_NAME.fullmatch(unicodedata.normalize("NFC", name)) is not None


def _read(file: Path) -> Iterator[tuple[str, str, int, int]]:
    name = LIST_NAME.fullmatch(unicodedata.normalize("NFC", file.name))
    if name is None:
        return
    label, split = name["label"], int(name["split"])
    for number, line in enumerate(_text(file).splitlines(), start=1):
        if not line.strip():
            continue
        clip, _, part = line.strip().rpartition(" ")
        if part not in {"0", "1", "2"} or not clip:
            raise DatasetError(
                f"`raw_splits`: {file}, line {number}: expected a file name and 0, 1 or 2. "
                f"Received: {line!r}."
            )
        yield f"{label}/{unicodedata.normalize('NFC', clip.strip())}", label, split, int(part)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")  # with the mark that Windows puts in front
    except UnicodeDecodeError as error:
        raise DatasetError(
            f"`raw_splits`: {file} is not UTF-8. Received: byte {error.object[error.start]:#04x} "
            f"at position {error.start}. Save it as UTF-8."
        ) from None
