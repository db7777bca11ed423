"""Curves go into the run that is active when they are logged, and nowhere where none is."""

import logging

import mlflow
import pytest
from kedro.io import DatasetError

from hmdb_kedro.datasets.epoch_log import EpochLog

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("epochs")
    yield uri
    mlflow.set_tracking_uri(before)


def test_each_epoch_is_a_point_of_the_curve_in_the_active_run(store):
    epoch_log = EpochLog().load()  # loaded before the run is opened, as a node's inputs are
    with mlflow.start_run() as run:
        assert epoch_log.run_id == run.info.run_id
        for epoch, loss in enumerate([1.5, 0.5, 0.25]):
            epoch_log.log({"loss": loss, "val_top1": 1 - loss / 2}, epoch)
    curve = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.5), (1, 0.5), (2, 0.25)]


def test_without_a_run_curves_are_only_logged(store, caplog):
    epoch_log = EpochLog().load()
    with caplog.at_level(logging.DEBUG, logger="hmdb_kedro"):
        epoch_log.log({"loss": 0.5}, 3)
    assert epoch_log.run_id is None
    assert "Epoch 3, not tracked: {'loss': 0.5}" in caplog.text
    assert mlflow.active_run() is None


def test_it_cannot_be_an_output():
    with pytest.raises(DatasetError, match="cannot be an output"):
        EpochLog(metadata={"kedro-viz": {"layer": "models"}}).save({"loss": 1.0})
