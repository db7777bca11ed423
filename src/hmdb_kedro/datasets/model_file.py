"""What the files of a trained model share, whatever the format: a sidecar, and being whole."""

import json
from abc import abstractmethod
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from kedro.io import AbstractVersionedDataset
from kedro.io.core import Version

from hmdb_kedro.artefacts import TrainedModel

Loaded = TypeVar("Loaded")


class ModelFile(AbstractVersionedDataset[TrainedModel, Loaded]):
    """Save a TrainedModel as a file with a JSON sidecar of the same stem."""

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        self.metadata = metadata
        super().__init__(PurePosixPath(Path(filepath).expanduser().as_posix()), version)

    def save(self, data: TrainedModel) -> None:
        """Write both files; the model's last and whole: its presence makes the version."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sidecar(path, data)
        # A kill in between must not leave half a model that --only-missing-outputs takes for one.
        half = path.with_name(f"half_{path.name}")
        self._write(data.model, half)
        half.replace(path)

    @abstractmethod
    def _write(self, model: Any, path: Path) -> None:
        """Write the model in this format."""

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}


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
