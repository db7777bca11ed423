"""Hooks that keep MLflow's runs: a parent a `kedro run`, a child a model, each with its status.

kedro-mlflow owns the parent; everything here hangs below it, and does nothing where it is off.
"""

import atexit
import logging
import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.framework.session.store import BaseSessionStore
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from hmdb_kedro.params import FUSED
from hmdb_kedro.tracking.source import MODELS, PICTURES, SCORES_VERSION, RunSource

if TYPE_CHECKING:
    from mlflow.entities import Run

    from hmdb_kedro.tracking.attachments import Attachments
    from hmdb_kedro.tracking.model_runs import ModelRuns

TESTED = ("top1", "top5", "mean_class_accuracy", "log_loss", "ece")
VALIDATED = ("val_top1", "val_log_loss")
SQLITE = "sqlite:///"
DEFAULT_STORE = f"{SQLITE}mlflow.db"


class ModelTracking:
    """Open the child run of a model around its nodes, and close every run with its true status."""

    def __init__(self) -> None:
        self._context: KedroContext | None = None
        self._source: RunSource | None = None
        self._runs: ModelRuns | None = None
        self._attachments: Attachments | None = None
        self._node: Node | None = None
        self._pid: int | None = None

    @hook_impl(wrapper=True)
    def after_context_created(self, context: KedroContext) -> Generator[None, Any, Any]:
        """Point kedro-mlflow at the project's store, clear of what an interrupted run left."""
        self.abandon("KILLED")
        make_store(choose_store(context))
        plugin = logging.getLogger("kedro_mlflow")
        if plugin.level == logging.INFO:  # set by the plugin itself, after any configuration
            plugin.setLevel(logging.WARNING)
        result = yield
        self._context = context
        return result

    @hook_impl(wrapper=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]
    ) -> Generator[None, Any, Any]:
        """Take over below the parent run that kedro-mlflow opens; end it where that fails."""
        is_ours = _active_run() is None
        _forget_last_parent()
        if self._context is None:
            return (yield)
        # All that takes time is done before there is a run: one that says RUNNING and whose process
        # is not known by its tags yet would say so for ever after a kill.
        from hmdb_kedro.tracking import attachments, model_runs  # noqa: F401, PLC0415 - MLflow

        source = RunSource(self._context, run_params, pipeline, catalog)
        try:
            result = yield
            if (parent := _active_run()) is not None:
                self._take_over(parent, source, is_ours=is_ours)
        except BaseException as error:
            stopped = isinstance(error, KeyboardInterrupt | SystemExit)
            self.abandon(status := "KILLED" if stopped else "FAILED")
            while is_ours and _active_run() is not None:
                sys.modules["mlflow"].end_run(status)
            raise
        return result

    def _take_over(self, parent: "Run", source: RunSource, *, is_ours: bool) -> None:
        from hmdb_kedro.tracking.attachments import Attachments  # noqa: PLC0415 - imports MLflow
        from hmdb_kedro.tracking.model_runs import ModelRuns, mark_dead_runs, tag_run  # noqa: PLC0415

        tag_run(parent, source.tags)
        self._source, self._node, self._pid = source, None, os.getpid()
        self._runs = ModelRuns(
            parent, describe=source.describe, find_earlier=source.stored_run_id, is_ours=is_ours
        )
        if is_ours:
            self._runs.name_parent(source.subject, source.tags)
        self._attachments = Attachments(self._runs, source)
        # Registered after MLflow's own, hence run before it: MLflow's would say FINISHED.
        atexit.unregister(self.abandon)
        atexit.register(self.abandon, "KILLED")
        mark_dead_runs(parent.info.experiment_id)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Close the run of the previous node: its outputs are saved by now."""
        if node is not self._node:
            self._node = node
            if self._runs is not None:
                self._runs.close()

    @hook_impl(wrapper=True)
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> Generator[None, Any, Any]:
        """Open the run of the model that a node works for."""
        self._node = node
        if self._runs is not None:
            self._runs.close()
        result = yield  # kedro-mlflow enters the parent here, and logs the node's parameters
        model = model_of(node)
        if self._runs is not None and self._source is not None and model is not None:
            anew = self._source.trains(model, node)
            self._runs.open(model, anew=anew, resumed=killed_run_id(model, inputs))
        if self._attachments is not None:
            self._attachments.take_inputs(inputs, model)
        return result

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Log what is a model's into its run: figures of all kinds, signature, report, card."""
        if self._runs is None:
            return
        if self._attachments is not None:
            self._attachments.take_output(dataset_name, data, node, model_of(node))
        if dataset_name == "metrics":
            for model in (name for name in data if name in MODELS):
                self._runs.log(model, final_metrics(data[model]))
            if self._attachments is not None and FUSED in data:
                self._attachments.publish()
        model, _, entry = dataset_name.rpartition(".")
        if entry == "cost" and model in MODELS:
            self._runs.log(model, _numbers(data))
        if entry == "scores" and model in MODELS and self._source is not None:
            self._runs.tag(model, SCORES_VERSION, self._source.version)

    @hook_impl(wrapper=True)
    def after_pipeline_run(self) -> Generator[None, Any, Any]:
        """End all runs as FINISHED."""
        if self._runs is not None:
            self._runs.close()
        result = yield
        self.abandon("FINISHED")
        return result

    @hook_impl(wrapper=True)
    def on_pipeline_error(self) -> Generator[None, Any, Any]:
        """End all runs that are open as FAILED, and the run of the model that failed."""
        model = model_of(self._node)
        if self._runs is not None:
            self._runs.close("FAILED")
            if model is not None:
                self._runs.fail(model)
        result = yield
        self.abandon("FAILED")
        return result

    def abandon(self, status: str) -> None:
        """End what is open; nothing where all has ended, or in a forked worker."""
        runs, self._runs, self._attachments = self._runs, None, None
        if runs is not None and self._pid == os.getpid():
            runs.end(status)


TRACKING = ModelTracking()


class TrackedSessions(BaseSessionStore):
    """Close the runs of a session that ends with Ctrl-C, which passes by every hook."""

    def save(self) -> None:
        """End open runs when the session is left with an exception."""
        super().save()
        error = self.get("exception")
        if error is not None:
            stopped = error["type"] in ("KeyboardInterrupt", "SystemExit")
            TRACKING.abandon("KILLED" if stopped else "FAILED")


def model_of(node: Node | None) -> str | None:
    """Return the model whose namespace a node stands in, at any depth."""
    model = ((node.namespace if node else None) or "").partition(".")[0]
    return model if model in MODELS else None


def killed_run_id(model: str, inputs: Mapping[str, Any]) -> str | None:
    """Return the run that a training was killed in, where its node will go on with it."""
    checkpoint = inputs.get(f"{model}.checkpoint")
    if checkpoint is None:
        return None
    from hmdb_kedro.training import resume  # noqa: PLC0415 - imports Keras, as the node has done

    clip_index, pictures = inputs["clip_index"], inputs[PICTURES[model]]
    key = resume.training_key(
        inputs[f"params:{model}"], inputs["params:seed"], clip_index, pictures
    )
    return resume.killed_run_id(checkpoint.part(key))


def final_metrics(scores: Mapping[str, Any]) -> dict[str, float]:
    """Return a model's final metrics under the names all models share in MLflow."""
    numbers = _numbers(scores)
    tested = {f"test_{name}": numbers[name] for name in TESTED if name in numbers}
    return tested | {name: numbers[name] for name in VALIDATED if name in numbers}


def choose_store(context: KedroContext) -> str:
    """Set kedro-mlflow's store: MLFLOW_TRACKING_URI, else `mlflow.yml`, else the project's own.

    A relative SQLite path is taken from the project's folder, wherever the command was given.

    Returns:
        Its address.
    """
    loader = context.config_loader
    try:
        config = dict(loader["mlflow"])
    except (MissingConfigException, KeyError):  # no file, or a loader that looks for none
        config = {}
    server = dict(config.get("server") or {})
    given = os.environ.get("MLFLOW_TRACKING_URI")
    uri = given or server.get("mlflow_tracking_uri") or DEFAULT_STORE
    address = _absolute(uri, context.project_path)
    config["server"] = server | {"mlflow_tracking_uri": address}
    if address.startswith(SQLITE):
        config["tracking"] = _with_artifacts_beside(dict(config.get("tracking") or {}), address)
    loader["mlflow"] = config
    return address


def make_store(address: str) -> None:
    """Make a SQLite store that is not there yet, whole or not at all.

    MLflow makes its tables one after the other, and fails for good on a file that a kill left with
    some of them. Any other store, or one whose address asks for more, is not ours to make.
    """
    if not address.startswith(SQLITE) or "?" in address:
        return
    path = Path(address.removeprefix(SQLITE))
    if path.exists() or not path.parent.is_dir():
        return
    from mlflow import MlflowClient  # noqa: PLC0415 - slow, and kedro-mlflow is about to need it

    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():  # made by another run meanwhile
            return
        half = path.with_name(f"{path.name}.half")
        half.unlink(missing_ok=True)
        MlflowClient(f"{SQLITE}{half.as_posix()}").search_experiments()
        half.replace(path)


def _with_artifacts_beside(tracking: dict[str, Any], address: str) -> dict[str, Any]:
    """Let a new experiment keep its files beside its store: MLflow takes the working directory."""
    experiment = dict(tracking.get("experiment") or {})
    given = dict(experiment.get("create_experiment_kwargs") or {})
    folder = Path(address.removeprefix(SQLITE)).parent / "mlruns"
    given = {"artifact_location": folder.as_uri()} | given
    return tracking | {"experiment": experiment | {"create_experiment_kwargs": given}}


def _absolute(uri: str, project: Path) -> str:
    path = uri.removeprefix(SQLITE)
    return uri if path == uri else f"{SQLITE}{(project / path).as_posix()}"


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _active_run() -> Any:
    mlflow = sys.modules.get("mlflow")
    return None if mlflow is None else mlflow.active_run()


def _forget_last_parent() -> None:
    # The plugin's hook lives as long as the process: in a pipeline whose tracking is disabled, it
    # would go on with the parent of the session before.
    plugin = sys.modules.get("kedro_mlflow.framework.hooks.mlflow_hook")
    if plugin is not None:
        plugin.mlflow_hook.run_id = None
