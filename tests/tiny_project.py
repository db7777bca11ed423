"""A throw-away Kedro project: a model that trains in no time, a fusion, our hooks."""

import sys
from contextlib import chdir, contextmanager
from pathlib import Path

import mlflow
import pytest
from kedro.framework.project import configure_project
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

PACKAGE = "tiny_project_under_test"

_FILES = {
    "pyproject.toml": f"""
        [tool.kedro]
        package_name = "{PACKAGE}"
        project_name = "tiny"
        kedro_init_version = "1.7.0"
        source_dir = "src"
    """,
    ".telemetry": "consent: false",
    "conf/base/parameters.yml": """
        split: 1
        seed: 7
        mode: ok
        spatial: {learning_rate: 0.1, loader_threads: 3}
        frames: {quality: 90, n_jobs: 2}
        flow: {algorithm: dis}
        two_stream: {rule: average}
    """,
    "conf/base/mlflow.yml": """
        server: {mlflow_tracking_uri: "sqlite:///mlflow.db"}
        tracking:
          experiment: {name: tiny}
          disable_tracking: {pipelines: [untracked]}
    """,
    "conf/base/catalog.yml": """
        clip_index: {type: json.JSONDataset, filepath: data/clip_index.json, versioned: true}
        epoch_log: {type: hmdb_kedro.datasets.epoch_log.EpochLog}
        spatial.history: {type: json.JSONDataset, filepath: data/history.json, versioned: true}
        spatial.cost: {type: json.JSONDataset, filepath: data/cost.json, versioned: true}
        spatial.scores: {type: json.JSONDataset, filepath: data/scores.json, versioned: true}
        spatial.protocol: {type: json.JSONDataset, filepath: data/protocol.json, versioned: true}
        absent: {type: json.JSONDataset, filepath: data/absent.json}
        metrics: {type: json.JSONDataset, filepath: data/metrics.json, versioned: true}
        report: {type: json.JSONDataset, filepath: data/report.json}
    """,
    f"src/{PACKAGE}/__init__.py": "",
    f"src/{PACKAGE}/settings.py": """
        from hmdb_kedro.settings import *  # noqa: F403
        from hmdb_kedro.hooks import EntryNotes, Progress, Results
        from hmdb_kedro.tracking import TRACKING

        HOOKS = (EntryNotes(), Progress(), Results(), TRACKING)
    """,
    f"src/{PACKAGE}/cli.py": "from hmdb_kedro.cli import cli, run",
    f"src/{PACKAGE}/pipeline_registry.py": """
        import os
        import signal
        import time
        from pathlib import Path

        from kedro.pipeline import Node, Pipeline

        from hmdb_kedro.errors import UserError

        def index(seed):
            return {"clips": seed}

        def train(clips, params, mode, epoch_log):
            for epoch in range(3):
                epoch_log.log({"loss": 1 / (epoch + 1)}, epoch)
            if mode == "fail":
                raise RuntimeError("a mistake in the code")
            if mode == "refuse":
                raise UserError("The clips are too few. Received: 0.")
            if mode == "interrupt":
                raise KeyboardInterrupt
            if mode == "wait":
                Path("waiting").touch()
                time.sleep(60)
            history = {"run_id": epoch_log.run_id, "run_key": str(params["learning_rate"])}
            return history, {"parameters": 5, "gflops": 0.5, "note": "text"}

        def score(history, mode):
            if mode == "fail in score":
                raise RuntimeError("a mistake in the code")
            return [0.1, 0.9], {"run_key": history["run_key"]}

        def fuse(scores):
            return scores

        def evaluate(scores, fused):
            row = {"top1": 0.5, "log_loss": 1.25, "val_top1": 0.75, "n": 2, "top2": 1.0}
            return {"spatial": row, "two_stream": {**row, "top1": 1.0}}

        def write_report(metrics):
            return f"<p>{metrics['two_stream']['top1']}</p>"

        def register_pipelines():
            data_prep = Pipeline([Node(index, "params:seed", "clip_index", name="index")])
            training = Pipeline([
                Node(train, ["clip_index", "params:spatial", "params:mode", "epoch_log"],
                     ["spatial.history", "spatial.cost"], name="train", namespace="spatial"),
                Node(score, ["spatial.history", "params:mode"],
                     ["spatial.scores", "spatial.protocol"], name="score", namespace="spatial"),
            ])
            fusion = Pipeline([
                Node(fuse, "spatial.scores", "fused", name="fuse", namespace="two_stream"),
                Node(evaluate, ["spatial.scores", "fused"], "metrics", name="evaluate"),
                Node(write_report, "metrics", "report", name="write_report", tags="evaluation"),
            ])
            return {
                "__default__": data_prep + training + fusion,
                "train": data_prep + training,
                "fit": training.only_nodes("spatial.train"),
                "score": training.only_nodes("spatial.score"),
                "fusion_eval": fusion,
                "load_absent": data_prep + training + Pipeline([
                    Node(evaluate, ["spatial.scores", "absent"], "nothing", name="load_absent"),
                ]),
                "untracked": data_prep + training,
            }
    """,
}


def write_project(folder: Path) -> Path:
    """Write the project's files below a folder, and return the folder."""
    for name, text in _FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_dedent(text), encoding="utf-8")
    return folder


@contextmanager
def inside(folder):
    """Work in a project, and leave no trace of it in the process."""
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(sys, "path", [*sys.path])
        _forget_modules()
        bootstrap_project(folder)
        try:
            yield folder
        finally:
            _forget_modules()
            configure_project("hmdb_kedro")
            mlflow.set_tracking_uri(before)


def kedro_run(project, pipeline, *, load_versions=None, only_missing=False, **params):
    with KedroSession.create(project_path=project, runtime_params=params) as session:
        session.run(
            pipeline_names=[pipeline],
            load_versions=load_versions,
            only_missing_outputs=only_missing,
        )


def store(project):
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")


def _forget_modules():
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def _dedent(text: str) -> str:
    lines = text.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
    return "\n".join(line[indent:] if line[:indent].isspace() else line for line in lines) + "\n"
