"""Workers that were started by hand, and tables on an object store."""

import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest
from clips import index_of, moving_clip, write_clip
from distributed import LocalCluster, get_worker
from params import make

from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.errors import UserError
from hmdb_kedro.extraction.parallel import row_batches, table_schema
from hmdb_kedro.pipelines.flow import nodes
from hmdb_kedro.video.clips import ClipFolder

pytestmark = pytest.mark.slow
PROGRESS = ["clip_id", "content_hash", "settings_hash"]
N_CLIPS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("cluster") / "videos"
    for number in range(N_CLIPS):
        clip = moving_clip(1, number % 3, n_frames=5, height=48, width=64, seed=number)
        write_clip(root / "wave" / f"{number}.avi", clip)
    return ClipFolder(root)


def extract(folder, path, storage_options=None, **work):
    params = make("flow", short_side=32, **work)
    table = LanceTable(path=path, storage_options=storage_options)
    progress = LanceProgress(path=path, columns=PROGRESS, storage_options=storage_options)
    todo = nodes.list_new_clips(index_of(folder), progress.load(), params)
    for chunk in nodes.extract_flow(folder, todo, params):
        table.save(chunk)
    return table.load(), len(todo)


def assert_same(first, second):
    assert first.clip_ids == second.clip_ids
    assert len(first) == N_CLIPS
    for clip_id in first.clip_ids:
        assert np.array_equal(first[clip_id], second[clip_id])


@pytest.fixture
def scheduler(tmp_path):
    """Start a scheduler and two one-thread workers, as a user would, on loopback."""
    file = tmp_path / "scheduler.json"
    local = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]
    dask = [sys.executable, "-m", "dask"]
    commands = [
        [*dask, "scheduler", "--port", "0", *local],
        *[[*dask, "worker", "--nthreads", "1", "--nworkers", "1", *local]] * 2,
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, cwd=tmp_path, **quiet) for command in commands[:1]]
    deadline = time.monotonic() + 30
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    processes += [subprocess.Popen(command, cwd=tmp_path, **quiet) for command in commands[1:]]
    from distributed import Client  # noqa: PLC0415

    with Client(scheduler_file=str(file)) as client:
        client.wait_for_workers(2, timeout=60)
        yield client.scheduler_info()["address"]
    for process in reversed(processes):
        process.terminate()
        process.wait(timeout=30)


def test_two_workers_make_the_table_that_threads_make(folder, tmp_path, scheduler):
    by_threads, _ = extract(folder, str(tmp_path / "threads.lance"))
    by_dask, _ = extract(folder, str(tmp_path / "dask.lance"), backend="dask", scheduler=scheduler)
    assert_same(by_threads, by_dask)


def test_a_scheduler_that_is_not_there_is_one_line(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("hmdb_kedro.extraction.parallel._CONNECT_S", 1)
    with pytest.raises(UserError, match=r"No dask scheduler answers .* tcp://127\.0\.0\.1:9"):
        extract(folder, str(tmp_path / "x.lance"), backend="dask", scheduler="tcp://127.0.0.1:9")


@pytest.fixture
def bucket():
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "aws_endpoint": f"http://{host}:{port}",
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_region": "us-east-1",
        "allow_http": "true",
    }
    import boto3  # noqa: PLC0415

    s3 = boto3.client(
        "s3",
        endpoint_url=options["aws_endpoint"],
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    s3.create_bucket(Bucket="clips")
    yield options
    server.stop()


def test_a_table_on_an_object_store_is_the_one_on_disk(folder, tmp_path, bucket):
    on_disk, _ = extract(folder, str(tmp_path / "flow.lance"))
    on_store, done = extract(folder, "s3://clips/flow.lance", bucket)
    assert done == N_CLIPS
    assert_same(on_disk, on_store)
    _, again = extract(folder, "s3://clips/flow.lance", bucket)
    assert again == 0


def test_a_single_worker_does_the_work_itself():
    schema = table_schema([("worker", pa.string()), ("status", pa.string())], make("flow"))
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        work = make("flow", backend="dask", scheduler=cluster.scheduler_address)
        rows = list(row_batches(who_works, ["a", "b"], schema, work, "asking"))
        (worker,) = cluster.workers.values()
        assert set(pa.concat_tables(rows)["worker"].to_pylist()) == {worker.address}


def who_works(_):
    return {"worker": get_worker().address, "status": "ok"}
