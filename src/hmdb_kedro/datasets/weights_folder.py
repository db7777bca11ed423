"""Weights to start from: pretrained ones that the user brings, and models of earlier runs."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets.keras_model import read_model, sidecar_of
from hmdb_kedro.errors import UserError

IMAGENET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


class Weights:
    """Find weights by the name a parameter gives."""

    def __init__(self, folder: Path):
        self._folder = folder

    def find(self, name: str) -> Path | None:
        """Return the file of `imagenet` or of a path; None for `none`.

        Raises:
            UserError: It is not there; says what to fetch and where to put it.
        """
        if name == "none":
            return None
        if name != "imagenet":
            return self._existing(Path(name).expanduser())
        # Keras keeps what it has downloaded before in a folder of its own.
        places = [self._folder / IMAGENET, Path("~/.keras/models").expanduser() / IMAGENET]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise UserError(
                f"`spatial.weights=imagenet`: {IMAGENET} is not in {self._folder}. Fetch it from "
                "the releases of keras-applications (storage.googleapis.com/tensorflow/"
                "keras-applications/resnet) and put it there, or train from scratch with "
                "--params spatial.weights=none"
            )
        return found

    def find_model(self, name: str) -> Path:
        """Return the file of a model of an earlier run.

        Args:
            name: A `.keras` file, or the folder of a versioned entry, whose newest version counts.

        Raises:
            UserError: There is none, or it has no JSON file of its classes beside it.
        """
        path = Path(name).expanduser()
        versions = sorted(path.glob(f"*/{path.name}"))
        file = versions[-1] if versions else path
        if not file.is_file():
            raise UserError(
                f"`init_from`: there is no model {path}. Give the `.keras` file of an earlier run "
                "(06_models/split…/<model>.keras/<version>/<model>.keras), or null."
            )
        if not sidecar_of(file).is_file():
            raise UserError(
                f"`init_from`: {file} has no {sidecar_of(file).name} beside it, which says its "
                "classes. Keep both files together."
            )
        return file

    def earlier_model(self, name: str | None) -> TrainedModel | None:
        """Return the model that `init_from` names; None where it names none.

        Raises:
            UserError: It is not there, or cannot be loaded.
        """
        if name is None:
            return None
        file = self.find_model(name)
        try:
            return read_model(file)
        except DatasetError as error:
            raise UserError(f"`init_from`: {error}") from error

    def _existing(self, path: Path) -> Path:
        if not path.is_file():
            raise UserError(
                f"`spatial.weights`: there is no file {path}. Give `imagenet`, `none` or the path "
                "of a Keras weights file."
            )
        return path


class WeightsFolder(AbstractDataset[NoReturn, Weights]):
    """The folder where pretrained weights are looked for; loads as `Weights`."""

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path).expanduser()
        self.metadata = metadata

    def load(self) -> Weights:
        """Return the finder; nothing is opened, so that the folder may be absent."""
        return Weights(self._path)

    def save(self, data: NoReturn) -> None:
        """Refuse: the weights are the user's."""
        raise DatasetError("`pretrained_weights` is read-only.")

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
