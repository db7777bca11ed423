"""Kedro in a process of its own, on data of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clips import REPOSITORY

# What `make run` runs: the command of the tutorial.
SAMPLE_RUN = ("run", "--env", "sample")


@dataclass(frozen=True)
class Run:
    """A finished `kedro run --env sample`: where its data are, what it printed, how to go on."""

    root: Path
    output: str

    @property
    def tracking_uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def kedro(self, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run kedro on the same data and the same tracking store."""
        return kedro(self.root, *arguments, **changes)

    def catalog(self) -> Any:
        """Return the catalog of the sample environment over this run's data."""
        from kedro.framework.session import KedroSession  # noqa: PLC0415
        from kedro.framework.startup import bootstrap_project  # noqa: PLC0415

        bootstrap_project(REPOSITORY)
        with KedroSession.create(
            REPOSITORY, env="sample", runtime_params={"data_root": str(self.root)}
        ) as session:
            return session.load_context().catalog


def kedro(root: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run kedro with a tracking store below a folder."""
    return subprocess.run(
        ["kedro", *arguments],
        cwd=REPOSITORY,
        env=_environment(root) | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def start_kedro(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start kedro in a process to be killed: itself, not a shell or a launcher around it."""
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=REPOSITORY,
        env=_environment(root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _environment(root: Path) -> dict[str, str]:
    return {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow.db'}",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
