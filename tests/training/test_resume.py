"""A training that was killed goes on, and ends as if it had not been."""

import logging

import numpy as np
import pandas as pd
import pytest
from learning import Epochs, KillingLog, MemoryFlow, small_params, train

from hmdb_kedro.datasets.checkpoint import CheckpointFiles

pytestmark = pytest.mark.slow


def killed():
    # TensorFlow wraps what a reading thread raises.
    return pytest.raises(Exception, match="Killed")


class KillingFlow(MemoryFlow):
    """Kill the training after so many reads: in the middle of an epoch."""

    def __init__(self, reads):
        self._left = reads

    def take(self, clip_id, indices, reduce=1):
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("Killed")
        return super().take(clip_id, indices, reduce)


def assert_same(one, other):
    (model, history), (other_model, other_history) = one, other
    timed = {"train_seconds"}
    assert {k: v for k, v in history.items() if k not in timed} == {
        k: v for k, v in other_history.items() if k not in timed
    }
    for weight, other_weight in zip(model.get_weights(), other_model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other_weight, atol=1e-7)


@pytest.fixture(scope="module", params=[pytest.param("sgd", marks=pytest.mark.extended), "adamw"])
def params(request):
    # Dropout, batch norm, augmentation and mixup; early stopping before the last epoch; refit.
    rate = 0.05 if request.param == "sgd" else 0.02
    return small_params(
        optimizer=request.param, learning_rate=rate, epochs=8, patience=3, mixup=0.2, refit=True
    )


@pytest.fixture(scope="module")
def uninterrupted(params):
    return train(params)


def reads_of_epochs(n_epochs):
    return n_epochs * (8 + 4)  # training and validation samples


def test_kills_in_the_middle_of_epochs_change_nothing(params, uninterrupted, tmp_path):
    checkpoint = CheckpointFiles(tmp_path)
    for reads in (reads_of_epochs(0) + 5, reads_of_epochs(2) + 5, reads_of_epochs(1) + 9):
        with killed():
            train(params, pictures=KillingFlow(reads), checkpoint=checkpoint)
    assert_same(train(params, checkpoint=checkpoint), uninterrupted)


def test_a_kill_while_training_again_changes_nothing(params, uninterrupted, tmp_path):
    checkpoint = CheckpointFiles(tmp_path)
    n_epochs = len(uninterrupted[1]["epochs"])
    assert uninterrupted[1]["chosen_epoch"] >= 2
    with killed():
        train(params, pictures=KillingFlow(reads_of_epochs(n_epochs) + 17), checkpoint=checkpoint)
    log = Epochs()
    assert_same(train(params, checkpoint=checkpoint, epoch_log=log), uninterrupted)
    assert log == []  # nothing of the selection was trained again


def test_a_damaged_newest_state_costs_an_epoch_and_nothing_else(
    params, uninterrupted, tmp_path, caplog
):
    checkpoint = CheckpointFiles(tmp_path)
    with killed():
        train(params, epoch_log=KillingLog(3), checkpoint=checkpoint)
    newest = max((tmp_path / "selection").iterdir())
    assert newest.name == "epoch00003.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    log = Epochs()
    with caplog.at_level(logging.INFO):
        assert_same(train(params, epoch_log=log, checkpoint=checkpoint), uninterrupted)
    assert "epoch00003.npz is damaged" in caplog.text
    assert "going on after epoch 2" in caplog.text
    assert log[0][0] == 2


def test_another_run_gets_the_curves_of_the_epochs_before(tmp_path):
    params, checkpoint = small_params(epochs=3, patience=None), CheckpointFiles(tmp_path)
    first = KillingLog(1)
    first.run_id = "first"
    with killed():
        train(params, epoch_log=first, checkpoint=checkpoint)
    same, other = Epochs("first"), Epochs("other")
    train(params, epoch_log=same, checkpoint=checkpoint)
    assert [epoch for epoch, _ in same] == [1, 2]
    train(params, epoch_log=other, checkpoint=checkpoint)
    assert [epoch for epoch, _ in other] == [0, 1, 2]
    assert first[0] == other[0]


def test_a_state_of_another_architecture_is_left_alone(tmp_path, caplog):
    checkpoint = CheckpointFiles(tmp_path)
    train(small_params(epochs=1, filters=[4, 4]), checkpoint=checkpoint)
    _, history = train(small_params(epochs=1), checkpoint=checkpoint)
    assert "of another architecture, starting anew" in caplog.text
    assert len(history["epochs"]) == 1


class Table:
    kind, version, settings = "flow", "v1", {"bound_px": 16}


class OtherTable(Table):
    settings = {"bound_px": 8}  # noqa: RUF012


INDEX = pd.DataFrame(
    {
        "clip_id": ["a/1", "a/2", "b/1", "b/2"],
        "content_hash": ["1", "2", "3", "4"],
        "label": ["a", "a", "b", "b"],
        "label_id": [0, 0, 1, 1],
        "partition": ["train", "val", "train", "test"],
        "fps": 30.0,
    }
)


def changed(row, column, value):
    index = INDEX.copy()
    index.loc[row, column] = value
    return index


@pytest.mark.parametrize(
    "other",
    [
        (small_params(learning_rate=0.5), 1, INDEX, Table()),
        (small_params(), 2, INDEX, Table()),
        (small_params(), 1, INDEX.iloc[1:], Table()),
        (small_params(), 1, changed(0, "content_hash", "9"), Table()),
        (small_params(), 1, changed(0, "label_id", 1), Table()),
        (small_params(), 1, changed(1, "partition", "train"), Table()),
        (small_params(), 1, INDEX, OtherTable()),
    ],
)
def test_a_key_changes_with_what_a_training_depends_on(other):
    from hmdb_kedro.training.resume import training_key  # noqa: PLC0415

    assert training_key(small_params(), 1, INDEX, Table()) != training_key(*other)


def test_a_key_knows_neither_threads_nor_test_clips():
    from hmdb_kedro.training.resume import training_key  # noqa: PLC0415

    key = training_key(small_params(), 1, INDEX, Table())
    assert key == training_key(small_params(loader_threads=7), 1, INDEX, Table())
    assert key == training_key(small_params(), 1, INDEX.iloc[:3], Table())
    assert key == training_key(small_params(), 1, changed(0, "fps", 25.0), Table())
