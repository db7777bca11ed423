"""Draw test and validation parts by source video, so that no film stands on both sides."""

from collections.abc import Sequence

import numpy as np

UNUSED, TRAIN, TEST = 0, 1, 2
PART_NAMES = {TRAIN: "train", TEST: "test", UNUSED: "unused"}


def draw_by_source(
    labels: Sequence[str], sources: Sequence[str], fraction: float, seed: int | Sequence[int]
) -> np.ndarray:
    """Draw about `fraction` of every class, in whole sources.

    Sources move greedily: each time the one that most reduces the summed deviation of the classes
    from `fraction` × their clips; where none does, a drawn one is exchanged for another, until
    that helps no more either. A source that is the last one left to a class is never drawn. Ties
    are broken by the seed; the order of rows plays no part.

    Args:
        labels: Class of each clip.
        sources: Source video of each clip.
        fraction: Share of each class to draw, 0 to 1.
        seed: Breaks ties.

    Returns:
        bool, shape (clips,): True for drawn clips.
    """
    if not len(labels):
        return np.zeros(0, dtype=bool)
    classes, class_ids = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
    names, source_ids = np.unique(np.asarray(sources, dtype=str), return_inverse=True)
    # In a drawn order of sources the first of equals is any of them.
    rows = np.random.default_rng(seed).permutation(len(names))[source_ids]
    counts = np.zeros((len(names), len(classes)), dtype=np.int64)
    np.add.at(counts, (rows, class_ids), 1)
    return _draw(counts, fraction * counts.sum(axis=0))[rows]


def draw_splits(
    labels: Sequence[str], sources: Sequence[str], test_fraction: float, seed: int
) -> np.ndarray:
    """Draw three splits into training and test clips, by source video.

    Returns:
        int64, shape (clips, 3): 1 train, 2 test, as in HMDB51's lists.
    """
    tests = [draw_by_source(labels, sources, test_fraction, (seed, split)) for split in (1, 2, 3)]
    return np.where(np.stack(tests, axis=1), TEST, TRAIN)


def _draw(counts: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Draw sources, given their clips by class, shape (sources, classes), and the clips wanted."""
    drawn = np.zeros(len(counts), dtype=bool)
    while moved := _best_move(counts, target, drawn) or _exchange(counts, target, drawn):
        drawn[moved] ^= True
    return drawn


def _best_move(counts: np.ndarray, target: np.ndarray, drawn: np.ndarray) -> list[int]:
    """Return the source to draw, or to give back, that brings the classes closest to target."""
    missing = target - counts[drawn].sum(axis=0)
    gain = _gain(missing, missing - np.where(drawn[:, None], -counts, counts))
    gain[~drawn & _is_last(counts, drawn)] = 0
    best = int(gain.argmax())
    return [best] if gain[best] > 0 else []


def _exchange(counts: np.ndarray, target: np.ndarray, drawn: np.ndarray) -> list[int]:
    """Return the first drawn source that another can replace to advantage, and that other."""
    missing = target - counts[drawn].sum(axis=0)
    for source in np.flatnonzero(drawn):
        rest = drawn.copy()
        rest[source] = False
        gain = _gain(missing, missing + counts[source] - counts)
        gain[drawn] = 0
        if gain.any():
            gain[_is_last(counts, rest)] = 0
        best = int(gain.argmax())
        if gain[best] > 0:
            return [int(source), best]
    return []


def _gain(missing: np.ndarray, after: np.ndarray) -> np.ndarray:
    # Rounded, so that ties are ties and rounding is no gain.
    gain: np.ndarray = (np.abs(missing).sum() - np.abs(after).sum(axis=1)).round(9)
    return gain.clip(min=0)


def _is_last(counts: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Say of each source whether a class would be left without one, were it drawn."""
    sources_left = (counts[~drawn] > 0).sum(axis=0)
    is_last: np.ndarray = ((counts > 0) & (sources_left <= 1)).any(axis=1)
    return is_last
