"""A tracking server elsewhere, given by the usual variable: runs and their files land there."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import mlflow
import pytest
from tiny_project import inside, kedro_run, write_project

pytestmark = pytest.mark.extended
PATIENCE_S = 90


@contextmanager
def server(folder, store):
    """Serve a store, and a place for files, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder)]
    command += ["--workers", "1"]
    quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    quiet["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # three processes more
    process = subprocess.Popen(
        command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_run_and_its_files_land_on_the_server(tmp_path, store_address, monkeypatch):
    folder = write_project(tmp_path / "project")
    with server(tmp_path / "files", store_address) as address, inside(folder):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        kedro_run(folder, "__default__")
        client = mlflow.MlflowClient(address)
        experiment = client.get_experiment_by_name("tiny").experiment_id
        runs = {run.info.run_name: run for run in client.search_runs([experiment])}
        assert {run.info.status for run in runs.values()} == {"FINISHED"}
        spatial = runs["spatial split1 seed7"]
        assert spatial.data.metrics["test_top1"] == 0.5
    assert not (folder / "mlruns").exists()
    (report,) = (tmp_path / "files").rglob("report.html")
    assert report.read_text(encoding="utf-8") == "<p>1.0</p>"
