"""Runs in MLflow: what they hold, and the status they end with."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import mlflow
import pytest
from kedro.framework.hooks.manager import _create_hook_manager, _register_hooks
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from tiny_project import inside, kedro_run, store, write_project

from hmdb_kedro.datasets import LanceTable
from hmdb_kedro.errors import UserError
from hmdb_kedro.hooks import HOOKS, LOCKS, EarlyChecks, Results, Sessions, TableLocks
from hmdb_kedro.tracking.hooks import final_metrics, make_store
from hmdb_kedro.tracking.model_runs import ModelRuns
from hmdb_kedro.tracking.provenance import is_dead, process_tags

# Every test here opens Kedro sessions and an MLflow store.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A project whose store has its tables already: making them takes seconds."""
    folder = write_project(tmp_path_factory.mktemp("template"))
    store(folder).create_experiment("tiny")
    return folder


@pytest.fixture(scope="module")
def trained_template(template, tmp_path_factory):
    folder = shutil.copytree(template, tmp_path_factory.mktemp("trained") / "project")
    with inside(folder):
        kedro_run(folder, "train")
    return folder


@pytest.fixture(scope="module")
def finished(template, tmp_path_factory):
    """A project in which everything has run once, to look at."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("finished") / "project")
    with inside(folder):
        kedro_run(folder, "__default__", split=2)
    return folder


@pytest.fixture
def project(template, tmp_path):
    """A project in which nothing has run."""
    with inside(shutil.copytree(template, tmp_path / "project")) as folder:
        yield folder


@pytest.fixture
def trained(trained_template, tmp_path):
    """A project in which `train` has run once."""
    with inside(shutil.copytree(trained_template, tmp_path / "project")) as folder:
        yield folder


def runs(project):
    """Return all runs, oldest first."""
    client = store(project)
    experiment = client.get_experiment_by_name("tiny")
    return client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])


def subject(run):
    """Return what a run is named after, without its split and seed."""
    return run.info.run_name.split()[0]


def named(project, name):
    return [run for run in runs(project) if subject(run) == name]


def statuses(project):
    return [(subject(run), run.info.status) for run in runs(project)]


def test_a_run_has_one_parent_and_a_child_a_model(finished):
    parent, *children = runs(finished)
    assert parent.info.run_name == "all base split2 seed7"
    names = [child.info.run_name for child in children]
    assert names == ["spatial split2 seed7", "two_stream split2 seed7"]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert {status for _, status in statuses(finished)} == {"FINISHED"}
    assert mlflow.active_run() is None


def test_parameters_are_fields_and_say_nothing_of_workers(finished):
    (spatial,), (fused,) = named(finished, "spatial"), named(finished, "two_stream")
    common = {"split": "2", "seed": "7", "frames.quality": "90"}
    assert spatial.data.params == common | {"learning_rate": "0.1"}
    assert fused.data.params == common | {"rule": "average", "flow.algorithm": "dis"}


def test_tags_say_where_a_model_comes_from(finished):
    tags = named(finished, "two_stream")[0].data.tags
    wanted = {"model": "two_stream", "split": "2", "seed": "7", "env": "base"}
    assert wanted.items() <= tags.items()
    assert tags["flow_algorithm"] == "dis"
    assert tags["git_commit"]
    (version,) = (path.name for path in (finished / "data/clip_index.json").iterdir())
    assert tags["data_version.clip_index"] == tags["data_version"] == version
    assert "data_version.flow" not in tags  # nothing extracted


def test_curves_and_costs_are_in_the_models_own_run(finished):
    (parent,), (spatial,) = named(finished, "all"), named(finished, "spatial")
    curve = store(finished).get_metric_history(spatial.info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1), (1, 1 / 2), (2, 1 / 3)]
    assert (spatial.data.metrics["parameters"], spatial.data.metrics["gflops"]) == (5, 0.5)
    assert parent.data.metrics == {}


def test_a_later_session_writes_final_metrics_beside_the_curves(trained):
    (before,) = named(trained, "spatial")
    kedro_run(trained, "fusion_eval")
    (spatial,), (fused,) = named(trained, "spatial"), named(trained, "two_stream")
    final = {"test_top1": 0.5, "test_log_loss": 1.25, "val_top1": 0.75}
    assert spatial.data.metrics == before.data.metrics | final
    assert fused.data.metrics == final | {"test_top1": 1.0}
    assert (spatial.info.status, spatial.info.end_time) == ("FINISHED", before.info.end_time)


def test_scoring_again_goes_into_the_run_of_the_training(trained):
    (before,) = named(trained, "spatial")
    kedro_run(trained, "score")
    with pytest.raises(RuntimeError):
        kedro_run(trained, "score", mode="fail in score")
    (after,) = named(trained, "spatial")
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.info.end_time)
    assert [run.info.status for run in named(trained, "score")] == ["FINISHED", "FAILED"]


def test_a_model_that_failed_after_its_training_is_finished_once_it_is_scored(project):
    with pytest.raises(RuntimeError):
        kedro_run(project, "train", mode="fail in score")
    (failed,) = named(project, "spatial")
    kedro_run(project, "score")
    (scored,) = named(project, "spatial")
    assert [failed.info.status, scored.info.status] == ["FAILED", "FINISHED"]


def test_a_run_says_which_scores_are_its_own(trained):
    kedro_run(trained, "score")
    (spatial,) = named(trained, "spatial")
    newest = max(path.name for path in (trained / "data/scores.json").iterdir())
    assert spatial.data.tags["scores_version"] == newest


def test_training_again_makes_a_new_run(trained):
    kedro_run(trained, "train")
    first, second = named(trained, "spatial")
    assert first.info.run_id != second.info.run_id
    parents = [run.info.run_id for run in named(trained, "train")]
    assert [run.data.tags["mlflow.parentRunId"] for run in (first, second)] == parents


def test_a_finished_model_is_not_trained_again_where_only_missing_outputs_are_made(trained):
    (finished,) = named(trained, "spatial")
    kedro_run(trained, "train", only_missing=True)
    assert [run.info.run_id for run in named(trained, "spatial")] == [finished.info.run_id]
    shutil.rmtree(trained / "data/history.json")
    kedro_run(trained, "train", only_missing=True)
    assert len(named(trained, "spatial")) == 2


def test_a_killed_training_goes_on_in_its_own_run_below_the_new_parent(trained):
    mlflow.set_tracking_uri(f"sqlite:///{trained}/mlflow.db")
    (killed,), client = named(trained, "spatial"), store(trained)
    client.set_terminated(killed.info.run_id, "KILLED")
    parent = client.create_run(killed.info.experiment_id)
    opened = ModelRuns(parent, describe=lambda _: ({}, {"pid": "1"}), find_earlier=lambda _: None)
    opened.open("spatial", anew=True, resumed=killed.info.run_id)
    assert mlflow.active_run().info.run_id == killed.info.run_id
    opened.close()
    (after,) = named(trained, "spatial")
    assert after.info.status == "FINISHED"
    assert after.data.params == killed.data.params
    assert after.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert after.data.tags["pid"] == "1"
    opened.open("cnn3d_v1", anew=True, resumed="of another store")
    assert subject(mlflow.active_run()) == "cnn3d_v1"
    opened.end("FINISHED")


def test_metrics_of_chosen_older_scores_go_into_the_older_run(trained):
    (version,) = (path.name for path in (trained / "data/scores.json").iterdir())
    kedro_run(trained, "train")
    kedro_run(trained, "fusion_eval", load_versions={"spatial.scores": version})
    older, newer = named(trained, "spatial")
    assert older.data.metrics["test_top1"] == 0.5
    assert "test_top1" not in newer.data.metrics


def test_metrics_go_into_the_run_whose_scores_are_read_though_a_later_one_trained(trained):
    kedro_run(trained, "fit", spatial={"learning_rate": 0.2})
    kedro_run(trained, "fusion_eval")
    scored, unscored = named(trained, "spatial")
    assert scored.data.metrics["test_top1"] == 0.5
    assert "test_top1" not in unscored.data.metrics
    shutil.rmtree(min((trained / "data/history.json").iterdir()))
    kedro_run(trained, "fusion_eval")
    _, unscored, unknown = named(trained, "spatial")
    assert "test_top1" not in unscored.data.metrics
    assert unknown.data.metrics["test_top1"] == 0.5


def test_scoring_a_later_training_goes_into_its_own_run(trained):
    kedro_run(trained, "fit", spatial={"learning_rate": 0.2})
    kedro_run(trained, "score")
    kedro_run(trained, "fusion_eval")
    older, newer = named(trained, "spatial")
    assert "test_top1" not in older.data.metrics
    assert newer.data.metrics["test_top1"] == 0.5


def test_a_model_that_another_store_tracked_gets_a_run_here(trained, template):
    shutil.copy(template / "mlflow.db", trained / "mlflow.db")
    kedro_run(trained, "fusion_eval")
    (spatial,) = named(trained, "spatial")
    assert spatial.data.metrics["test_top1"] == 0.5
    assert spatial.info.status == "FINISHED"


@pytest.mark.parametrize("mode", ["fail", "fail in score"])
def test_an_error_marks_the_model_and_the_run_as_failed(project, mode):
    with pytest.raises(RuntimeError, match="mistake"):
        kedro_run(project, "__default__", mode=mode)
    assert statuses(project) == [("all", "FAILED"), ("spatial", "FAILED")]
    assert mlflow.active_run() is None


def test_a_failure_to_load_spares_the_model_of_the_step_before(project):
    with pytest.raises(DatasetError) as caught:
        kedro_run(project, "load_absent")
    (note,) = caught.value.__notes__
    assert note == f"Catalog entry `absent` ({project}/data/absent.json):"
    assert statuses(project) == [("load_absent", "FAILED"), ("spatial", "FINISHED")]


def test_an_interrupt_marks_the_runs_as_killed_and_leaves_the_next_one_alone(project):
    with pytest.raises(KeyboardInterrupt):
        kedro_run(project, "train", mode="interrupt")
    assert statuses(project) == [("train", "KILLED"), ("spatial", "KILLED")]
    kedro_run(project, "train")
    assert statuses(project)[2:] == [("train", "FINISHED"), ("spatial", "FINISHED")]


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "KILLED"), (OSError, "FAILED")])
@pytest.mark.parametrize("step", ["name_parent", "__init__"])
def test_a_stop_before_the_first_node_ends_the_run(project, monkeypatch, error, status, step):
    def stop(*arguments, **options):
        raise error

    monkeypatch.setattr(ModelRuns, step, stop)
    with pytest.raises(error):
        kedro_run(project, "train")
    assert [run.info.status for run in runs(project)] == [status]
    assert mlflow.active_run() is None


def test_two_sessions_in_one_process_stay_apart(project):
    kedro_run(project, "train", split=1)
    kedro_run(project, "train", split=2)
    assert [run.data.params["split"] for run in named(project, "spatial")] == ["1", "2"]
    assert [run.data.tags["split"] for run in named(project, "train")] == ["1", "2"]


def test_nothing_is_tracked_where_tracking_is_switched_off(trained):
    before = [(run.info.run_id, run.info.end_time) for run in runs(trained)]
    kedro_run(trained, "untracked")
    assert [(run.info.run_id, run.info.end_time) for run in runs(trained)] == before
    assert len(list((trained / "data/scores.json").iterdir())) == 2  # it ran nonetheless


def test_a_users_own_run_stays_open_around_a_session(project):
    mlflow.set_tracking_uri(f"sqlite:///{project}/mlflow.db")
    mlflow.set_experiment("tiny")
    run = mlflow.start_run(run_name="mine")
    try:
        kedro_run(project, "train")
        assert mlflow.active_run().info.run_id == run.info.run_id
        assert statuses(project) == [("mine", "RUNNING"), ("spatial", "FINISHED")]
    finally:
        while mlflow.active_run():
            mlflow.end_run()


def test_runs_of_dead_processes_are_marked_at_the_next_start(trained):
    client = store(trained)
    experiment = runs(trained)[0].info.experiment_id
    here = process_tags()
    gone = client.create_run(experiment, tags=here | {"process_start": "long ago"})
    alive = client.create_run(experiment, tags=here)
    elsewhere = client.create_run(experiment, tags=here | {"host": "another", "pid": "1"})
    unknown = client.create_run(experiment)
    kedro_run(trained, "train")
    found = [client.get_run(run.info.run_id) for run in (gone, alive, elsewhere, unknown)]
    assert [run.info.status for run in found] == ["KILLED", "RUNNING", "RUNNING", "RUNNING"]


def test_a_process_that_ended_is_dead_and_this_one_is_not():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert is_dead(process_tags() | {"pid": str(child.pid)})
    assert not is_dead(process_tags())
    assert not is_dead({})


def test_the_store_of_the_environment_goes_before_the_projects(project, tmp_path, monkeypatch):
    other = shutil.copy(project / "mlflow.db", tmp_path / "other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    kedro_run(project, "train")
    assert mlflow.get_tracking_uri() == f"sqlite:///{other}"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runs(project) == []


def test_final_metrics_have_one_name_for_all_models():
    scores = {"top1": 0.5, "top5": 1, "mean_class_accuracy": 0.5, "log_loss": 1.0, "ece": 0.1}
    tested = {f"test_{name}": float(value) for name, value in scores.items()}
    validated = {"val_top1": 0.4, "val_log_loss": 1.5}
    extra = {"n": 10, "top5_labels": ["a"], "by_class": {"a": 1.0}, "is_best": True}
    assert final_metrics(scores | validated | extra) == tested | validated


@pytest.mark.parametrize(
    ("given", "named_key"), [({"split": 4}, "`split`"), ({"flwo": {"algorithm": "dis"}}, "`flwo`")]
)
def test_a_wrong_or_unknown_parameter_stops_before_any_node(given, named_key):
    class Context:
        config_loader = {"parameters": given}  # noqa: RUF012 - a stand-in

    with pytest.raises(UserError, match=named_key):
        EarlyChecks().after_context_created(Context())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_ends_calmly_with_its_runs_killed(project, number, code):
    command = [sys.executable, "-m", "kedro", "run", "--params", "mode=wait"]
    environment = {**os.environ, "PYTHONPATH": str(project / "src")}
    # A shell's background job ignores Ctrl-C, and hands that on: the tests may be one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=project, env=environment, stderr=subprocess.PIPE, text=True
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 120
    while not (project / "waiting").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Stopped." in errors
    assert "Traceback" not in errors
    assert statuses(project) == [("all", "KILLED"), ("spatial", "KILLED")]


@pytest.mark.parametrize(
    ("env", "command"), [("sample", "make viz."), (None, "make viz ENV=local.")]
)
def test_a_run_says_where_its_own_results_are_shown(env, command, caplog):
    results = Results()
    loader = SimpleNamespace(default_run_env="local")
    results.after_context_created(SimpleNamespace(env=env, config_loader=loader))
    results.before_pipeline_run()
    results.after_dataset_saved("metrics", {})
    with caplog.at_level(logging.INFO, logger="hmdb_kedro"):
        results.after_pipeline_run(DataCatalog())
    assert command in caplog.text


class TestTableLocks:
    def catalog(self, folder):
        return DataCatalog({"flow": LanceTable(path=str(folder / "flow.lance"))})

    pipeline = Pipeline([Node(print, "clips", "flow", name="extract")])

    def test_one_run_at_a_time_writes_a_table(self, tmp_path):
        first, second = TableLocks(), TableLocks()
        first.before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        with pytest.raises(UserError, match=r"Another run is writing `flow`"):
            second.before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        first.after_pipeline_run()
        second.before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        second.on_pipeline_error()

    def test_a_table_is_locked_only_after_what_a_run_needs_is_found(self):
        manager = _create_hook_manager()
        _register_hooks(manager, HOOKS)
        order = [hook.plugin for hook in manager.hook.before_pipeline_run.get_hookimpls()]
        # Pluggy calls them from the end of the list.
        (checks,) = [hook for hook in HOOKS if isinstance(hook, EarlyChecks)]
        assert order.index(checks) > order.index(LOCKS)

    def test_a_session_that_an_exception_leaves_lets_others_write(self, tmp_path):
        session = Sessions(path=str(tmp_path), session_id="now")
        LOCKS.before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        session.save()
        with pytest.raises(UserError, match="Another run is writing"):
            TableLocks().before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        session["exception"] = {"type": "KeyboardInterrupt"}
        session.save()
        other = TableLocks()
        other.before_pipeline_run(self.pipeline, self.catalog(tmp_path))
        other.after_pipeline_run()

    def test_a_folder_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(UserError, match=r"`flow` cannot be written.*file.*data_root"):
            TableLocks().before_pipeline_run(self.pipeline, self.catalog(tmp_path / "file"))


class TestMakeStore:
    def test_a_kill_while_it_is_made_leaves_no_half_store(self, tmp_path):
        address = f"sqlite:///{tmp_path / 'mlflow.db'}"
        making = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"from hmdb_kedro.tracking.hooks import make_store; make_store({address!r})",
            ]
        )
        while not (tmp_path / "mlflow.db.half").exists():
            time.sleep(0.01)
            assert making.poll() is None
        time.sleep(0.1)
        making.kill()
        making.wait()
        assert not (tmp_path / "mlflow.db").exists()
        make_store(address)
        assert mlflow.MlflowClient(address).get_experiment_by_name("Default") is not None

    def test_an_address_with_a_query_is_left_to_mlflow(self, tmp_path):
        make_store(f"sqlite:///{tmp_path / 'mlflow.db'}?timeout=60")
        assert list(tmp_path.iterdir()) == []

    def test_a_store_that_is_there_stays_as_it_is(self, tmp_path):
        (tmp_path / "mlflow.db").write_bytes(b"anything")
        make_store(f"sqlite:///{tmp_path / 'mlflow.db'}")
        assert (tmp_path / "mlflow.db").read_bytes() == b"anything"
