"""The tutorial's commands, word for word, in a copy of the project that has run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clips import REPOSITORY
from code_blocks import blocks
from integration_run import SAMPLE_RUN

pytestmark = pytest.mark.extended

TUTORIAL = REPOSITORY / "docs" / "tutorial.md"
SHELL, PYTHON = (
    "".join(block.text for block in blocks(TUTORIAL) if block.language == language)
    for language in ("sh", "python")
)
FIRST, ACTIVATE, *OTHERS = SHELL.splitlines()


@pytest.fixture(scope="module")
def project(sample_run):
    """Lay the project out beside the data of the sample run, which later tests need unchanged."""
    root = REPOSITORY / ".cache" / "tutorial"
    shutil.rmtree(root, ignore_errors=True)
    # Nothing of all this is ever written again, so that links will do; MLflow's store is.
    for name in ("conf", "src"):
        shutil.copytree(REPOSITORY / name, root / name, copy_function=os.link)
    for name in ("pyproject.toml", ".telemetry"):
        os.link(REPOSITORY / name, root / name)
    shutil.copytree(sample_run.root, root / "data" / "sample", copy_function=os.link)
    shutil.copy(sample_run.root / "mlflow.db", root / "mlflow.db")
    yield root
    shutil.rmtree(root)


def run(project: Path, command: str) -> str:
    """Run a command in a shell, in the environment that is set up, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "200"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        command,
        shell=True,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_first_command_is_the_sample_run_that_all_tests_share():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nrun:")[2].partition("\n\n")[0].replace("$(ENV)", "sample")
    assert re.search(r"(?m)^ENV \?= sample$", makefile)
    assert FIRST == "make run"
    assert f"$(BIN)/kedro {' '.join(SAMPLE_RUN)} $(ARGS)" in recipe


def test_the_other_commands_do_what_the_tutorial_says(project):
    assert ACTIVATE == "source .venv/bin/activate"
    shown, written, averaged, again = [run(project, command) for command in OTHERS]
    product, mean = fusion_in(shown), fusion_in(averaged)
    assert product["top-1"] > 0.85
    assert all(Path(line.partition(": ")[2]).is_file() for line in written.splitlines())
    assert mean == fusion_in(again)
    assert mean["top-1"] < product["top-1"]
    # Of two halves of an answer the mean makes no sure one.
    assert mean["log loss"] > product["log loss"] + 0.5


def test_what_is_typed_in_ipython_gives_what_the_tutorial_says(sample_run):
    known = {"catalog": sample_run.catalog()}
    exec(PYTHON, known)
    first = known["frames"][known["frames"].clip_ids[0]]
    fields = known["flow"][known["flow"].clip_ids[0]]
    assert (first.ndim, str(first.dtype), first.shape[-1]) == (4, "uint8", 3)
    assert (fields.ndim, str(fields.dtype), fields.shape[-1]) == (4, "float32", 2)
    assert len(fields) == len(first) - 1


def fusion_in(shown: str) -> dict[str, float]:
    """Read the row of both streams in the last table shown."""
    row = re.findall(r"two_stream[^\d\n]+([^\n]+)", shown)[-1]
    top1, _, _, log_loss = re.findall(r"\d+\.\d+", row)[:4]
    return {"top-1": float(top1), "log loss": float(log_loss)}
