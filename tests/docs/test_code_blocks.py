"""What the documentation tells people to type can be typed."""

import ast
import re
import shlex
from contextlib import suppress

import click
import pytest
import yaml
from clips import REPOSITORY
from code_blocks import ALL, Block
from docs_pages.commands import targets
from kedro.framework.cli.cli import KedroCLI
from kedro.framework.cli.utils import _split_params
from params import base_values

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference.command import make_parser
from hmdb_kedro.params import RootParams, check_parameters
from hmdb_kedro.pipeline_registry import pipeline_names

PROGRAMS = ("kedro", "make", "hmdb-predict", ".venv/bin/kedro")
# Environments that the documentation lets a reader make.
OF_THE_READER = {"mine"}
COMMANDS = [
    pytest.param(line.partition("  #")[0].strip(), id=f"{block}: {line.strip()[:60]}")
    for block in ALL
    if block.language in ("", "sh")
    for line in block.text.splitlines()
    if line.strip().startswith(tuple(f"{name} " for name in PROGRAMS))
]
IN_TEXT = [
    pytest.param(code, id=f"{page.relative_to(REPOSITORY)}: {code}")
    for page in sorted({block.page for block in ALL})
    for code in re.findall(
        r"`((?:kedro|make|hmdb-predict) [a-z][^`\n]*)`", page.read_text(encoding="utf-8")
    )
    if not code.startswith("make `") and "…" not in code
]


@pytest.fixture(scope="module")
def project():
    """Kedro's command line with this project's commands."""
    return KedroCLI(REPOSITORY)


def parsed(group, words):
    """Parse a command as click does, without running it; return its options."""
    context = click.Context(group, info_name="kedro")
    command, words = group, list(words)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command.make_context(command.name, words, parent=context).params


def given(text):
    """Return parameters of a command line as nested values."""
    values = {}
    for key, value in _split_params(None, None, text).items():
        *branches, name = key.split(".")
        target = values
        for branch in branches:
            target = target.setdefault(branch, {})
        target[name] = value
    return values


def merged(values):
    """Lay values over those of conf/base."""
    base = base_values()
    return base | {
        key: base[key] | value if isinstance(value, dict) and key in base else value
        for key, value in values.items()
    }


def check_command(project, command):
    """Check that commands, options, environments, pipelines, parameters and targets exist."""
    words = shlex.split(command)
    if words[0] == "make":
        known = targets((REPOSITORY / "Makefile").read_text(encoding="utf-8"))
        assert {word for word in words[1:] if "=" not in word} <= set(known)
        return
    if words[0] == "hmdb-predict":
        make_parser().parse_args(words[1:])
        return
    options = parsed(project, words[1:])
    environments = {path.name for path in (REPOSITORY / "conf").iterdir()} | OF_THE_READER
    assert (options.get("env") or "base") in environments
    asked = [options.get("pipeline"), *(options.get("pipelines") or [])]
    assert set(filter(None, asked)) <= set(pipeline_names())
    for position, word in enumerate(words):
        if word == "--params":
            check_parameters(merged(given(words[position + 1])))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_can_be_given(project, command):
    check_command(project, command)


@pytest.mark.parametrize("command", IN_TEXT)
def test_a_command_in_the_text_is_there(project, command):
    with suppress(click.MissingParameter):  # a sentence names a command without all that it needs
        check_command(project, command)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "python"], ids=str)
def test_python_compiles(block: Block):
    ast.parse(block.text)


@pytest.mark.parametrize("block", [b for b in ALL if b.language == "yaml"], ids=str)
def test_yaml_holds_known_parameters_or_catalog_entries(block: Block):
    values = yaml.safe_load(block.text)
    for name, value in values.items():
        assert name in RootParams.model_fields or "type" in value
    own = {k: v for k, v in values.items() if "type" not in v}
    check_parameters(merged(own))


@pytest.mark.parametrize("block", ALL, ids=str)
def test_a_block_has_a_language_that_is_tested(block: Block):
    assert block.language in ("", "sh", "python", "yaml", "text")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ("kedro hmdb nothing", AssertionError),
        ("kedro run --pipline flow", click.NoSuchOption),
        ("kedro run --env nowhere", AssertionError),
        ("kedro run --pipelines flows", AssertionError),
        ("kedro run --params flow.algorithm=raft", UserError),
        ("kedro run --params flwo.algorithm=dis", UserError),
        ("make nothing", AssertionError),
        ("hmdb-predict my_recogniser clip.avi --tops 3", SystemExit),
    ],
)
def test_a_wrong_command_would_be_found(project, wrong, error):
    with pytest.raises(error):
        check_command(project, wrong)
