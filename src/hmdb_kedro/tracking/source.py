"""What the MLflow run of a model says about where it comes from."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from kedro.framework.context import KedroContext
from kedro.io import CatalogProtocol, DatasetError
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from hmdb_kedro.params import FUSED, TemporalParams, models_of
from hmdb_kedro.params import MODELS as TRAINED_MODELS
from hmdb_kedro.pipeline_registry import ORDER
from hmdb_kedro.tracking.provenance import git_tags, process_tags

if TYPE_CHECKING:
    from hmdb_kedro.inference.exported import Exported

MODELS = (*TRAINED_MODELS, FUSED)
# The tag of a model's run that says which of the stored scores are its own.
SCORES_VERSION = "scores_version"

# How work is spread says nothing about a result.
_WORKER_FIELDS = {"n_jobs", "backend", "batch_clips", "loader_threads", "devices"}
# The table that a model is trained on.
PICTURES = dict.fromkeys(TRAINED_MODELS, "frames") | dict.fromkeys(
    models_of(TemporalParams), "flow"
)
# What a model's numbers rest on: parameter branches, and tables by their version.
_BRANCHES = {model: (table,) for model, table in PICTURES.items()} | {
    FUSED: ("frames", "flow"),
}


class RunSource:
    """Parameters, tags and earlier runs of the models of one session."""

    def __init__(
        self,
        context: KedroContext,
        run_params: Mapping[str, Any],
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
    ) -> None:
        """Read what is the same for all models.

        Args:
            context: The project's, for its parameters and environment.
            run_params: What Kedro's hooks get: load versions, options.
            pipeline: The nodes that run.
            catalog: Where versions and the ids of earlier runs are read from.
        """
        names = run_params.get("pipeline_names") or ["__default__"]
        known = [*ORDER, *sorted(set(names) - set(ORDER))]
        self.subject = ", ".join(name for name in known if name in names)
        self.version: str = run_params["run_id"]  # that all of the session is saved under
        self._params = context.params
        self._catalog = catalog
        self._load_versions = run_params.get("load_versions") or {}
        # With --only-missing-outputs the runner alone knows which of the nodes will run.
        self._made = set() if run_params.get("only_missing_outputs") else pipeline.all_outputs()
        self._read = pipeline.all_inputs() - self._made
        self.tags = {
            **{key: str(value) for key, value in self._split_and_seed().items()},
            "env": context.env or "base",
            **self._flow_algorithm(),
            **git_tags(context.project_path),
            **process_tags(),
        }

    def trains(self, model: str, node: Node) -> bool:
        """Tell whether a model is trained in this session, so that its run is a new one."""
        history = f"{model}.history"
        return model == FUSED or history in self._made or history in node.outputs

    def describe(self, model: str) -> tuple[dict[str, str], dict[str, str]]:
        """Return the parameters and tags of a model's run."""
        params = self._split_and_seed()
        params |= _fields(self._params.get(model, {}))
        for branch in _BRANCHES[model]:
            fields = _fields(self._params.get(branch, {}))
            params |= {f"{branch}.{key}": value for key, value in fields.items()}
        tags = {"model": model, **self.tags}
        for entry in ("clip_index", *_BRANCHES[model]):
            version = self._load_version(entry)
            tags |= {f"data_version.{entry}": version} if version else {}
        if "flow" not in _BRANCHES[model]:
            tags.pop("flow_algorithm", None)
        tags |= self.data_version() | self._protocol(model)
        return {key: str(value) for key, value in params.items()}, tags

    def data_version(self) -> dict[str, str]:
        """Return the tag that says which version of the clips is used, once there is one."""
        version = self._load_version("clip_index")
        return {"data_version": version} if version else {}

    def place(self, entry: str) -> str:
        """Return where the catalog keeps an entry, without its version."""
        dataset = self._catalog.get(entry)
        found = getattr(dataset, "_uri", None) or getattr(dataset, "_filepath", entry)
        return str(found)

    def tables(self, model: str) -> dict[str, str]:
        """Return the tables that a model is made from, and their versions."""
        found = {table: self._load_version(table) for table in _BRANCHES[model]}
        return {table: version for table, version in found.items() if version}

    def stored_run_id(self, model: str) -> str | None:
        """Return the run id that a training left in its `history`.

        It is the training of the scores that are read here, or of the newest model where none are:
        a model may have been trained since then, and not been scored.
        """
        name, scores = f"{model}.history", f"{model}.scores"
        chosen = self._load_versions.get(name)
        # Scores of a chosen version belong to the training of that version, unless they say that
        # another one made them.
        version = chosen or self._load_versions.get(scores)
        history = self._stored(name, version)
        if chosen is None and scores in self._read:
            key = self._stored(f"{model}.protocol", self._load_versions.get(scores)).get("run_key")
            if key and history.get("run_key", key) != key:
                older = (self._stored(name, version) for version in self._versions(name))
                history = next((found for found in older if found.get("run_key") == key), {})
        run_id = history.get("run_id")
        return None if run_id is None else str(run_id)

    def exported(self) -> "Exported":
        """Return what the fused model is made of: the networks of the scores that were fused.

        Raises:
            UserError: Something of it is missing.
        """
        from hmdb_kedro.jobs.predicting import exported_of  # noqa: PLC0415 - imports OpenCV

        chosen = {name: self._load_versions.get(f"{name}.scores") for name in TRAINED_MODELS}
        versions = {name: version for name, version in chosen.items() if version}
        return exported_of(self._catalog, versions=versions)

    def _stored(self, name: str, version: str | None) -> Mapping[str, Any]:
        """Return a JSON entry, empty where there is none."""
        try:
            if name not in self._catalog or not self._catalog.exists(name):
                return {}
            found: Mapping[str, Any] = self._catalog.load(name, version=version)
        except DatasetError:
            return {}
        return found

    def _versions(self, name: str) -> list[str]:
        """Return the versions of an entry that are there, newest first."""
        dataset = self._catalog.get(name)
        if not isinstance(dataset, AbstractVersionedDataset):
            return []
        files = dataset._glob_function(str(dataset._get_versioned_path("*")))
        return sorted((PurePath(file).parent.name for file in files), reverse=True)

    def _split_and_seed(self) -> dict[str, Any]:
        names: tuple[str, ...] = ("split", "seed")
        return {name: self._params[name] for name in names if name in self._params}

    def _flow_algorithm(self) -> dict[str, str]:
        algorithm = _fields(self._params.get("flow", {})).get("algorithm")
        return {"flow_algorithm": str(algorithm)} if algorithm else {}

    def _protocol(self, model: str) -> dict[str, str]:
        """Return through how many views a clip is scored, of each stream."""
        own = _fields(self._params.get(model, {}))
        seen = {name: _fields(self._params.get(name, {})) for name in own.get("streams", [model])}
        views = [
            f"{name}: {how['test_views']} views × {how['test_crops']}"
            for name, how in seen.items()
            if "test_views" in how
        ]
        return {"protocol": ", ".join(views)} if views else {}

    def _load_version(self, name: str) -> str | None:
        dataset = self._catalog.get(name) if name in self._catalog else None
        if not isinstance(dataset, AbstractVersionedDataset):
            return None
        try:
            return dataset.resolve_load_version()
        except DatasetError:
            return None  # nothing made yet


def _fields(branch: Any) -> dict[str, Any]:
    fields = branch.model_dump() if hasattr(branch, "model_dump") else dict(branch)
    return {key: value for key, value in fields.items() if key not in _WORKER_FIELDS}
