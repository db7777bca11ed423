"""The search over recipes: what a trial changes, how it is judged, that it goes on."""

import mlflow
import optuna
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from params import make

from hmdb_kedro.errors import UserError
from hmdb_kedro.jobs import sweep
from hmdb_kedro.terminal import sweep_table

pytestmark = pytest.mark.slow
BEST_RATE = 3e-4


@pytest.fixture
def store(tmp_path):
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_experiment("sweep")
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(None)


def bowl(params, log):
    """Stand in for a training: best at one learning rate, the narrower the better."""
    distance = abs(params.learning_rate / BEST_RATE - 1) + params.filters[0] / 1000
    epochs = [{"val_loss": distance + 1 / (epoch + 1)} for epoch in range(4)]
    for epoch, figures in enumerate(epochs):
        log.log(figures, epoch)
    return {"epochs": epochs, "chosen_epoch": 4}


def run(tmp_path, train=bowl, **changes):
    arguments = {"trials": 12, "seed": 1, "file": tmp_path / "study" / "sweep.db", **changes}
    return sweep.search(train, make("temporal", learning_rate=1e-3), "temporal", **arguments)


def test_it_finds_the_bottom_of_a_bowl_and_tracks_every_trial(tmp_path, store):
    study = run(tmp_path, trials=14)
    assert study.trials[0].params == {"learning_rate": 1e-3, "dropout": 0.6, "width": 1.0}
    assert study.best_value < study.trials[0].value
    assert abs(study.best_params["learning_rate"] / BEST_RATE - 1) < 0.5
    runs = store.search_runs([store.get_experiment_by_name("sweep").experiment_id])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert (len(runs), len(children)) == (15, 14)
    assert {run.info.status for run in runs} == {"FINISHED"}
    table = sweep_table(study)
    assert table.row_count == 14


def test_it_goes_on_where_it_was_stopped(tmp_path, store):
    def stopped(params, log):
        raise KeyboardInterrupt

    run(tmp_path, trials=3)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, train=stopped, trials=1)
    study = run(tmp_path, trials=2)
    done = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(done) == 5
    assert len({trial.params["learning_rate"] for trial in done}) == 5  # nothing is tried twice


def test_the_configured_recipe_is_tried_even_where_the_first_trial_was_stopped(tmp_path, store):
    def stopped(params, log):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, train=stopped, trials=1)
    study = run(tmp_path, trials=1)
    assert study.trials[-1].params == {"learning_rate": 1e-3, "dropout": 0.6, "width": 1.0}
    assert study.trials[-1].state == optuna.trial.TrialState.COMPLETE


def test_a_trial_is_judged_at_the_epoch_that_is_kept(tmp_path, store):
    losses = [{"val_loss": loss} for loss in (0.5, 0.25, 0.75)]
    for chosen in (2, 3):
        history = {"epochs": losses, "chosen_epoch": chosen}
        study = run(tmp_path / str(chosen), train=lambda *_, h=history: h, trials=1)
        assert study.best_value == losses[chosen - 1]["val_loss"]


def test_a_trial_is_what_the_training_node_of_the_model_does_without_refitting():
    from hmdb_kedro.training.wiring import train_node  # noqa: PLC0415 - imports Keras

    def train(clip_index, flow, weights, params, seed, epoch_log, checkpoint):
        assert (clip_index, flow, weights, seed) == ("index", "table", "folder", 7)
        assert checkpoint is None
        assert not params.refit
        return "a model", {"epochs": epoch_log}, "scores"

    data = {"clip_index": "index", "flow": "table", "pretrained_weights": "folder"}
    shared = {"inputs": {*data, "epoch_log"}, "parameters": {"params:temporal", "params:seed"}}
    node = train_node(train, "temporal", "flow")
    (node,) = Pipeline([node], namespace="temporal", **shared).nodes
    catalog = DataCatalog()
    for name, value in (data | {"params:seed": 7}).items():
        catalog[name] = value
    trained = sweep.trainer(node, catalog, "temporal")
    assert trained(make("temporal", refit=True), "log") == {"epochs": "log"}


def test_without_validation_there_is_nothing_to_judge_by(tmp_path, store):
    with pytest.raises(UserError, match="val_fraction"):
        run(tmp_path, train=lambda params, log: log.log({"loss": 1.0}, 0), trials=1)
