"""Score tables that other tools have made."""

import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from kedro.io import AbstractDataset, DatasetError

CLIP = "clip_id"
_ARRAYS = (CLIP, "classes", "scores")


class ExternalScores(AbstractDataset[NoReturn, dict[str, pd.DataFrame]]):
    """Load a folder of score tables; a file's stem names the model.

    - `<model>.csv`: a column `clip_id`, then one column of probabilities a class.
    - `<model>.npz`: arrays `clip_id` (N names), `classes` (C names), `scores` (N × C).

    `clip_id` is `<label>/<file name>`, or the file name or stem alone where it is unique. Arrays of
    Python objects are refused, because reading them can run code.

    Example catalog entry:
    ```yaml
    external_scores:
      type: hmdb_kedro.datasets.ExternalScores
      path: data/01_raw/external_scores
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        """Describe the folder; nothing is opened.

        Args:
            path: The folder; empty for none.
            metadata: Ignored by Kedro; read by kedro-viz.
        """
        self._path = Path(path).expanduser() if path else None
        self.metadata = metadata

    def load(self) -> dict[str, pd.DataFrame]:
        """Return by model: `clip_id`, then one column a class, as the file has them.

        Raises:
            DatasetError: There is no such folder, two files name one model, or a file cannot be
                read as a score table.
        """
        if self._path is None:
            return {}
        if not self._path.is_dir():
            raise DatasetError(
                f"`external_scores`: there is no folder {self._path}. Name one with --params "
                "external_scores_dir=…, or none."
            )
        files: dict[str, Path] = {}
        for file in self._files():
            if file.stem in files:
                raise DatasetError(
                    f"`external_scores`: two files name one model. Received: {files[file.stem]} "
                    f"and {file}. Rename or remove one."
                )
            files[file.stem] = file
        return {model: _read(file) for model, file in files.items()}

    def save(self, data: NoReturn) -> None:
        """Refuse: other tools' scores are given."""
        raise DatasetError("`external_scores` is read-only.")

    def _files(self) -> Iterator[Path]:
        found = sorted(self._path.iterdir()) if self._path else []
        return (file for file in found if file.suffix.lower() in {".csv", ".npz"})

    def _exists(self) -> bool:
        return self._path is None or self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path or "")}


def _read(file: Path) -> pd.DataFrame:
    try:
        table = _composed(_read_csv(file) if file.suffix.lower() == ".csv" else _read_npz(file))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"`external_scores`: {file} is no score table: {error}. A CSV has a column {CLIP} "
            f"and one a class; an NPZ the arrays {', '.join(_ARRAYS)}."
        ) from error
    return table


def _composed(table: pd.DataFrame) -> pd.DataFrame:
    """Write the names of clips and classes as `clip_index` does, in NFC."""
    table = table.rename(columns=_nfc)
    doubled = table.columns[table.columns.duplicated()]
    if len(doubled):
        raise ValueError(f"column {doubled[0]} stands twice")
    return table.assign(**{CLIP: table[CLIP].map(_nfc)})


def _nfc(name: object) -> str:
    return unicodedata.normalize("NFC", str(name))


def _read_csv(file: Path) -> pd.DataFrame:
    table = pd.read_csv(file, dtype={CLIP: str})
    if CLIP not in table:
        raise ValueError(f"it has no column {CLIP}")
    text = [name for name in table if name != CLIP and table[name].dtype.kind not in "fiu"]
    if text:
        raise ValueError(f"column {text[0]} holds no numbers")
    return table[[CLIP, *(name for name in table if name != CLIP)]]


def _read_npz(file: Path) -> pd.DataFrame:
    with np.load(file, allow_pickle=False) as stored:
        missing = [name for name in _ARRAYS if name not in stored]
        if missing:
            raise ValueError(f"it has no array {missing[0]}")
        clips, classes, scores = (stored[name] for name in _ARRAYS)
    if scores.shape != (len(clips), len(classes)):
        raise ValueError(f"scores have the shape {scores.shape}, not {len(clips), len(classes)}")
    table = pd.DataFrame(scores, columns=[str(name) for name in classes])
    table.insert(0, CLIP, [str(name) for name in clips])
    return table
