"""Spread work over clips."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

import cv2
from joblib import Parallel, delayed

from hmdb_kedro.params import WorkParams

Item = TypeVar("Item")
Result = TypeVar("Result")

_JOBLIB = {"threads": "threading", "processes": "loky"}


def map_clips(
    function: Callable[[Item], Result], items: Iterable[Item], work: WorkParams
) -> Iterator[Result]:
    """Yield the function's result for every item, in the order in which they finish."""
    parallel = Parallel(
        n_jobs=work.n_jobs, backend=_JOBLIB[work.backend], return_as="generator_unordered"
    )
    yield from parallel(delayed(_alone)(function, item) for item in items)


def in_batches(results: Iterable[Result], size: int) -> Iterator[list[Result]]:
    """Yield lists of `size` results, the last one shorter."""
    iterator = iter(results)
    while batch := list(islice(iterator, size)):
        yield batch


def _alone(function: Callable[[Item], Result], item: Item) -> Result:
    # OpenCV's own threads hardly help and fight those that run clips side by side.
    cv2.setNumThreads(1)
    return function(item)
