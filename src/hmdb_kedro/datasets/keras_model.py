"""A trained Keras model with its classes and preprocessing."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from kedro.io import DatasetError

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.backend import load_keras
from hmdb_kedro.datasets.model_file import ModelFile, read_sidecar


class KerasModel(ModelFile[TrainedModel]):
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

    def load(self) -> TrainedModel:
        """Return the model, its classes and preprocessing.

        Raises:
            DatasetError: A file is absent or damaged.
        """
        path = Path(self._get_load_path())
        trained = read_model(path)
        size_mb = path.stat().st_size / 1e6
        return replace(trained, version=self.resolve_load_version(), file_mb=size_mb)

    def _write(self, model: Any, path: Path) -> None:
        model.save(path)


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
