"""What happens when in a long video: an answer a window, merged where it stays the same."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from hmdb_kedro.inference.results import Action, accepted_label

WINDOW_S, HOP_S = 2.0, 1.0
LONG_S = 10.0

Window = tuple[float, float]


def windows(seconds: float) -> Iterator[Window]:
    """Yield windows of two seconds, one a second, that cover the video: (start_s, end_s)."""
    start = 0.0
    while start + WINDOW_S < seconds:
        yield start, start + WINDOW_S
        start += HOP_S
    yield max(0.0, min(start, seconds - WINDOW_S)), seconds


def merged(
    answers: list[tuple[Window, np.ndarray]],
    classes: tuple[str, ...],
    threshold: float | None,
) -> tuple[Action, ...]:
    """Return the stretches of one answer, without gaps.

    Two windows that overlap and differ meet in the middle of what they share.

    Args:
        answers: Each window with its fused probabilities, in order.
        classes: In the order of the probabilities.
        threshold: Below it the answer is `none of these`.
    """
    labelled = [(window, p, accepted_label(classes, p, threshold)) for window, p in answers]
    runs = [list(run) for _, run in groupby(labelled, key=lambda answer: answer[2])]
    starts = [run[0][0][0] for run in runs]
    ends = [run[-1][0][1] for run in runs]
    meet = [(end + start) / 2 for end, start in zip(ends, starts[1:], strict=False)]
    return tuple(
        Action(start, end, run[0][2], float(np.mean([p.max() for _, p, _ in run])))
        for run, start, end in zip(runs, [starts[0], *meet], [*meet, ends[-1]], strict=True)
    )


def indices(window: Window, seconds: float, n_pictures: int) -> tuple[int, int]:
    """Return the first picture of a window, and the one after its last: at least one."""
    first, last = (round(edge / seconds * n_pictures) for edge in window)
    start = min(first, n_pictures - 1)
    return start, max(start + 1, last)
