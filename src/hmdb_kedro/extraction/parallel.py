"""Spread work over clips; gather its rows in batches."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from threading import Semaphore
from typing import Any, TypeVar

import cv2
import pyarrow as pa
from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.parallel import ParallelBackendBase

from hmdb_kedro.errors import UserError
from hmdb_kedro.extraction.progress import watched
from hmdb_kedro.params import WorkParams

Item = TypeVar("Item")
Row = dict[str, Any]

_JOBLIB = {"threads": "threading", "processes": "loky"}
_CONNECT_S = 10


def table_schema(columns: list[tuple[str, pa.DataType]], params: WorkParams) -> pa.Schema:
    """Return a table's columns, the settings that shape its rows in the metadata."""
    return pa.schema(columns, metadata={"settings": json.dumps(params.settings(), sort_keys=True)})


def row_batches(
    make_row: Callable[[Item], Row],
    items: Sequence[Item],
    schema: pa.Schema,
    work: WorkParams,
    title: str,
) -> Iterator[pa.Table]:
    """Yield the rows of all items, a batch at a time, in the order in which they finish.

    Args:
        make_row: Makes the row of one item; what a row lacks is null in the table.
        items: What there is to do.
        schema: The table's columns.
        work: Where and how many at once.
        title: What is being done, for the progress shown.

    Raises:
        UserError: The dask scheduler does not answer, or dask is not installed.
    """
    if not items:
        return
    records = watched(_unordered(make_row, items, schema, work), len(items), title)
    while batch := list(islice(records, work.batch_clips)):
        yield pa.Table.from_batches(batch)


def _unordered(
    make_row: Callable[[Item], Row], items: Sequence[Item], schema: pa.Schema, work: WorkParams
) -> Iterator[pa.RecordBatch]:
    with _workers(work) as workers:
        with parallel_config(**workers):
            parallel = Parallel(return_as="generator_unordered")
        make = partial(_record, make_row, schema)
        if work.backend == "threads":
            yield from _no_faster_than_asked(parallel, make, items, work)
        else:
            # These are not bounded: a semaphore reaches no other process, and joblib, which sends
            # them several clips at once, could come to wait for rows that wait for it.
            yield from map(_aligned, parallel(delayed(make)(item) for item in items))


def _no_faster_than_asked(
    parallel: Parallel,
    make: Callable[[Item], pa.RecordBatch],
    items: Sequence[Item],
    work: WorkParams,
) -> Iterator[pa.RecordBatch]:
    """Let a slow store hold up the workers: rows that wait fill memory, and a kill loses them."""
    room = Semaphore(_worker_count(work) + 2 * work.batch_clips)

    def make_when_there_is_room(item: Item) -> pa.RecordBatch:
        room.acquire()
        return make(item)

    try:
        for record in parallel(delayed(make_when_there_is_room)(item) for item in items):
            room.release()
            yield record
    finally:
        room.release(len(items))  # nobody asks any more: what waits must not wait for ever


def _record(make_row: Callable[[Item], Row], schema: pa.Schema, item: Item) -> pa.RecordBatch:
    """Make one item's row where the work is done: the main thread only strings rows together."""
    # OpenCV's own threads hardly help and fight those that run clips side by side.
    cv2.setNumThreads(1)
    row = make_row(item)
    return pa.RecordBatch.from_arrays(
        [_cell(row.get(column.name), column.type) for column in schema], schema=schema
    )


def _aligned(record: pa.RecordBatch) -> pa.RecordBatch:
    """Copy a row of another process: unpickled, it lies at any address, and Lance wants aligned."""
    return record.take(pa.array([0]))


def _cell(value: Any, kind: pa.DataType) -> pa.Array:
    if value is None or not pa.types.is_list(kind):
        return pa.array([value], kind)
    # Arrow's own way to nested lists copies pictures several times while it holds the GIL.
    return pa.ListArray.from_arrays([0, len(value)], pa.array(value, kind.value_type))


@contextmanager
def _workers(work: WorkParams) -> Iterator[dict[str, Any]]:
    """Give joblib's options, and keep a cluster that they need."""
    if work.backend == "dask":
        with _dask_client(work):
            yield {"backend": _cluster(), "n_jobs": -1}
    else:
        yield {"backend": _JOBLIB[work.backend], "n_jobs": _worker_count(work)}


def _worker_count(work: WorkParams) -> int:
    # Threads wait for the GIL between OpenCV's calls: one more than there are cores fills the gaps.
    if work.backend == "threads" and work.n_jobs == -1:
        return int(cpu_count()) + 1
    return work.n_jobs


def _cluster() -> ParallelBackendBase:
    """Return joblib's dask backend, which finds the client by itself, even for a single worker."""
    from joblib._dask import DaskDistributedBackend  # noqa: PLC0415 - needs distributed

    class Cluster(DaskDistributedBackend):
        def effective_n_jobs(self, n_jobs: int) -> int:
            # For one job joblib works right here: on the machine that asks, past the worker.
            return max(2, int(super().effective_n_jobs(n_jobs)))

    return Cluster()


@contextmanager
def _dask_client(work: WorkParams) -> Iterator[None]:
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra of its own
    except ImportError:
        raise UserError(
            '`backend=dask` needs dask.distributed. Do: pip install "hmdb_kedro[cluster]"'
        ) from None
    if work.scheduler == "local":
        n_workers = cpu_count() if work.n_jobs == -1 else work.n_jobs
        with plain_allocator():
            cluster = LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
            )
        with cluster, Client(cluster):
            yield
        return
    try:
        client = Client(work.scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No dask scheduler answers within {_CONNECT_S} s. Received: "
            f"scheduler={work.scheduler} ({error}). Start one (dask scheduler), or take `local`."
        ) from None
    with client:
        yield


@contextmanager
def plain_allocator() -> Iterator[None]:
    """Start dask workers with glibc's own way of keeping memory.

    Dask has it return all that is free at once, which OpenCV's short-lived pictures turn into page
    faults: a third of the time of flow.
    """
    import dask  # noqa: PLC0415 - an extra of its own

    key = "distributed.nanny.pre-spawn-environ"
    kept = {k: v for k, v in dask.config.get(key).items() if not k.startswith("MALLOC_")}
    with dask.config.set({key: kept}):
        yield
