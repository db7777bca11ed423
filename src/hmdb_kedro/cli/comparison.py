"""The command that compares MLflow runs."""

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from hmdb_kedro.cli.base import CleanCommand, open_context, project_options
from hmdb_kedro.cli.group import hmdb
from hmdb_kedro.params import check_parameters
from hmdb_kedro.terminal import differences_table, show, side_by_side_table


@hmdb.command(cls=CleanCommand)
@project_options
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it as CSV too."
)
def compare(
    env: str | None,
    conf_source: str | None,
    params: dict[str, Any],
    runs: tuple[str, ...],
    out: Path | None,
) -> None:
    """Compare MLflow runs: settings and figures that differ, with intervals.

    A RUN is an id, its beginning or a name; the run of a whole `kedro run` stands for its models.
    Each is held to the first of its model, or to the first of all.
    """
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds, and this command alone

    from hmdb_kedro.jobs import comparing  # noqa: PLC0415
    from hmdb_kedro.tracking.hooks import choose_store  # noqa: PLC0415

    context = open_context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    client = MlflowClient(choose_store(context))

    @cache
    def catalog_of(split: str) -> Any:
        own = params | {"split": int(split)} if split else params
        return open_context(env, conf_source, own).catalog

    def load(entry: str, split: str, version: str) -> Any:
        return catalog_of(split).load(entry, version=version)

    chosen = comparing.find_runs(client, runs)
    found = [comparing.read_run(client, run, load) for run in chosen]
    apart = comparing.differences(found, draws=known.two_stream.draws, seed=known.seed)
    show(side_by_side_table(comparing.settings_that_differ(found), "Settings that differ"))
    show(side_by_side_table(comparing.figures_side_by_side(found), "Final figures"))
    for _, pair in groupby(apart, key=lambda difference: (difference.run, difference.against)):
        show(differences_table(list(pair)))
    if out is not None:
        comparing.as_rows(found, apart).to_csv(out, index=False)
