"""A trained Keras model with its classes and preprocessing."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile

from kedro.io import AbstractVersionedDataset, DatasetError
from kedro.io.core import Version

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.backend import load_keras


class KerasModel(AbstractVersionedDataset[TrainedModel, TrainedModel]):
    """Save a TrainedModel as a `.keras` file with a JSON sidecar of the same stem.

    The file holds no Python code of this project: a plain Keras session loads it in safe mode.

    Example catalog entry:
    ```yaml
    spatial.model:
      type: hmdb_kedro.datasets.KerasModel
      filepath: data/06_models/split1/spatial.keras
      versioned: true
    ```
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self.metadata = metadata
        super().__init__(PurePosixPath(Path(filepath).expanduser().as_posix()), version)

    def load(self) -> TrainedModel:
        """Return the model, its classes and preprocessing.

        Raises:
            DatasetError: A file is absent or damaged.
        """
        path = Path(self._get_load_path())
        trained = read_model(path)
        size_mb = path.stat().st_size / 1e6
        return replace(trained, version=self.resolve_load_version(), file_mb=size_mb)

    def save(self, data: TrainedModel) -> None:
        """Write both files; the `.keras` file last and whole: its presence makes the version."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sidecar(path, data)
        # A kill in between must not leave half a model that --only-missing-outputs takes for one.
        half = path.with_name(f"half_{path.name}")
        data.model.save(half)
        half.replace(path)

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


def read_model(path: Path) -> TrainedModel:
    """Return the model of a file, with the classes and preprocessing of its sidecar.

    Raises:
        DatasetError: A file is absent or damaged.
    """
    keras = load_keras()  # seconds: only where a model is really used
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        return TrainedModel(model, *read_sidecar(path))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise DatasetError(f"{path} is no model that can be loaded: {error}") from error


def write_sidecar(path: Path, trained: TrainedModel) -> None:
    """Write a model's classes and preprocessing beside it."""
    sidecar = {"classes": trained.classes, "preprocessing": trained.preprocessing}
    sidecar_of(path).write_text(json.dumps(sidecar, indent=2), encoding="utf-8")


def read_sidecar(path: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the classes and the preprocessing that stand beside a model."""
    sidecar = json.loads(sidecar_of(path).read_text(encoding="utf-8"))
    return tuple(sidecar["classes"]), sidecar["preprocessing"]


def sidecar_of(path: Path) -> Path:
    """Return the JSON file that stands beside a model."""
    return path.with_suffix(".json")
