"""Which clips stand for their class in a figure: few, and the same in every run."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd

from hmdb_kedro.video.sampling import segment_position
from hmdb_kedro.video.tables import ClipTable

Item = TypeVar("Item")


def examples_by_class(
    clip_index: pd.DataFrame, table: ClipTable, clips_a_class: int
) -> dict[str, list[str]]:
    """Choose clips of every class, evenly spread over its clips by name.

    Returns:
        Class → clip_ids that the table holds; classes of which it holds none are left out.
    """
    usable = clip_index.loc[clip_index["status"] == "ok"].sort_values("clip_id")
    held = usable.loc[usable["clip_id"].isin(table.clip_ids)]
    return {
        str(label): evenly(clips.to_list(), clips_a_class)
        for label, clips in held.groupby("label")["clip_id"]
    }


def middle_pictures(
    clip_index: pd.DataFrame, table: ClipTable
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the class, the clip_id and the middle picture of one clip of each class."""
    for label, (clip_id,) in examples_by_class(clip_index, table, 1).items():
        n_pictures = table.shape(clip_id)[0]
        yield label, clip_id, table.take(clip_id, [n_pictures // 2])[0]


def four_pictures(table: ClipTable, clip_id: str) -> np.ndarray:
    """Return four pictures of a clip, evenly spaced in time, as one: read row by row.

    Returns:
        uint8, shape (2 H, 2 W, 3), RGB.
    """
    n_pictures = table.shape(clip_id)[0]
    positions = [int(segment_position(number, 4) * n_pictures) for number in range(4)]
    first, second, third, fourth = table.take(clip_id, positions)
    return np.vstack([np.hstack([first, second]), np.hstack([third, fourth])])


def evenly(items: Sequence[Item], n: int) -> list[Item]:
    """Return `n` items, evenly spread over a sequence, or all where there are fewer."""
    n = min(n, len(items))
    return [items[int(segment_position(number, n) * len(items))] for number in range(n)]
