"""What a training must remember to go on as if nothing had happened."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np
import pandas as pd

from hmdb_kedro.datasets.checkpoint import TrainingState
from hmdb_kedro.datasets.weights_folder import newest_version
from hmdb_kedro.params import TrainParams, hash_values
from hmdb_kedro.video.decode import hash_file

logger = logging.getLogger(__name__)

SELECTION, REFIT, HEAD = "selection", "refit", "head"
# What says nothing about the weights that come out.
_WITHOUT_EFFECT = {"loader_threads", "test_views", "devices"}
# What says nothing about the scores either.
_HARDWARE = {"loader_threads", "devices"}
_CLIP_COLUMNS = ["clip_id", "content_hash", "label", "label_id", "partition"]


class Checkpoint(Protocol):
    """Where states go; see `datasets.checkpoint.CheckpointFiles`."""

    def part(self, name: str) -> "Checkpoint":
        """Return the place of one of several trainings."""

    def restore(self) -> TrainingState | None:
        """Return the newest whole state."""

    def save(self, state: TrainingState) -> None:
        """Keep a state."""

    def require_space(self, state_bytes: int) -> None:
        """Refuse to start where states would not fit."""


class NoCheckpoint:
    """Keep nothing: for trainings of seconds."""

    def part(self, name: str) -> "NoCheckpoint":
        """Return the same nothing."""
        return self

    def restore(self) -> None:
        """Return None."""

    def save(self, state: TrainingState) -> None:
        """Drop the state."""

    def require_space(self, state_bytes: int) -> None:
        """Need none."""


class Stored(Protocol):
    """What the key takes from a table; see `ClipTable`."""

    @property
    def kind(self) -> str:
        """`frames` or `flow`."""

    @property
    def version(self) -> str | None:
        """The catalog's version."""

    @property
    def settings(self) -> dict[str, Any]:
        """The extraction settings."""


def training_key(params: TrainParams, seed: int, clip_index: pd.DataFrame, pictures: Stored) -> str:
    """Return 16 hex digits that change with everything a training depends on.

    Parameters and the files they name, the seed, the clips of the training and validation part
    with their labels and content, the table's version and extraction settings, and Keras itself.
    Not its threads.
    """
    depends_on = {
        "params": params.model_dump(mode="json", exclude=_WITHOUT_EFFECT),
        "seed": seed,
        "clips": _clips(clip_index, ["train", "val"]),
    }
    return hash_values(depends_on | _circumstances(pictures) | _files(params))


def run_key(params: TrainParams, seed: int, clip_index: pd.DataFrame, pictures: Stored) -> str:
    """Return 16 hex digits that change with everything a training and its scores depend on.

    As `training_key`, and the views and the test clips.
    """
    depends_on = {
        "params": params.model_dump(mode="json", exclude=_HARDWARE),
        "seed": seed,
        "clips": _clips(clip_index, ["train", "val", "test"]),
    }
    return hash_values(depends_on | _circumstances(pictures) | _files(params))


def settings_key(params: TrainParams, pictures: Stored) -> str:
    """Return 16 hex digits that the runs of all splits and seeds under one recipe share."""
    recipe = {"params": params.model_dump(mode="json", exclude=_HARDWARE)}
    return hash_values(recipe | _circumstances(pictures) | _files(params))


def _circumstances(pictures: Stored) -> dict[str, Any]:
    return {
        "pictures": [pictures.kind, pictures.version, pictures.settings],
        "keras": [keras.__version__, keras.backend.backend()],
    }


def _files(params: TrainParams) -> dict[str, Any]:
    """Return what stands in the files that a training starts from: names outlive contents."""
    named = {name: getattr(params, name, None) for name in ("init_from", "weights", "backbone")}
    files = {name: newest_version(value) for name, value in named.items() if value}
    found = {name: hash_file(file) for name, file in files.items() if file.is_file()}
    return {"files": found} if found else {}


def _clips(clip_index: pd.DataFrame, parts: list[str]) -> str:
    columns = [name for name in _CLIP_COLUMNS if name in clip_index]
    clips: str = clip_index.loc[clip_index["partition"].isin(parts), columns].to_csv(index=False)
    return clips


def killed_run_id(checkpoint: Checkpoint) -> str | None:
    """Return the MLflow run in which a training was killed, if it left states."""
    for place in (checkpoint, checkpoint.part(HEAD)):
        state = place.part(SELECTION).restore()
        if state is not None:
            run_id: str | None = state.notes["run_id"]
            return run_id
    return None


@dataclass
class Progress:
    """How far a training is, beside what the model and its optimiser hold.

    Attributes:
        epochs: Figures of the epochs that are done.
        best: Weights of the best of them, once there was a validation.
        seconds: What they took.
        run_id: The MLflow run that they were logged into.
    """

    epochs: list[dict[str, float]] = field(default_factory=list)
    best: list[np.ndarray] | None = None
    seconds: float = 0.0
    run_id: str | None = None


def best_epoch(epochs: list[dict[str, float]]) -> int:
    """Return the epoch (from 1) with the lowest validation loss; without one, the last."""
    losses = [epoch.get("val_loss") for epoch in epochs]
    known = [loss for loss in losses if loss is not None]
    return losses.index(min(known)) + 1 if known else len(epochs)


def save_state(checkpoint: Checkpoint, model: keras.Model, progress: Progress) -> None:
    """Keep the state of a compiled model after an epoch.

    Dropout's generators are not in it: they are set anew from the epoch at each epoch's start.
    """
    arrays = _named("weight", model.get_weights())
    variables = model.optimizer.variables
    arrays |= _named("optimizer", [keras.ops.convert_to_numpy(value) for value in variables])
    done = len(progress.epochs)
    if progress.best is not None and best_epoch(progress.epochs) != done:
        arrays |= _named("best", progress.best)
    notes = {
        "epochs": progress.epochs,
        "seconds": progress.seconds,
        "run_id": progress.run_id,
    }
    checkpoint.save(TrainingState(done, arrays, notes))


def restore_state(checkpoint: Checkpoint, model: keras.Model) -> Progress:
    """Put the newest state into a compiled model, and return how far it is.

    A state of another architecture (of another version of this program) is left alone.
    """
    state = checkpoint.restore()
    if state is None:
        return Progress()
    weights, optimizer = _listed("weight", state.arrays), _listed("optimizer", state.arrays)
    variables = model.optimizer.variables
    if _shapes([*weights, *optimizer]) != _shapes([*model.weights, *variables]):
        logger.warning("%s: the checkpoint is of another architecture, starting anew.", model.name)
        return Progress()
    model.set_weights(weights)
    for variable, value in zip(variables, optimizer, strict=True):
        variable.assign(value)
    epochs = state.notes["epochs"]
    logger.info("%s  going on after epoch %d", model.name, len(epochs))
    has_validation = "val_loss" in epochs[-1]
    best = (_listed("best", state.arrays) or weights) if has_validation else None
    return Progress(epochs, best, state.notes["seconds"], state.notes["run_id"])


def state_bytes(model: keras.Model) -> int:
    """Return the size of the largest state of a compiled model, in bytes."""
    variables = [*model.weights, *model.weights, *model.optimizer.variables]
    return sum(int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in variables)


def _named(kind: str, values: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{kind}{number:05d}": value for number, value in enumerate(values)}


def _listed(kind: str, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(kind)]


def _shapes(values: Any) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in values]
