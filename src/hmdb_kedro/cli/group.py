"""`kedro run` with calm errors, and the group of `kedro hmdb …`."""

import atexit
import gc

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS

from hmdb_kedro.cli.base import CleanCommand
from hmdb_kedro.terminal import VERBOSE

# A command would end with the collector's last look at a million objects, which takes a second;
# the system frees their memory all the same.
atexit.register(gc.freeze)


@click.group(context_settings=CONTEXT_SETTINGS, name=__package__)
def cli() -> None:
    """Commands of this project beside Kedro's own."""


# Every option stays Kedro's own; one is added.
run = CleanCommand(
    name="run",
    callback=kedro_run.callback,
    params=[*kedro_run.params, VERBOSE],
    help=kedro_run.help,
)
cli.add_command(run)


@cli.group(name="hmdb")
def hmdb() -> None:
    """Look at what this project has made."""
