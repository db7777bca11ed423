"""Commands about the data: what extraction will take, and what may go."""

import shutil
from pathlib import Path
from typing import Any

import click

from hmdb_kedro.cli.base import CleanCommand, data_root, open_context, project_options
from hmdb_kedro.cli.group import hmdb
from hmdb_kedro.params import check_parameters
from hmdb_kedro.terminal import plan_table, show, stale_table


@hmdb.command(cls=CleanCommand)
@project_options
@click.option("--clips", default=5, show_default=True, type=click.IntRange(1), help="Clips to try.")
def plan(env: str | None, conf_source: str | None, params: dict[str, Any], clips: int) -> None:
    """Time every step on a few clips, and say what the whole set will take."""
    from hmdb_kedro.extraction import planning  # noqa: PLC0415 - seconds, and this command alone

    context = open_context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    found = list(context.catalog.load("raw_videos").values())
    work, estimates = planning.plan(found, known.frames, known.flow, clips)
    free = shutil.disk_usage(_existing(data_root(context)))
    show(plan_table(work, estimates, free.free / 1e9))


@hmdb.command(cls=CleanCommand)
@project_options
@click.option("--keep", required=True, type=click.IntRange(1), help="Versions that stay, of each.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(
    env: str | None, conf_source: str | None, params: dict[str, Any], keep: int, yes: bool
) -> None:
    """Drop old versions of tables, models and reports, and compact the tables."""
    from hmdb_kedro.jobs import maintenance  # noqa: PLC0415

    root = data_root(open_context(env, conf_source, params))
    stale = maintenance.find_stale(root, keep)
    show(stale_table(stale, root))
    if not stale or not (yes or click.confirm("Remove them?")):
        return
    for entry in stale:
        maintenance.remove(entry)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
