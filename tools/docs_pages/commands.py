"""The commands' page: make, `kedro hmdb …` and `kedro run`, as they describe themselves."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from hmdb_kedro import cli

_TARGET = re.compile(r"^(?P<name>[a-z-]+):.*?## (?P<help>.+)$", re.MULTILINE)
_HEAD = """# Commands

## make

Each sets up what it needs first, in `.venv`. `make run ENV=small` takes another environment,
`ARGS="…"` adds options of `kedro run`.

"""
_RUN = """
## kedro run

Kedro's own command, with errors in one line. A run in progress may be stopped or killed: the same
command goes on.

"""


def page(repository: Path) -> str:
    """Return the page."""
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    rows = [f"| `make {name}` | {text} |" for name, text in targets(makefile).items()]
    parts = [_HEAD + "\n".join(["| target | what it does |", "|---|---|", *rows]) + "\n"]
    parts += [f"\n## kedro hmdb {name}\n\n" + describe(name) for name in sorted(cli.hmdb.commands)]
    return "\n".join(parts) + _RUN + "\n".join(_options(cli.run)) + "\n"


def targets(makefile: str) -> dict[str, str]:
    """Return the targets that explain themselves."""
    return {found["name"]: found["help"] for found in _TARGET.finditer(makefile)}


def describe(name: str) -> str:
    """Return usage, help and options of a command below `kedro hmdb`."""
    command = cli.hmdb.commands[name]
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    # Indented, all lines but the first would be a block of code.
    text = inspect.cleandoc(command.help or "")
    parts = [f"    kedro hmdb {name} {usage}", "", *text.splitlines(), ""]
    return "\n".join([*parts, *_options(command)]) + "\n"


def _options(command: click.Command) -> Iterator[str]:
    yield "| option | what it does |"
    yield "|---|---|"
    context = click.Context(command)
    for option in command.params:
        record = option.get_help_record(context)
        if record and record[1]:  # an argument is explained by the command itself
            names, text = (" ".join(part.split()).replace("|", "\\|") for part in record)
            yield f"| `{names}` | {text} |"
