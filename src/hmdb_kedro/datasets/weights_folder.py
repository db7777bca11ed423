"""Weights to start from: pretrained ones that the user brings, and models of earlier runs."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets.keras_model import read_model
from hmdb_kedro.datasets.model_file import sidecar_of
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import SpatialParams, TemporalParams, is_saved_backbone

IMAGENET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


class Weights:
    """Find weights by the name a parameter gives."""

    def __init__(self, folder: Path):
        self._folder = folder

    def find(self, params: SpatialParams) -> Path | None:
        """Return the file of weights the spatial stream starts from.

        A saved backbone comes with weights of its own: `imagenet` and `none` leave them alone.

        Returns:
            The file of `imagenet` or of a path; None where none is needed.

        Raises:
            UserError: It, or the saved backbone, is not there; says what to fetch, and where to
                put it.
        """
        name = params.weights
        if is_saved_backbone(params.backbone):
            _existing(params.backbone, "spatial.backbone", "a saved .keras backbone")
            name = "none" if name == "imagenet" else name
        return self._find(name, params.backbone, "spatial")

    def find_resnet50(self, params: TemporalParams) -> Path | None:
        """Return the file of RGB weights a temporal ResNet-50 starts from, as `find` does."""
        return self._find(params.weights, "resnet50", "temporal")

    def _find(self, name: str, backbone: str, model: str) -> Path | None:
        if name in ("none", "random"):
            return None
        if name != "imagenet":
            return _existing(name, f"{model}.weights", "a Keras weights file, `imagenet` or `none`")
        found = next(
            (file for folder in self._places for file in _published(folder, backbone)), None
        )
        if found is None:
            file = IMAGENET if backbone == "resnet50" else f"{backbone}…notop.h5"
            raise UserError(
                f"`{model}.weights=imagenet`: {file} is not in {self._folder}. Fetch it from "
                "the releases of keras-applications (storage.googleapis.com/tensorflow/"
                "keras-applications) and put it there, or train from scratch with "
                f"--params {model}.weights=none"
            )
        return found

    def find_model(self, name: str) -> Path:
        """Return the file of a model of an earlier run.

        Args:
            name: A `.keras` file, or the folder of a versioned entry, whose newest version counts.

        Raises:
            UserError: There is none, or it has no JSON file of its classes beside it.
        """
        file = newest_version(name)
        if not file.is_file():
            raise UserError(
                f"`init_from`: there is no model {file}. Give the `.keras` file of an earlier run "
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

    @property
    def _places(self) -> tuple[Path, Path]:
        # Keras keeps what it has downloaded before in a folder of its own.
        return self._folder, Path("~/.keras/models").expanduser()


def newest_version(name: str) -> Path:
    """Return the file that a path names: itself, or the newest version of a versioned entry."""
    path = Path(name).expanduser()
    versions = sorted(path.glob(f"*/{path.name}"))
    return versions[-1] if versions else path


def _published(folder: Path, backbone: str) -> list[Path]:
    """Return the weights without top that keras.applications publishes of a backbone."""
    if backbone == "resnet50":
        return [file for file in [folder / IMAGENET] if file.is_file()]
    start = backbone.lower().replace("_", "")
    files = sorted(folder.glob("*.h5")) if folder.is_dir() else []
    names = ((file, file.name.lower().replace("_", "").replace("-", "")) for file in files)
    return [file for file, name in names if name.startswith(start) and "notop" in name]


def _existing(name: str, parameter: str, wanted: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(f"`{parameter}`: there is no file {path}. Give the path of {wanted}.")
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
