"""The project's command line: `kedro run` with calm errors, and `kedro hmdb …`."""

# Each module adds its commands to the group when it is imported.
from hmdb_kedro.cli import base, comparison, data, prediction, results, studies
from hmdb_kedro.cli.base import CleanCommand
from hmdb_kedro.cli.group import cli, hmdb, run

__all__ = [
    "CleanCommand",
    "base",
    "cli",
    "comparison",
    "data",
    "hmdb",
    "prediction",
    "results",
    "run",
    "studies",
]
