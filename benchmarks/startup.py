"""What a start costs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.sample import RenderedVideos

REPOSITORY = Path(__file__).parents[1]
RUNS = 3
_BARE = {
    "pyproject.toml": (
        '[tool.kedro]\npackage_name = "bare"\nproject_name = "bare"\nkedro_init_version = "1.7.0"\n'
    ),
    ".telemetry": "consent: false\n",
    "conf/base/mlflow.yml": "server:\n  mlflow_tracking_uri: sqlite:///mlflow.db\n",
    "conf/base/parameters.yml": "number: 1\n",
    "conf/base/catalog.yml": "result:\n  type: MemoryDataset\n",
    "conf/local/.gitkeep": "",
    "src/bare/__init__.py": "",
    "src/bare/settings.py": 'DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)\n',
    "src/bare/pipeline_registry.py": (
        "from kedro.pipeline import Node, Pipeline\n\n\n"
        # Kedro refuses to run no node at all.
        "def register_pipelines():\n"
        '    return {"__default__": Pipeline([Node(lambda: 1, None, "result", name="nothing")])}\n'
    ),
}


def startup(folder: Path) -> Iterator[Measurement]:
    """Compare `data_prep` with nothing to do with an empty pipeline of a bare project."""
    for name, text in _BARE.items():
        file = folder / "bare" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    RenderedVideos(path=str(folder / "data" / "01_raw" / "videos")).load()
    ours = [
        "run",
        "--env",
        "sample",
        "--pipelines",
        "data_prep",
        "--params",
        f"data_root={folder / 'data'}",
    ]
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    _seconds(REPOSITORY, ours, store)
    _seconds(folder / "bare", ["run"], {})
    ours_s = min(_seconds(REPOSITORY, ours, store) for _ in range(RUNS))
    bare_s = min(_seconds(folder / "bare", ["run"], {}) for _ in range(RUNS))
    details = {"ours_s": ours_s, "bare_s": bare_s}
    yield Measurement("startup", ours_s / bare_s, None, 1.5, details)


def _seconds(project: Path, arguments: list[str], environment: dict[str, str]) -> float:
    command = [sys.executable, "-m", "kedro", *arguments]
    start = time.perf_counter()
    subprocess.run(
        command, cwd=project, env={**os.environ, **environment}, capture_output=True, check=True
    )
    return time.perf_counter() - start


BENCHMARKS: dict[str, Benchmark] = {"startup": startup}
