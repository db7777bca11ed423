"""What happens around a run: parameters checked, runs tracked, progress and results shown."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from filelock import FileLock
from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol, DatasetError
from kedro.io.core import AbstractVersionedDataset
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from hmdb_kedro.datasets.locks import lock_table
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import RootParams, check_parameters
from hmdb_kedro.terminal import results_table, show
from hmdb_kedro.tracking import TRACKING, TrackedSessions

logger = logging.getLogger(__name__)

_WEIGHTS = "pretrained_weights"
_ENV_OF_MAKE = "sample"


class EarlyChecks:
    """Stop before any node runs where a parameter is wrong, or what it asks for is not there."""

    def __init__(self) -> None:
        self._params: RootParams | None = None

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: KedroContext) -> None:
        """Check all parameters, those of pipelines that do not run included.

        Raises:
            UserError: One line that names each wrong key.
        """
        self._params = check_parameters(dict(context.config_loader["parameters"]))

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any], run_params: Mapping[str, Any]
    ) -> None:
        """Try what trainings start from: they may begin hours after the extraction.

        Raises:
            UserError: It is not there, or it is of another network.
        """
        # A model that is there already does without.
        spares = bool(run_params.get("only_missing_outputs"))
        models = {
            node.namespace
            for node in pipeline.nodes
            if _WEIGHTS in node.inputs and not (spares and all(map(catalog.exists, node.outputs)))
        }
        if self._params is None or not models:
            return
        # Keras is loaded already where a model is to be trained.
        from hmdb_kedro.models import trial  # noqa: PLC0415

        weights = catalog.load(_WEIGHTS)
        for model in models:
            params = getattr(self._params, str(model))
            if params.init_from is not None:
                trial.try_start(params, weights.earlier_model(params.init_from))
            elif model == "spatial":
                trial.try_spatial(params, weights.find(params))
            elif params.architecture == "resnet50":
                trial.try_temporal(params, weights.find_resnet50(params))


class TableLocks:
    """Let one run at a time write a table: two would do, and add, the same clips twice."""

    def __init__(self) -> None:
        self._held: list[FileLock] = []

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> None:
        """Take the lock of every table that is written.

        Raises:
            UserError: Another run holds one, or its folder cannot be written.
        """
        self.release()  # what a session of this process left that was never closed
        try:
            for name in sorted(pipeline.all_outputs()):
                file = getattr(catalog.get(name), "lock_file", None)
                if file is not None:
                    self._held.append(lock_table(name, file))
        except UserError:
            self.release()
            raise

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Let others write."""
        self.release()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Let others write."""
        self.release()

    def release(self) -> None:
        """Let go of all locks; nothing where none is held."""
        while self._held:
            self._held.pop().release()


class EntryNotes:
    """Note on an error which catalog entry it is about: Kedro's own message does not say."""

    def __init__(self) -> None:
        self._entry: str | None = None

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str) -> None:
        """Remember what is being loaded."""
        self._entry = dataset_name

    @hook_impl
    def after_dataset_loaded(self) -> None:
        """Forget it: what fails from here on is not this entry."""
        self._entry = None

    @hook_impl
    def before_dataset_saved(self, dataset_name: str) -> None:
        """Remember what is being saved."""
        self._entry = dataset_name

    @hook_impl
    def after_dataset_saved(self) -> None:
        """Forget it."""
        self._entry = None

    @hook_impl
    def on_pipeline_error(self, error: Exception, catalog: CatalogProtocol[Any, Any]) -> None:
        """Add the note, with the entry's path where it has one."""
        entry, self._entry = self._entry, None
        if entry is None or not isinstance(error, DatasetError):
            return
        path = getattr(catalog.get(entry), "_filepath", None)
        error.add_note(f"Catalog entry `{entry}`{f' ({path})' if path else ''}:")


class Progress:
    """Say which node runs, and how many there are."""

    def __init__(self) -> None:
        self._total = 0
        self._started = 0

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Count the nodes."""
        self._total, self._started = len(pipeline.nodes), 0

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Log the node's number and name."""
        self._started += 1
        logger.info("Step %d of %d: %s", self._started, self._total, node.name)


class Results:
    """Show the results table when a run has saved `metrics`, and where all of it is."""

    def __init__(self) -> None:
        self._metrics: Mapping[str, Any] | None = None
        self._begun = 0.0
        self._chosen = ""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember the environment as `make` takes it, unless it is what `make` takes anyway."""
        env = context.env or getattr(context.config_loader, "default_run_env", "base")
        self._chosen = "" if env == _ENV_OF_MAKE else f" ENV={env}"

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget the results of an earlier session."""
        self._metrics, self._begun = None, time.monotonic()

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Keep what was saved as `metrics`."""
        if dataset_name == "metrics":
            self._metrics = data

    @hook_impl
    def after_pipeline_run(self, catalog: CatalogProtocol[Any, Any]) -> None:
        """Show them, and where to look next."""
        seconds = time.monotonic() - self._begun
        if self._metrics is not None:
            show(results_table(self._metrics))
            for entry, title in (("report", "Report"), ("model_card", "Model card")):
                _say_where(catalog, entry, title)
            make = {name: f"make {name}{self._chosen}" for name in ("viz", "mlflow", "demo")}
            logger.info(
                "Pipelines, their data and figures: %(viz)s. Runs: %(mlflow)s. The recogniser "
                "as a page: %(demo)s, as a server: make serve.",
                make,
            )
        logger.info("Done in %d min %02d s.", *divmod(round(seconds), 60))


def _say_where(catalog: CatalogProtocol[Any, Any], entry: str, title: str) -> None:
    dataset = catalog.get(entry) if entry in catalog else None
    if isinstance(dataset, AbstractVersionedDataset) and dataset.exists():
        logger.info("%s: %s", title, dataset._get_load_path())


LOCKS = TableLocks()


class Sessions(TrackedSessions):
    """Let go of the tables of a session that ends with Ctrl-C, or before its first node."""

    def save(self) -> None:
        """Release the locks when the session is left with an exception."""
        try:
            super().save()
        finally:
            if self.get("exception") is not None:
                LOCKS.release()


# Of two hooks, the one that stands later goes first: checks before locks.
HOOKS = (LOCKS, EarlyChecks(), EntryNotes(), Progress(), Results(), TRACKING)
