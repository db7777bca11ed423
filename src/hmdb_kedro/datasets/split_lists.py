"""The official split lists of HMDB51, as one table."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from kedro.io import AbstractDataset, DatasetError

LIST_NAME = re.compile(r"(?P<label>.+)_test_split(?P<split>[123])\.txt")
COLUMNS = ["clip_id", "label", "split", "part"]


class SplitLists(AbstractDataset[NoReturn, pd.DataFrame]):
    """Load `<class>_test_split{1,2,3}.txt` as rows of clip_id, label, split (1–3) and part.

    A line holds a file name and its part: 1 train, 2 test, 0 unused. An absent folder loads as
    no rows, because clips without lists can be split by `data_prep.splits=auto`.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path).expanduser()
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return every line of every list.

        Raises:
            DatasetError: A line is not a file name and 0, 1 or 2.
        """
        rows = [row for file in sorted(self._path.glob("*.txt")) for row in _read(file)]
        return pd.DataFrame(rows, columns=COLUMNS)

    def save(self, data: NoReturn) -> None:
        """Refuse: the official lists are given."""
        raise DatasetError("`raw_splits` is read-only.")

    def _exists(self) -> bool:
        return any(self._path.glob("*_test_split?.txt"))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def _read(file: Path) -> Iterator[tuple[str, str, int, int]]:
    name = LIST_NAME.fullmatch(unicodedata.normalize("NFC", file.name))
    if name is None:
        return
    label, split = name["label"], int(name["split"])
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        clip, _, part = line.strip().rpartition(" ")
        if part not in {"0", "1", "2"} or not clip:
            raise DatasetError(
                f"`raw_splits`: {file}, line {number}: expected a file name and 0, 1 or 2. "
                f"Received: {line!r}."
            )
        yield f"{label}/{unicodedata.normalize('NFC', clip.strip())}", label, split, int(part)
