"""Commands that show what a finished run has made."""

from typing import Any

import click
from kedro.framework.project import pipelines
from kedro.runner import SequentialRunner

from hmdb_kedro.cli.base import CleanCommand, open_context, project_options
from hmdb_kedro.cli.group import hmdb
from hmdb_kedro.errors import UserError
from hmdb_kedro.terminal import results_table, show


@hmdb.command(cls=CleanCommand)
@project_options
def results(env: str | None, conf_source: str | None, params: dict[str, Any]) -> None:
    """Show the table of the last stored metrics."""
    context = open_context(env, conf_source, params)
    if not context.catalog.exists("metrics"):
        chosen = f" --env {env}" if env else ""
        raise UserError(f"There are no metrics yet. Do: kedro run{chosen}")
    show(results_table(context.catalog.load("metrics")))


@hmdb.command(cls=CleanCommand)
@project_options
def report(env: str | None, conf_source: str | None, params: dict[str, Any]) -> None:
    """Write the report and the model card anew from a finished run, and say where they are."""
    context = open_context(env, conf_source, params)
    pipelines.set_requested(["fusion_eval"])
    writing = pipelines["fusion_eval"].only_nodes("write_report")
    missing = sorted(name for name in writing.inputs() if not context.catalog.exists(name))
    if missing:
        chosen = f" --env {env}" if env else ""
        raise UserError(
            f"A report needs the results of a finished run. Received: {len(missing)} entries are "
            f"missing, {missing[0]} for one. Do: kedro run{chosen}"
        )
    SequentialRunner().run(writing, context.catalog)
    for name in sorted(writing.outputs()):
        click.echo(f"{name}: {context.catalog[name]._get_load_path()}")


@hmdb.command(cls=CleanCommand)
@project_options
def runs(env: str | None, conf_source: str | None, params: dict[str, Any]) -> None:
    """Say where MLflow's page shows the runs: by itself it opens on language models."""
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds

    from hmdb_kedro.tracking.hooks import choose_store  # noqa: PLC0415

    context: Any = open_context(env, conf_source, params)  # with what kedro-mlflow hangs on it
    config, store = context.mlflow, choose_store(context)
    experiment = MlflowClient(store).get_experiment_by_name(config.tracking.experiment.name)
    if experiment is None:
        chosen = f" --env {env}" if env else ""
        raise UserError(f"There are no runs yet. Received: {store}. Do: kedro run{chosen}")
    page = store if store.startswith("http") else f"http://{config.ui.host}:{config.ui.port}"
    place = f"#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    click.echo(f"The runs: {page.rstrip('/')}/{place}")
