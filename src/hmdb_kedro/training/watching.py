"""What happens beside the steps of a training: rate, states, and stops that say what to do."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import keras
import numpy as np

from hmdb_kedro.errors import UserError
from hmdb_kedro.models.seeding import seed_dropout
from hmdb_kedro.params import StackParams, TrainParams
from hmdb_kedro.training.optimization import rate_at
from hmdb_kedro.training.resume import Checkpoint, Progress, best_epoch, save_state

# Chance has a loss of ln(classes). What stays ten times above it has not merely begun badly.
_FAR_ABOVE_CHANCE = 10.0
_BATCHES_OF_GRACE = 50
_LESS_RATE = "Lower its `learning_rate`, or raise `warmup_epochs`."
# By name: the backends' own classes are not imported. TensorFlow's, torch's, JAX's, Python's.
_OUT_OF_MEMORY = {
    "ResourceExhaustedError",
    "OutOfMemoryError",
    "MemoryError",
    "_ArrayMemoryError",
}
# In the text: of XLA, of OpenCV, and of a reading thread, whose error TensorFlow wraps.
_SIGNS_OF_IT = ("RESOURCE_EXHAUSTED", "out of memory", "Insufficient memory", "MemoryError")


class EpochLog(Protocol):
    """Where the figures of each epoch go."""

    run_id: str | None

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Take the figures of one epoch."""


class Silence:
    """An epoch log that drops everything."""

    run_id: str | None = None

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Drop the figures."""


class Rate(keras.callbacks.Callback):
    """Set the learning rate of every step."""

    def __init__(self, params: TrainParams, steps_per_epoch: int):
        """Take the schedule, and the steps it is spread over."""
        super().__init__()
        self._total = params.epochs * steps_per_epoch
        self._warmup = min(0.5, params.warmup_epochs / params.epochs)
        self._peak, self._steps_per_epoch = params.learning_rate, steps_per_epoch
        self._first = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count the steps of the epochs before."""
        self._first = epoch * self._steps_per_epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the rate of the step."""
        # Half a step ahead, so that the first step learns too.
        progress = (self._first + batch + 0.5) / self._total
        self.model.optimizer.learning_rate = rate_at(progress, self._warmup, self._peak)


class Divergence(keras.callbacks.Callback):
    """Stop at the batch where a training is lost, not after an epoch of hours."""

    def __init__(self, num_classes: int):
        """Take the number of classes: it says what chance is."""
        super().__init__()
        self._limit = _FAR_ABOVE_CHANCE * math.log(max(2, num_classes))
        self._above = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin a new mean: Keras reports the mean over the batches of an epoch."""
        self._epoch, self._sum = epoch, 0.0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Look at the loss of the batch.

        Raises:
            UserError: It is no number, or has been ten times that of chance for 50 batches.
        """
        mean = float((logs or {})["loss"])
        if not math.isfinite(mean):
            raise UserError(f"{self._where(batch)}: loss {mean}. {_LESS_RATE}")
        loss, self._sum = mean * (batch + 1) - self._sum, mean * (batch + 1)
        self._above = self._above + 1 if loss > self._limit else 0
        if self._above >= _BATCHES_OF_GRACE:
            raise UserError(
                f"{self._where(batch)}: the loss has been above {self._limit:.1f}, "
                f"{_FAR_ABOVE_CHANCE:g} times that of chance, for {self._above} batches. "
                f"Received: {loss:.3g}. {_LESS_RATE}"
            )

    def _where(self, batch: int) -> str:
        return (
            f"Training of {self.model.name} diverged in epoch {self._epoch + 1}, batch {batch + 1}"
        )


class Keeper(keras.callbacks.Callback):
    """Log each epoch, keep the state and the weights that may stand, stop early."""

    def __init__(
        self,
        progress: Progress,
        params: TrainParams,
        seed: int,
        epoch_log: EpochLog,
        checkpoint: Checkpoint,
    ):
        """Go on from a progress, which is kept up to date.

        Epochs that another MLflow run has taken are logged again, so that the curves are whole.
        """
        super().__init__()
        self._progress, self._epochs = progress, params.epochs
        self._keeps_best, self._seed = params.keep == "best", seed
        # Where the last epoch stands, validation does not say which one is the last.
        self._patience = params.patience if self._keeps_best else None
        self._log, self._checkpoint = epoch_log.log, checkpoint
        if progress.run_id != epoch_log.run_id:
            for epoch, figures in enumerate(progress.epochs):
                epoch_log.log(figures, epoch)
        progress.run_id = epoch_log.run_id

    @property
    def n_done(self) -> int:
        """Epochs that are done."""
        return len(self._progress.epochs)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, or enough without gain."""
        # Without a validation part the newest epoch is the best, and nothing stops early.
        without_gain = self.n_done - best_epoch(self._progress.epochs)
        is_early = self._patience is not None and without_gain >= self._patience
        return is_early or self.n_done >= self._epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Make the epoch's dropout a function of the seed and its number."""
        self._begun = time.perf_counter()
        seed_dropout(self.model, self._seed, epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Log the figures, then keep the state: a kill in between logs one epoch twice."""
        figures = {name: float(value) for name, value in (logs or {}).items()}
        _refuse_lost(self.model, figures, epoch)
        self._progress.epochs.append(figures)
        self._progress.seconds += time.perf_counter() - self._begun
        self._log(figures, epoch)
        is_best = "val_loss" in figures and best_epoch(self._progress.epochs) == self.n_done
        if self._keeps_best and is_best:
            self._progress.best = self.model.get_weights()
        save_state(self._checkpoint, self.model, self._progress)
        self.model.stop_training = self.is_finished


def _refuse_lost(model: keras.Model, figures: Mapping[str, float], epoch: int) -> None:
    """Refuse what an epoch's last step has made of the model: no batch comes after it to tell.

    Raises:
        UserError: A weight, or the validation loss, is no number.
    """
    is_lost = not all(np.isfinite(weights).all() for weights in model.get_weights())
    if is_lost or not math.isfinite(figures.get("val_loss", 0.0)):
        raise UserError(
            f"Training of {model.name} diverged in epoch {epoch + 1}, at its end: validation loss "
            f"{figures.get('val_loss')}, {'a weight is no number' if is_lost else 'weights finite'}"
            f". {_LESS_RATE}"
        )


@contextmanager
def memory_advice(params: TrainParams) -> Iterator[None]:
    """Turn a backend's running out of memory into what to lower.

    Raises:
        UserError: There was not enough memory for the model or for a batch.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(
            f"The memory is not enough for this training. Received: `batch_size` "
            f"{params.batch_size}. {_smaller(params)}"
        ) from error


def _smaller(params: TrainParams) -> str:
    sizes = "`image_size` or `window`" if isinstance(params, StackParams) else "`image_size`"
    if params.batch_size == 1:
        return f"Halve {sizes}."
    return (
        f"Halve `batch_size` to {params.batch_size // 2} (and `learning_rate` with it); if that is "
        f"not enough, halve {sizes}."
    )


def _is_out_of_memory(error: BaseException) -> bool:
    return type(error).__name__ in _OUT_OF_MEMORY or any(
        sign in str(error) for sign in _SIGNS_OF_IT
    )
