"""Two phases of transfer: the head on frozen features, then fine-tuning from a chosen stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras

from hmdb_kedro.errors import UserError
from hmdb_kedro.models.spatial import build_head, put_head
from hmdb_kedro.params import SpatialParams
from hmdb_kedro.training.features import (
    feature_settings,
    hash_settings,
    head_samples,
)
from hmdb_kedro.training.fit import EpochLog, Fitted, TrainingSet, fit
from hmdb_kedro.training.resume import HEAD, REFIT, Checkpoint, NoCheckpoint
from hmdb_kedro.training.watching import Silence
from hmdb_kedro.video.samples import read_features
from hmdb_kedro.video.tables import ClipTable

Build = Callable[[], keras.Model]
History = dict[str, Any]


@dataclass(frozen=True)
class _Phases:
    """What a training in phases came to, and how long each phase was."""

    model: keras.Model
    histories: dict[str, History]

    @property
    def chosen(self) -> dict[str, int]:
        """Epochs of each phase to train for; 0 where the second made nothing better."""
        chosen = {name: history["chosen_epoch"] for name, history in self.histories.items()}
        if not _improves(self.histories):
            chosen["tune"] = 0
        return chosen


def fit_in_phases(
    build: Build,
    data: TrainingSet,
    params: SpatialParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: Checkpoint | None = None,
    *,
    features: ClipTable,
    extraction: dict[str, Any],
) -> Fitted:
    """Train the head on cached features, then the network from `tune_from` on.

    Each phase ends at its chosen epoch. Where phase 2 does not end below the validation loss that
    phase 1 ended with, phase 1's model stands, whichever epochs are kept. Without a phase 1 (a
    backbone that knows nothing, or `head_epochs: 0`) this is `fit`.

    Args:
        build: Makes the whole network with its initial weights.
        data: As in `fit`; `pictures` are the frames.
        params: Of the spatial stream.
        seed: As in `fit`.
        epoch_log: Takes the figures of each epoch, phase 2 numbered on from phase 1.
        checkpoint: As in `fit`; each phase has a part of its own.
        features: The cached features of the training and validation clips.
        extraction: Settings of the table of frames.

    Returns:
        As `fit`; the history has `phases` too: the epochs each took.

    Raises:
        UserError: The features were made with other settings, or lack clips.
    """
    if not params.trains_head:
        return fit(build, data, params, seed, epoch_log, checkpoint)
    checkpoint = checkpoint or NoCheckpoint()
    _refuse_stale(feature_settings(build(), params, extraction), data, features)
    once = params.model_copy(update={"refit": False})
    run = partial(_run_phases, build, seed=seed, features=features)
    done = run(data, once, epoch_log, checkpoint)
    history = _joined(done, params.refit)
    if params.refit and len(data.val):
        again = _with_epochs(once, done.chosen)
        final = run(data.with_val(), again, Silence(), checkpoint.part(REFIT))
        seconds = sum(phase["train_seconds"] for phase in final.histories.values())
        history |= {"train_seconds": history["train_seconds"] + seconds}
        return Fitted(final.model, history, done.model)
    return Fitted(done.model, history, done.model)


def _run_phases(
    build: Build,
    data: TrainingSet,
    params: SpatialParams,
    epoch_log: EpochLog,
    checkpoint: Checkpoint,
    *,
    seed: int,
    features: ClipTable,
) -> _Phases:
    cached = replace(
        data, pictures=features, sampler=read_features, train_samples=head_samples(params)
    )
    head, history = _fit_head(cached, params, seed, epoch_log, checkpoint.part(HEAD))
    histories = {"head": history}
    build = partial(_build_with_head, build, head)
    if params.tune_from == "none":
        return _Phases(build(), histories)
    log = _Onwards(epoch_log, len(history["epochs"]))
    model, histories["tune"], _ = fit(build, data, params, seed, log, checkpoint)
    return _Phases(model if _improves(histories) else build(), histories)


def _fit_head(
    data: TrainingSet,
    params: SpatialParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: Checkpoint,
) -> tuple[keras.Model, History]:
    num_features = data.pictures.shape(data.train["clip_id"].iloc[0])[2]
    build = partial(
        build_head, params, num_features=num_features, num_classes=data.num_classes, seed=seed
    )
    changes = {"epochs": params.head_epochs, "learning_rate": params.head_learning_rate}
    fitted = fit(build, data, params.model_copy(update=changes), seed, epoch_log, checkpoint)
    return fitted.model, fitted.history


def _build_with_head(build: Build, head: keras.Model) -> keras.Model:
    model = build()
    put_head(model, head)
    return model


def _improves(histories: dict[str, History]) -> bool:
    if "tune" not in histories:
        return False
    before, after = (_chosen_loss(histories[name]) for name in ("head", "tune"))
    return before is None or after is None or after < before


def _chosen_loss(history: History) -> float | None:
    loss: float | None = history["epochs"][history["chosen_epoch"] - 1].get("val_loss")
    return loss


def _with_epochs(params: SpatialParams, chosen: dict[str, int]) -> SpatialParams:
    """Return parameters that train each phase for its chosen epochs."""
    if not chosen.get("tune"):
        return params.model_copy(update={"head_epochs": chosen["head"], "tune_from": "none"})
    return params.model_copy(update={"head_epochs": chosen["head"], "epochs": chosen["tune"]})


def _joined(done: _Phases, refit: bool) -> History:
    histories = list(done.histories.values())
    first = done.chosen["head"]
    tuned = done.chosen.get("tune")
    return histories[-1] | {
        "epochs": [epoch for history in histories for epoch in history["epochs"]],
        "chosen_epoch": len(histories[0]["epochs"]) + tuned if tuned else first,
        "phases": {name: len(history["epochs"]) for name, history in done.histories.items()},
        "refit": refit,
        "train_seconds": sum(history["train_seconds"] for history in histories),
    }


def _refuse_stale(settings: dict[str, Any], data: TrainingSet, features: ClipTable) -> None:
    key = hash_settings(settings)
    rows = features.info().set_index("clip_id")["settings_hash"].to_dict()
    clip_ids = [*data.train["clip_id"], *data.val["clip_id"]]
    stale = [clip_id for clip_id in clip_ids if rows.get(clip_id) != key]
    if stale:
        raise UserError(
            f"`spatial.features` lacks {len(stale)} of {len(clip_ids)} clips for these frames and "
            f"parameters. Received: {stale[0]}, … Run the node spatial.compute_features first."
        )


class _Onwards:
    """An epoch log whose epochs go on from those of an earlier phase."""

    def __init__(self, log: EpochLog, n_before: int):
        self._log, self._n_before = log, n_before
        self.run_id = log.run_id

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        self._log.log(metrics, self._n_before + epoch)
