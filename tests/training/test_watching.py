"""Trainings that stop in time, say what to do, and show how far they are."""

import io
import logging
import re

import numpy as np
import pytest
from learning import MemoryFlow, small_params, train
from rich.console import Console

from hmdb_kedro.errors import UserError

# Everything here imports Keras.
pytestmark = pytest.mark.slow


class Model:
    name = "cnn3d_compact"


def divergence(num_classes=4):
    from hmdb_kedro.training.watching import Divergence  # noqa: PLC0415

    callback = Divergence(num_classes)
    callback.set_model(Model())
    return callback


def show(callback, losses):
    """Show an epoch's batches to a callback, as Keras does: by the mean so far."""
    callback.on_epoch_begin(0)
    for batch in range(len(losses)):
        callback.on_train_batch_end(batch, {"loss": float(np.mean(losses[: batch + 1]))})


def test_a_loss_that_is_no_number_stops_at_its_batch():
    with pytest.raises(UserError, match=r"epoch 1, batch 3: loss nan\. Lower its `learning_rate`"):
        show(divergence(), [1.0, 1.0, np.nan, 1.0])


def test_a_loss_far_above_chance_stops_after_fifty_batches():
    with pytest.raises(UserError, match=r"batch 60: .*above 13\.9, 10 times that of chance"):
        show(divergence(), [1.0] * 10 + [20.0] * 100)


def test_a_bad_beginning_and_single_peaks_do_not_stop():
    show(divergence(), [1000.0] * 49 + [1.0] + [1000.0] * 49 + [13.0] * 200)


def test_it_goes_on_counting_over_short_epochs():
    callback = divergence()
    show(callback, [20.0] * 30)
    with pytest.raises(UserError, match="for 50 batches"):
        show(callback, [20.0] * 30)


class Infinite(MemoryFlow):
    def take(self, clip_id, indices, reduce=1):
        return np.full((len(indices), 20, 24, 2), np.inf, np.float32)


def test_a_diverging_training_stops_within_its_first_epoch():
    with pytest.raises(UserError, match=r"diverged in epoch 1, batch 1: .*`warmup_epochs`"):
        train(small_params(epochs=2, mixup=0.0), pictures=Infinite())


class Hungry(MemoryFlow):
    def take(self, clip_id, indices, reduce=1):
        raise MemoryError


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's."""


def test_a_reader_without_memory_says_what_to_halve():
    with pytest.raises(UserError, match=r"`batch_size` 4\. Halve `batch_size` to 2.*`window`"):
        train(small_params(epochs=1), pictures=Hungry())


@pytest.mark.parametrize(
    "error", [ResourceExhaustedError("OOM"), MemoryError(), RuntimeError("CUDA out of memory.")]
)
def test_every_backends_lack_of_memory_is_known(error):
    from hmdb_kedro.training.watching import memory_advice  # noqa: PLC0415

    with pytest.raises(UserError, match="Halve `batch_size`"), memory_advice(small_params()):
        raise error


def test_other_errors_stay_what_they_are():
    from hmdb_kedro.training.watching import memory_advice  # noqa: PLC0415

    with pytest.raises(KeyError), memory_advice(small_params()):
        raise KeyError("a mistake in the code")


def test_a_line_an_epoch_has_loss_accuracy_rate_and_what_is_left(caplog):
    with caplog.at_level(logging.INFO):
        train(small_params(epochs=2))
    lines = [line for line in caplog.messages if "epoch" in line]
    assert len(lines) == 2
    for part in ("epoch 2/2", "loss ", "accuracy ", "val_loss ", "samples/s", "0 s left"):
        assert part in lines[1]


def test_a_long_epoch_has_lines_within(caplog, monkeypatch):
    from hmdb_kedro.training import progress  # noqa: PLC0415

    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO):
        train(small_params(epochs=1))
    assert any("batch 1/2" in line and "samples/s" in line for line in caplog.messages)


def test_a_terminal_has_a_bar(monkeypatch):
    from hmdb_kedro.training import progress  # noqa: PLC0415

    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    monkeypatch.setattr(progress, "get_console", lambda: console)
    monkeypatch.setattr(progress, "_REDRAW_EVERY_S", 0.0)
    train(small_params(epochs=1))
    shown = screen.getvalue()
    assert "epoch 1/1" in shown
    assert re.search("[12]/2", shown)
    assert "samples/s" in shown


def test_the_same_seed_gives_the_same_result_and_another_another():
    params = small_params(epochs=2, mixup=0.2)
    (model, history), (again, same), (_, other) = (train(params, seed=seed) for seed in (3, 3, 4))
    assert history["epochs"] == same["epochs"]
    for weight, other_weight in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(weight, other_weight)
    assert history["epochs"] != other["epochs"]
