"""The MLflow runs of one `kedro run`: a parent, and below it a child a model."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from hmdb_kedro.tracking.provenance import is_dead

_STOPPED = ("FAILED", "KILLED")
_PARENT = "mlflow.parentRunId"
_INHERITED = ("mlflow.user", "mlflow.source.name", "mlflow.source.type")


@dataclass
class _Child:
    run_id: str
    earlier: Run | None  # as an earlier session left it; None where this one made it
    is_closed: bool = False


class ModelRuns:
    """Open, close and write the children of one parent run."""

    def __init__(
        self,
        parent: Run,
        *,
        describe: Callable[[str], tuple[dict[str, str], dict[str, str]]],
        find_earlier: Callable[[str], str | None],
        is_ours: bool = True,
    ) -> None:
        """Take over below a parent run that is active already.

        Args:
            parent: The run of the whole `kedro run`.
            describe: Parameters and tags of a model, written when its run is made.
            find_earlier: The run id an earlier session stored for a model, if any.
            is_ours: Whether the parent ends with the session; not where a user opened it.
        """
        self.client = mlflow.MlflowClient()
        self._parent = parent
        self._describe = describe
        self._find_earlier = find_earlier
        self._is_ours = is_ours
        self._children: dict[str, _Child] = {}
        self._here = threading.local()  # MLflow's stack of active runs is one a thread
        self._lock = threading.RLock()

    def name_parent(self, subject: str, tags: Mapping[str, str]) -> None:
        """Name the run of the whole session: what ran, in which environment, split and seed."""
        told = f"{subject.replace('__default__', 'all')} {tags['env']}"
        self.client.update_run(self._parent.info.run_id, name=run_name(told, tags))

    def open(self, model: str, *, anew: bool, resumed: str | None = None) -> None:
        """Make the run of a model the active one.

        Args:
            model: One of the models.
            anew: Whether the model is trained now: then no earlier run is gone on with,
            resumed: but the one in which this training was killed.
        """
        if anew and resumed is not None:
            self._adopt(model, resumed)
        child = self._child(model, anew=anew)
        mlflow.start_run(run_id=child.run_id, nested=True)
        child.is_closed = False
        self._here.child = child

    def close(self, status: str = "FINISHED") -> None:
        """End the run that `open` made active in this thread, if there is one."""
        child: _Child | None = getattr(self._here, "child", None)
        if child is None:
            return
        self._here.child = None
        while (active := mlflow.active_run()) and active.info.run_id != child.run_id:
            mlflow.end_run(status)  # left open by the node itself
        mlflow.end_run(status)
        self._terminate(child, status)

    def fail(self, model: str) -> None:
        """Mark a model whose next step could not even start."""
        if model in self._children:
            self._terminate(self._children[model], "FAILED")

    def log(self, model: str, metrics: Mapping[str, float]) -> None:
        """Write final metrics into the run of a model, be it open or not."""
        now = time.time_ns() // 1_000_000
        points = [Metric(name, float(value), now, 0) for name, value in metrics.items()]
        self.client.log_batch(self._child(model, anew=False).run_id, metrics=points)

    def tag(self, model: str, key: str, value: str) -> None:
        """Tag the run of a model, be it open or not."""
        self.client.set_tag(self._child(model, anew=False).run_id, key, value)

    def run_id(self, model: str | None) -> str:
        """Return the run that takes what is about a model: the parent where it has none here."""
        child = self._children.get(model or "")
        return child.run_id if child else str(self._parent.info.run_id)

    def end(self, status: str) -> None:
        """End every run that is still open, the parent included where it is ours."""
        self.close(status)
        for child in self._children.values():
            if not child.is_closed:
                self._terminate(child, status)
        while self._is_ours and mlflow.active_run():
            mlflow.end_run(status)

    def _child(self, model: str, *, anew: bool) -> _Child:
        with self._lock:
            child = self._children.get(model)
            if child is None or (anew and child.earlier is not None):
                earlier = None if anew else self._usable(self._find_earlier(model))
                run_id = earlier.info.run_id if earlier else self._create(model)
                child = self._children[model] = _Child(run_id, earlier, is_closed=bool(earlier))
            return child

    def _adopt(self, model: str, run_id: str) -> None:
        """Make the run of a killed training a child of this parent, made by this process."""
        with self._lock:
            if model in self._children or self._usable(run_id) is None:
                return
            tags = self._describe(model)[1] | {_PARENT: self._parent.info.run_id}
            entities = [RunTag(key, value) for key, value in tags.items()]
            self.client.log_batch(run_id, tags=entities)
            self._children[model] = _Child(run_id, earlier=None)

    def _usable(self, run_id: str | None) -> Run | None:
        if run_id is None:
            return None
        try:
            run = self.client.get_run(run_id)
        except MlflowException:
            return None  # another store, or deleted for good
        usable = run.info.lifecycle_stage == "active"
        same_experiment = run.info.experiment_id == self._parent.info.experiment_id
        return run if usable and same_experiment else None

    def _create(self, model: str) -> str:
        params, tags = self._describe(model)
        inherited = {key: self._parent.data.tags.get(key) for key in _INHERITED}
        tags = {key: value for key, value in inherited.items() if value} | tags
        run = self.client.create_run(
            self._parent.info.experiment_id,
            run_name=run_name(model, tags),
            tags={**tags, _PARENT: self._parent.info.run_id},
        )
        self.client.log_batch(
            run.info.run_id, params=[Param(key, value) for key, value in params.items()]
        )
        return str(run.info.run_id)

    def _terminate(self, child: _Child, status: str) -> None:
        child.is_closed = True
        if child.earlier is None:
            self.client.set_terminated(child.run_id, status)
        else:  # its training ended when it ended, whatever happens to a later look at it
            info = child.earlier.info
            # What stopped after the training is done now.
            mended = status == "FINISHED" and info.status in _STOPPED
            left = status if mended else info.status
            self.client.set_terminated(child.run_id, left, info.end_time)


def run_name(subject: str, tags: Mapping[str, str]) -> str:
    """Return a name that tells runs apart where they stand side by side."""
    known = [f"{key}{tags[key]}" for key in ("split", "seed") if key in tags]
    return " ".join([subject, *known])


def mark_dead_runs(experiment_id: str) -> None:
    """Set runs to KILLED that say RUNNING but whose process is gone."""
    client = mlflow.MlflowClient()
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'"):
        if is_dead(run.data.tags):
            client.set_terminated(run.info.run_id, "KILLED")


def tag_run(run: Run, tags: Mapping[str, str]) -> None:
    """Set several tags of a run at once."""
    client = mlflow.MlflowClient()
    client.log_batch(run.info.run_id, tags=[RunTag(key, value) for key, value in tags.items()])
