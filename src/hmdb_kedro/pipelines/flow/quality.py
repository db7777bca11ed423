"""How good the stored flow is: what storing costs in pixels, what was clipped, what it weighs."""

import math
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from hmdb_kedro.params import FlowParams
from hmdb_kedro.reporting.examples import evenly, examples_by_class
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import UnreadableClipError, hash_file, read_frames
from hmdb_kedro.video.flow import brighten, flow_fields, small_greys
from hmdb_kedro.video.tables import ClipTable

# A run with nothing new computes these pairs too: half a second of DIS, a few of TV-L1.
_CLIPS = 8
_PAIRS_A_CLIP = {"dis": 10, "farneback": 5, "tvl1": 1}


def measure_flow_quality(
    flow: ClipTable, clip_index: pd.DataFrame, raw_videos: ClipFolder, params: FlowParams
) -> dict[str, Any]:
    """Hold a few stored clips to flow computed anew, and sum up all rows.

    Returns:
        clips, rejected, pairs, clipped_share (of all stored values), bytes_per_clip and
        bytes_per_pair, over all and `by_class`; and `round_trip`: clips and pairs compared,
        mean_px and p99_px (end-point error of the stored vectors, in pixels at the stored size),
        and skipped (clip_id → reason). A figure without a clip to stand on is None.
    """
    usable = clip_index.loc[clip_index["status"] == "ok", ["clip_id", "label", "path"]]
    rows = flow.info().merge(usable, on="clip_id")
    return {
        **_sums(rows),
        "round_trip": _round_trip(flow, _chosen(flow, clip_index, rows), raw_videos, params),
        "by_class": {str(label): _sums(clips) for label, clips in rows.groupby("label")},
    }


def _sums(rows: pd.DataFrame) -> dict[str, Any]:
    stored = rows.loc[rows["status"] == "ok"]
    pairs, size = int(stored["n_pictures"].sum()), int(stored["n_bytes"].sum())
    values = stored["n_pictures"].astype("float64") * stored["height"] * stored["width"]
    clipped = float((stored["clipped_share"] * values).sum())
    return {
        "clips": len(stored),
        "rejected": len(rows) - len(stored),
        "pairs": pairs,
        "clipped_share": round(clipped / float(values.sum()), 6) if pairs else None,
        "bytes_per_clip": round(size / len(stored)) if pairs else None,
        "bytes_per_pair": round(size / pairs) if pairs else None,
    }


def _chosen(flow: ClipTable, clip_index: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a few clips, spread over the classes."""
    n_classes = max(1, rows["label"].nunique())
    by_class = examples_by_class(clip_index, flow, math.ceil(_CLIPS / n_classes))
    examples = [clip_id for clip_ids in by_class.values() for clip_id in clip_ids]
    return rows.loc[rows["clip_id"].isin(evenly(examples, _CLIPS))]


def _round_trip(
    flow: ClipTable, rows: pd.DataFrame, raw_videos: ClipFolder, params: FlowParams
) -> dict[str, Any]:
    errors: list[np.ndarray] = []
    skipped: dict[str, str] = {}
    clips = 0
    for row in rows.itertuples():
        file = raw_videos[row.path].file
        try:
            _check_comparable(row, file, params)
            errors.extend(_errors(flow, row.clip_id, file, params))
            clips += 1
        except (UnreadableClipError, OSError, cv2.error) as error:
            skipped[row.clip_id] = str(error)
    every = np.concatenate([error.ravel() for error in errors]) if errors else None
    return {
        "clips": clips,
        "pairs": len(errors),
        "mean_px": None if every is None else round(float(every.mean()), 4),
        "p99_px": None if every is None else round(float(np.quantile(every, 0.99)), 4),
        "skipped": skipped,
    }


def _check_comparable(row: Any, file: Path, params: FlowParams) -> None:
    """Raise UnreadableClipError where other flow would be computed than what was stored."""
    if not file.is_file():
        raise UnreadableClipError("the file is gone")
    if hash_file(file) != row.content_hash:
        raise UnreadableClipError("the file changed since its flow was stored")
    if row.settings_hash != params.settings_hash():
        raise UnreadableClipError("its flow was stored with other settings")


def _errors(flow: ClipTable, clip_id: str, file: Path, params: FlowParams) -> list[np.ndarray]:
    """Return how far each stored vector of the first pairs is off, float32 (H, W) a pair."""
    _, greys = brighten(small_greys(read_frames(file), params.short_side), params.gamma)
    computed = list(islice(flow_fields(greys, params), _PAIRS_A_CLIP[params.algorithm]))
    stored = flow.take(clip_id, range(len(computed)))
    return list(np.linalg.norm(stored - np.stack(computed), axis=-1))
