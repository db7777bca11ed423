"""MLflow's own server with a two-stream model, met by good, bad, cut and many requests."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from clips import moving_clip, write_clip

pytestmark = pytest.mark.extended
N_CLIENTS = 100
PATIENCE_S = 60


@dataclass(frozen=True)
class Server:
    """A server that listens on loopback."""

    process: subprocess.Popen
    port: int
    temporary: Path
    videos: Path

    def ask(self, path, body=None, kind="application/json"):
        """Return the status and the text of an answer: to a GET without a body, else to a POST."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, path, body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def score(self, *videos, **params):
        """Return the status and the content of the answer to rows of videos."""
        rows = {"dataframe_records": [{"video": video} for video in videos]}
        status, text = self.ask("/invocations", json.dumps(rows | {"params": params}))
        return status, json.loads(text)

    def memory(self):
        """Return what the server and its workers hold for themselves, in bytes."""
        return sum(_private_bytes(pid) for pid in _family(self.process.pid))


@pytest.fixture(scope="module")
def server(saved, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "temporary").mkdir()
    write_clip(folder / "videos" / "wave.avi", moving_clip(3, 0, n_frames=12))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["-m", "mlflow", "models", "serve", "-m", str(saved), "--env-manager", "local"]
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, *command, "-h", "127.0.0.1", "-p", str(port)],
        env=_environment(folder),
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    found = Server(process, port, folder / "temporary", folder / "videos")
    try:
        _wait_for(found)
        yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE_S)
        log.close()


def _environment(folder):
    config = {"allowed_folder": str(folder / "videos"), "workers": 2, "max_megabytes": 1}
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": beside, "TMPDIR": str(folder / "temporary")}
    return os.environ | own | {"SERVING_MODEL_CONFIG": json.dumps(config)}


def _wait_for(server):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert server.process.poll() is None
        try:
            assert server.ask("/ping")[0] == 200
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("The server does not answer.")


def _family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = children.read_text().split() if children.exists() else []
    return [pid] + [each for child in found for each in _family(int(child))]


def _private_bytes(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


def good_video(server):
    return base64.b64encode((server.videos / "wave.avi").read_bytes()).decode()


def bad_videos(server):
    good = (server.videos / "wave.avi").read_bytes()
    bad = [b"words " * 999, good[: len(good) // 3], b"PK\3\4" + bytes(9999), bytes(1_200_000)]
    return ["", "%%%", "../server.log", *(base64.b64encode(each).decode() for each in bad)]


def test_a_video_is_answered_by_its_bytes_and_by_its_path(server):
    status, found = server.score(good_video(server), "wave.avi", top_k=1)
    assert status == 200, found
    assert [answer["label"] for answer in found["predictions"]] == ["bright_right"] * 2
    assert [len(answer["top"]) for answer in found["predictions"]] == [1, 1]


def test_what_is_no_video_or_no_request_has_a_status_of_4xx(server):
    for video in bad_videos(server):
        status, found = server.score(video)
        assert status == 400, found
        assert "row 0: " in found["message"]
        assert "Traceback" not in json.dumps(found)
    for body in ("no JSON", "{}", '{"dataframe_records": [{"other": "x"}]}'):
        status, _ = server.ask("/invocations", body)
        assert 400 <= status < 500, body
    assert server.ask("/invocations", "<x/>", "text/xml")[0] == 415


def test_an_upload_that_is_cut_leaves_the_server_alive(server):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            head = "POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"{" * 500)
    assert server.score("wave.avi")[0] == 200


def test_a_hundred_clients_at_once_are_answered_and_nothing_stays(server):
    good, bad = good_video(server), bad_videos(server)

    def ask(number):
        is_bad = number % 4 == 0
        status, _ = server.score(bad[number // 4 % len(bad)] if is_bad else good)
        return is_bad, status

    def crowd():
        with ThreadPoolExecutor(N_CLIENTS) as clients:
            return Counter(clients.map(ask, range(N_CLIENTS)))

    expected = {(False, 200): 75, (True, 400): 25}
    assert crowd() == expected  # the first one fills what is kept on purpose
    before = server.memory()
    assert crowd() == expected
    assert server.memory() < before + 50e6
    assert server.ask("/ping")[0] == 200
    assert not list(server.temporary.iterdir())


def test_mlflow_predicts_from_a_file(saved, server, tmp_path):
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"dataframe_records": [{"video": "wave.avi"}]}))
    command = ["-m", "mlflow", "models", "predict", "-m", str(saved), "-i", str(given)]
    environment = _environment(server.videos.parent)
    environment["MLFLOW_PYFUNC_INFERENCE_CONFIG"] = environment.pop("SERVING_MODEL_CONFIG")
    done = subprocess.run(
        [sys.executable, *command, "-t", "json", "--env-manager", "local"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (answer,) = json.loads(done.stdout)["predictions"]
    assert answer["label"] == "bright_right"
