"""Where does fusion help? Accuracy and gain within groups of clips."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.intervals import Interval, mean_intervals, share_intervals
from hmdb_kedro.params import FUSED

# What HMDB51's file names say of a clip, as `clip_index` has it.
FIELDS = ("camera_motion", "visible_body", "num_people", "viewpoint", "quality")
NOT_GIVEN = "not given"
_BINS = 4


def clip_groups(
    clips: pd.DataFrame, fields: Sequence[str], measures: Mapping[str, str]
) -> pd.DataFrame:
    """Return a text column for each way to group clips; null counts as a group of its own.

    Args:
        clips: One row a clip, with the columns named.
        fields: Columns of few values, taken as they are; those absent are left out.
        measures: Column of numbers → its unit; cut into four bins of equal mass, fewer where
            many clips are equal.
    """
    groups = {
        field: clips[field].astype("string").fillna(NOT_GIVEN) for field in fields if field in clips
    }
    groups |= {
        measure: _binned(clips[measure].astype("float64"), unit)
        for measure, unit in measures.items()
        if measure in clips
    }
    return pd.DataFrame(groups, index=clips.index)


def gains_by_group(
    groups: pd.DataFrame,
    fused: np.ndarray,
    streams: Mapping[str, np.ndarray],
    sources: np.ndarray,
    **draws_and_seed: int,
) -> pd.DataFrame:
    """Return a row a group: how often fusion and streams are right, and by how much fusion gains.

    Args:
        groups: One row a clip, one column a way to group them.
        fused: Hits of the fusion, shape (N,).
        streams: Hits by stream.
        sources: shape (N,).
        **draws_and_seed: Of the intervals.

    Returns:
        field, value, n_clips, n_sources, `two_stream`, each stream, and `gain_over_<stream>` with
        `…_low` and `…_high` (null below 8 sources). Many groups are looked at: an interval that
        leaves out 0 is a hint, no proof.
    """
    found = [(field, value) for field in groups for value in sorted(groups[field].unique())]
    among = np.stack([(groups[field] == value).to_numpy() for field, value in found], axis=1)
    clusters = Clusters.of(sources)
    columns: dict[str, Any] = {
        "field": [field for field, _ in found],
        "value": [value for _, value in found],
    }
    columns |= {"n_clips": among.sum(axis=0), "n_sources": (clusters.sums(among) > 0).sum(axis=0)}
    for name, hits in {FUSED: fused, **streams}.items():
        columns[name] = hits @ among / among.sum(axis=0)
    for name, hits in streams.items():
        values = np.repeat((fused - hits)[:, None], len(found), axis=1)
        gains = mean_intervals(values, clusters, among=among, **draws_and_seed)
        columns |= _gain_columns(f"gain_over_{name}", gains)
    return pd.DataFrame(columns)


def accuracy_by_class(
    hits: np.ndarray, labels: np.ndarray, n_classes: int, sources: np.ndarray
) -> list[Interval | None]:
    """Return the accuracy within each class, with its interval; None without test clips.

    Args:
        hits: float, shape (N,).
        labels: int, shape (N,).
        n_classes: C.
        sources: shape (N,).
    """
    present = np.unique(labels)
    among = labels[:, None] == present
    values = np.repeat(hits[:, None], len(present), axis=1)
    found = share_intervals(values, Clusters.of(sources), among)
    by_class = dict(zip(present.tolist(), found, strict=True))
    return [by_class.get(label) for label in range(n_classes)]


def _gain_columns(name: str, gains: Sequence[Interval]) -> dict[str, list[float | None]]:
    return {
        name: [gain.estimate for gain in gains],
        f"{name}_low": [gain.low for gain in gains],
        f"{name}_high": [gain.high for gain in gains],
    }


def _binned(values: "pd.Series[float]", unit: str) -> "pd.Series[str]":
    """Name each clip's bin by its ends; they sort by a number in front."""
    bins = pd.qcut(values, _BINS, duplicates="drop")
    names = {
        interval: f"{rank}: {values[bins == interval].min():.3g} to "
        f"{values[bins == interval].max():.3g} {unit}"
        for rank, interval in enumerate(bins.cat.categories, start=1)
    }
    if not names and values.notna().any():  # all clips are equal
        return values.map(lambda value: NOT_GIVEN if np.isnan(value) else f"{value:.3g} {unit}")
    return bins.map(names).astype("string").fillna(NOT_GIVEN)
