"""What MLflow's server makes of the cores: eight clients for a minute, against one.

On the models of a finished run, as `benchmarks.inference`.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from benchmarks.inference import sample_clip, sample_export
from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.inference.exported import read_export

N_CLIENTS = 8
ALONE_S, TOGETHER_S, WARM_S = 20.0, 60.0, 5.0
START_S = 120.0


def serve_throughput(folder: Path) -> Iterator[Measurement]:
    """Compare the answers a second of eight clients with those of one client a core."""
    from hmdb_kedro.serving.saving import save_scoring_model  # noqa: PLC0415 - imports MLflow

    save_scoring_model(read_export(sample_export(folder)), folder / "model")
    video = base64.b64encode(sample_clip().read_bytes()).decode()
    body = json.dumps({"dataframe_records": [{"video": video}]})
    with _served(folder) as (process, port):
        _load(port, body, N_CLIENTS, WARM_S)
        alone, _, _ = _load(port, body, 1, ALONE_S)
        before = _memory(process.pid)
        together, latencies, n_failed = _load(port, body, N_CLIENTS, TOGETHER_S)
        after = _memory(process.pid)
    n_cores = os.cpu_count() or 1
    details = {"one_client_per_s": alone, "eight_clients_per_s": together}
    yield Measurement("serve_throughput", together / (alone * n_cores), 0.8, None, details)
    yield Measurement("serve_failures", n_failed, None, 0)
    yield Measurement("serve_p99_ms", 1e3 * float(np.percentile(latencies, 99)))
    memory = {"before_mb": before / 1e6, "after_mb": after / 1e6}
    yield Measurement("serve_memory_growth", after / before, None, 1.1, memory)


@contextmanager
def _served(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = ["-m", str(folder / "model"), "--env-manager", "local", "-h", "127.0.0.1"]
    command = [sys.executable, "-m", "mlflow", "models", "serve", *given, "-p", str(port)]
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"PATH": beside},
        )
        try:
            _wait_for(port)
            yield process, port
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.2)
    sys.exit("The server does not answer.")


def _load(port: int, body: str, n_clients: int, seconds: float) -> tuple[float, list[float], int]:
    """Return the answers a second, the seconds of each, and how many were none."""
    end = time.monotonic() + seconds

    def client(_: int) -> tuple[list[float], int]:
        connection = HTTPConnection("127.0.0.1", port)
        spent, n_failed = [], 0
        while (start := time.monotonic()) < end:
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            spent.append(time.monotonic() - start)
            n_failed += answer.status != 200
        connection.close()
        return spent, n_failed

    start = time.monotonic()
    with ThreadPoolExecutor(n_clients) as clients:
        found = list(clients.map(client, range(n_clients)))
    latencies = [each for spent, _ in found for each in spent]
    return len(latencies) / (time.monotonic() - start), latencies, sum(n for _, n in found)


def _memory(pid: int) -> int:
    """Return what a process and all below it hold for themselves, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(_memory(int(child)) for child in children)


BENCHMARKS: dict[str, Benchmark] = {"serve_throughput": serve_throughput}
