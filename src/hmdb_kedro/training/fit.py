"""Fit a model, watch it, and keep the epoch that validates best, or the last."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import keras
import pandas as pd

from hmdb_kedro.params import TrainParams
from hmdb_kedro.training.batches import ClipBatches, TrainingBatches
from hmdb_kedro.training.devices import count_devices, in_precision, on_devices, quick_start
from hmdb_kedro.training.optimization import make_optimizer
from hmdb_kedro.training.progress import TrainingProgress
from hmdb_kedro.training.resume import (
    REFIT,
    SELECTION,
    Checkpoint,
    NoCheckpoint,
    Progress,
    best_epoch,
    restore_state,
    state_bytes,
)
from hmdb_kedro.training.watching import (
    Divergence,
    EpochLog,
    Keeper,
    Rate,
    Silence,
    memory_advice,
)
from hmdb_kedro.video.samples import Pictures, ReadsSamples, make_augmentation, make_sampler

__all__ = ["EpochLog", "Fitted", "TrainingSet", "fit"]


@dataclass(frozen=True)
class TrainingSet:
    """What a model learns from.

    Attributes:
        train: clip_id and label_id of the training part.
        val: The same of the validation part; may be empty.
        pictures: The table the clips are read from.
        num_classes: Classes in all.
        sampler: Reads the samples; None for the one of the model's parameters.
        train_samples: Samples a training clip; None for the parameters' `samples_per_clip`.
    """

    train: pd.DataFrame
    val: pd.DataFrame
    pictures: Pictures
    num_classes: int
    sampler: ReadsSamples | None = None
    train_samples: int | None = None

    def with_val(self) -> "TrainingSet":
        """Return the set whose training part takes in the validation part."""
        return replace(self, train=pd.concat([self.train, self.val]), val=self.val.iloc[:0])


class Fitted(NamedTuple):
    """What a training came to.

    Attributes:
        model: The model to use.
        history: epochs (figures of each), chosen_epoch (from 1), train_seconds (of all epochs that
            count, also those before a kill), run_id.
        selected: The model that validation may judge: it has never learned from those clips. The
            same as `model`, but with `refit` the one before it.
    """

    model: keras.Model
    history: dict[str, Any]
    selected: keras.Model


def fit(
    build: Callable[[], keras.Model],
    data: TrainingSet,
    params: TrainParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: Checkpoint | None = None,
) -> Fitted:
    """Train a model and return it at its chosen epoch: that of the lowest validation loss.

    Validation is the only judge: the test part is not seen here. Without a validation part, or with
    `keep: last`, the last epoch stands. With `refit` the model is trained once more on train + val
    for the chosen number of epochs. A training that finds states of an earlier one in its
    checkpoint goes on from there, and ends as an uninterrupted one would.

    Raises:
        UserError: The loss is no number or stays far above chance; the memory is not enough, or
            not the disk for the checkpoints.
    """
    checkpoint = checkpoint or NoCheckpoint()
    selected, progress = _train(build, data, params, seed, epoch_log, checkpoint.part(SELECTION))
    model, epochs, seconds = selected, progress.epochs, progress.seconds
    chosen = len(epochs) if params.keep == "last" else best_epoch(epochs)
    if params.refit and len(data.val):
        again = params.model_copy(update={"epochs": chosen})
        model, progress = _train(
            build, data.with_val(), again, seed, Silence(), checkpoint.part(REFIT)
        )
        seconds += progress.seconds
    history = {
        "epochs": epochs,
        "chosen_epoch": chosen,
        "refit": params.refit,
        "seed": seed,
        "train_seconds": seconds,
        "run_id": epoch_log.run_id,
    }
    return Fitted(model, history, selected)


def _train(
    build: Callable[[], keras.Model],
    data: TrainingSet,
    params: TrainParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: Checkpoint,
) -> tuple[keras.Model, Progress]:
    with memory_advice(params), on_devices(params.devices):
        with in_precision(params.precision, params.devices):
            model = build()
        model.compile(
            optimizer=make_optimizer(model, params),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=params.label_smoothing),
            metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        )
        checkpoint.require_space(state_bytes(model))
        progress = restore_state(checkpoint, model)
        keeper = Keeper(progress, params, seed, epoch_log, checkpoint)
        if not keeper.is_finished:
            _fit(model, data, params, seed, keeper)
        if params.keep == "best" and progress.best is not None:
            model.set_weights(progress.best)
    return model, progress


def _fit(
    model: keras.Model, data: TrainingSet, params: TrainParams, seed: int, keeper: Keeper
) -> None:
    batches = _training_batches(data, params, seed)
    batches.start_epoch(keeper.n_done)
    shown = TrainingProgress(batches.n_samples)
    rate = Rate(params, len(batches))
    try:
        with quick_start(model):
            model.fit(
                batches,
                validation_data=_validation_batches(data, params) if len(data.val) else None,
                initial_epoch=keeper.n_done,
                epochs=params.epochs,
                callbacks=[rate, Divergence(data.num_classes), shown, keeper],
                shuffle=False,
                verbose=0,
            )
    finally:
        shown.close()


def _training_batches(data: TrainingSet, params: TrainParams, seed: int) -> TrainingBatches:
    return TrainingBatches(
        data.train,
        **_shared(data, params) | {"views": data.train_samples or params.samples_per_clip},
        augmentation=make_augmentation(params),
        mixup=params.mixup,
        balanced=params.class_weights == "balanced",
        multiple_of=count_devices(params.devices),
        seed=seed,
    )


def _validation_batches(data: TrainingSet, params: TrainParams) -> ClipBatches:
    return ClipBatches(data.val, **_shared(data, params))


def _shared(data: TrainingSet, params: TrainParams) -> dict[str, Any]:
    return {
        "pictures": data.pictures,
        "sampler": data.sampler or make_sampler(params),
        "num_classes": data.num_classes,
        "views": params.samples_per_clip,
        "batch_size": params.batch_size,
        "threads": params.loader_threads,
    }
