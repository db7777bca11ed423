"""Show how far a training is: a bar in a terminal, lines in a log."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import keras
import rich.progress as bars
from rich import get_console

logger = logging.getLogger(__name__)

_LINE_EVERY_S = 60.0
_REDRAW_EVERY_S = 0.25


class TrainingProgress(keras.callbacks.Callback):
    """Say after every epoch, and during long ones, how well it goes and how long it will take."""

    def __init__(self, n_samples: int):
        """Take the number of training samples an epoch."""
        super().__init__()
        self._n_samples = n_samples
        self._bar: _Bar | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self._begun = time.monotonic()
        self._rate = 0.0
        self._first: int | None = None
        if get_console().is_terminal:
            self._bar = _Bar()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the bar of an epoch."""
        self._first = epoch if self._first is None else self._first
        self._epoch = epoch
        self._epoch_begun = self._shown = time.monotonic()
        self._n_steps = self.params["steps"]
        if self._bar is not None:
            self._bar.start(self._title, self._n_steps)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Show loss, accuracy and rate now and then: reading them waits for the device."""
        now = time.monotonic()
        # Before the validation, which follows the last batch.
        n_samples = (batch + 1) / self._n_steps * self._n_samples
        self._rate = n_samples / max(now - self._epoch_begun, 1e-9)
        if now - self._shown < (_REDRAW_EVERY_S if self._bar else _LINE_EVERY_S):
            return
        self._shown = now
        figures = f"{_numbers(logs or {})}  {self._pace((batch + 1) / self._n_steps)}"
        if self._bar is not None:
            self._bar.show(batch + 1, figures)
        else:
            logger.info("%s  batch %d/%d  %s", self._title, batch + 1, self._n_steps, figures)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Leave one line an epoch."""
        logger.info("%s  %s  %s", self._title, _numbers(logs or {}), self._pace(1.0))

    def close(self) -> None:
        """Take the bar away, however the training ended."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    @property
    def _title(self) -> str:
        return f"{self.model.name}  epoch {self._epoch + 1}/{self.params['epochs']}"

    def _pace(self, share: float) -> str:
        """Return samples/s of this epoch and what the rest of the training will take."""
        done = self._epoch - (self._first or 0) + share
        elapsed = time.monotonic() - self._begun
        left = (self.params["epochs"] - self._epoch - share) * elapsed / done
        return f"{self._rate:.1f} samples/s  {_duration(left)} left"


class _Bar:
    """A bar an epoch, on the console that the log lines go to, so that they stand above it."""

    def __init__(self) -> None:
        columns = (
            bars.TextColumn("{task.description}"),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TextColumn("{task.fields[figures]}"),
        )
        self._progress = bars.Progress(*columns, console=get_console(), transient=True)
        self._progress.start()
        self._task: bars.TaskID | None = None

    def start(self, title: str, total: int) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, figures="")

    def show(self, completed: int, figures: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=completed, figures=figures)

    def close(self) -> None:
        self._progress.stop()


def _numbers(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{key} {float(value):.3f}" for key, value in figures.items())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
