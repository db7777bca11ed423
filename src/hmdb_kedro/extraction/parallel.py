"""Spread work over clips; gather its rows in batches."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import cv2
import pyarrow as pa
from joblib import Parallel, delayed

from hmdb_kedro.params import WorkParams

Item = TypeVar("Item")
Row = dict[str, Any]

_JOBLIB = {"threads": "threading", "processes": "loky"}


def table_schema(columns: list[tuple[str, pa.DataType]], params: WorkParams) -> pa.Schema:
    """Return a table's columns, the settings that shape its rows in the metadata."""
    return pa.schema(columns, metadata={"settings": json.dumps(params.settings(), sort_keys=True)})


def row_batches(
    make_row: Callable[[Item], Row], items: Iterable[Item], schema: pa.Schema, work: WorkParams
) -> Iterator[pa.Table]:
    """Yield the rows of all items, a batch at a time, in the order in which they finish.

    What a row lacks is null.
    """
    rows = _map(make_row, items, work)
    while batch := list(islice(rows, work.batch_clips)):
        yield pa.Table.from_pylist(batch, schema=schema)


def _map(function: Callable[[Item], Row], items: Iterable[Item], work: WorkParams) -> Iterator[Row]:
    parallel = Parallel(
        n_jobs=work.n_jobs, backend=_JOBLIB[work.backend], return_as="generator_unordered"
    )
    yield from parallel(delayed(_alone)(function, item) for item in items)


def _alone(function: Callable[[Item], Row], item: Item) -> Row:
    # OpenCV's own threads hardly help and fight those that run clips side by side.
    cv2.setNumThreads(1)
    return function(item)
