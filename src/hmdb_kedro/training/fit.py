"""Fit a model, watch it, and keep the epoch that validates best."""

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras
import numpy as np
import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.models.seeding import seed_dropout
from hmdb_kedro.params import TrainParams
from hmdb_kedro.training.batches import ClipBatches, TrainingBatches
from hmdb_kedro.training.optimization import make_optimizer, rate_at
from hmdb_kedro.training.samples import Pictures, ReadsSamples, make_augmentation, make_sampler

logger = logging.getLogger(__name__)


class EpochLog(Protocol):
    """Where the figures of each epoch go."""

    run_id: str | None

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take the figures of one epoch."""


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


def fit(
    build: Callable[[], keras.Model],
    data: TrainingSet,
    params: TrainParams,
    seed: int,
    epoch_log: EpochLog,
) -> tuple[keras.Model, dict[str, Any]]:
    """Train a model and return it at the epoch with the lowest validation loss.

    Validation is the only judge: the test part is not seen here. Without a validation part the
    last epoch stands. With `refit` the model is trained once more on train + val for the chosen
    number of epochs.

    Returns:
        The model, and its history: epochs (figures of each), chosen_epoch (from 1),
        train_seconds, run_id.
    """
    start = time.perf_counter()
    model = build()
    epochs = _run(model, data, params, seed, epoch_log.log)
    chosen = _best_epoch(epochs)
    if params.refit and len(data.val):
        model = build()
        again = params.model_copy(update={"epochs": chosen})
        _run(model, data.with_val(), again, seed, lambda *_: None)
    history = {
        "epochs": epochs,
        "chosen_epoch": chosen,
        "refit": params.refit,
        "seed": seed,
        "train_seconds": time.perf_counter() - start,
        "run_id": epoch_log.run_id,
    }
    return model, history


def _run(
    model: keras.Model,
    data: TrainingSet,
    params: TrainParams,
    seed: int,
    log: Callable[[Mapping[str, float], int], None],
) -> list[dict[str, float]]:
    batches = _training_batches(data, params, seed)
    validation = _validation_batches(data, params) if len(data.val) else None
    model.compile(
        optimizer=make_optimizer(model, params),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=params.label_smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
    watch = _Watch(log, seed, params)
    model.fit(
        batches,
        validation_data=validation,
        epochs=params.epochs,
        callbacks=[_Rate(params, len(batches)), watch],
        shuffle=False,
        verbose=0,
    )
    watch.restore_best()
    return watch.epochs


def _training_batches(data: TrainingSet, params: TrainParams, seed: int) -> TrainingBatches:
    return TrainingBatches(
        data.train,
        **_shared(data, params) | {"views": data.train_samples or params.samples_per_clip},
        augmentation=make_augmentation(params),
        mixup=params.mixup,
        balanced=params.class_weights == "balanced",
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


def _best_epoch(epochs: list[dict[str, float]]) -> int:
    losses = [epoch.get("val_loss") for epoch in epochs]
    known = [loss for loss in losses if loss is not None]
    return losses.index(min(known)) + 1 if known else len(epochs)


class _Rate(keras.callbacks.Callback):
    """Set the learning rate of every step."""

    def __init__(self, params: TrainParams, steps_per_epoch: int):
        super().__init__()
        self._total = params.epochs * steps_per_epoch
        self._warmup = min(0.5, params.warmup_epochs / params.epochs)
        self._peak, self._steps_per_epoch = params.learning_rate, steps_per_epoch
        self._first = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._first = epoch * self._steps_per_epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        # Half a step ahead, so that the first step learns too.
        progress = (self._first + batch + 0.5) / self._total
        self.model.optimizer.learning_rate = rate_at(progress, self._warmup, self._peak)


class _Watch(keras.callbacks.Callback):
    """Log each epoch, keep the best weights, stop early, stop when the loss is no number."""

    def __init__(
        self,
        log: Callable[[Mapping[str, float], int], None],
        seed: int,
        params: TrainParams,
    ):
        super().__init__()
        self._log, self._seed, self._patience = log, seed, params.patience
        self._best: list[np.ndarray] | None = None
        self.epochs: list[dict[str, float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        seed_dropout(self.model, self._seed, epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        self._refuse_divergence(figures["loss"], epoch)
        self.epochs.append(figures)
        self._log(figures, epoch)
        _say(self.model.name, epoch, self.params["epochs"], figures)
        best = _best_epoch(self.epochs)
        if "val_loss" in figures and best == len(self.epochs):
            self._best = self.model.get_weights()
        # Without a validation part the newest epoch is the best, and nothing stops early.
        if self._patience is not None and len(self.epochs) - best >= self._patience:
            self.model.stop_training = True

    def restore_best(self) -> None:
        """Put the best epoch's weights back."""
        if self._best is not None:
            self.model.set_weights(self._best)

    def _refuse_divergence(self, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise UserError(
                f"Training of {self.model.name} diverged in epoch {epoch + 1}: loss {loss}. "
                "Lower its `learning_rate`, or raise `warmup_epochs`."
            )


def _say(name: str, epoch: int, n_epochs: int, figures: Mapping[str, float]) -> None:
    numbers = "  ".join(f"{key} {value:.3f}" for key, value in figures.items())
    logger.info("%s  epoch %d/%d  %s", name, epoch + 1, n_epochs, numbers)
