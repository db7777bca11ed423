"""How much the classes move, and what it looks like."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.by_class import boxes_by_class
from hmdb_kedro.reporting.examples import examples_by_class, middle_pictures
from hmdb_kedro.reporting.sheets import Tile, colour_wheel, contact_sheet
from hmdb_kedro.reporting.style import empty_figure
from hmdb_kedro.video.colours import flow_colours
from hmdb_kedro.video.motion import mean_motion
from hmdb_kedro.video.tables import ClipTable

# A run with nothing new reads these clips too, and must stay a matter of seconds.
_CLIPS, _CLIPS_A_CLASS = 100, 10
_SCALE_QUANTILE = 0.9
_NO_FLOW = "No clip has flow."
_SHEET_TITLE = "Optical flow in the middle of one clip of each class"
_MOTION_TITLE = "Motion by class, in pixels at the stored size"


def plot_motion_by_class(flow: ClipTable, clip_index: pd.DataFrame) -> go.Figure:
    """Draw how fast a few clips of each class move, and how much of it all pixels share.

    Two to ten clips a class, a hundred in all or little more; eight fields of each.
    """
    n_classes = max(1, clip_index["label"].nunique())
    clips_a_class = min(_CLIPS_A_CLASS, max(2, _CLIPS // n_classes))
    chosen = examples_by_class(clip_index, flow, clips_a_class)
    if not chosen:
        return empty_figure(_MOTION_TITLE, _NO_FLOW)
    rows = [
        {"label": label, "clip_id": clip_id, **mean_motion(flow, clip_id)}
        for label, clip_ids in chosen.items()
        for clip_id in clip_ids
    ]
    measures = {
        "motion_px": "mean motion (px a pair)",
        "shared_motion_px": "shared motion, mostly the camera's (px a pair)",
    }
    return boxes_by_class(pd.DataFrame(rows), measures, _MOTION_TITLE)


def draw_flow_sheet(flow: ClipTable, clip_index: pd.DataFrame) -> go.Figure:
    """Show the middle field of one clip of each class, all in the colours of one scale."""
    examples = list(middle_pictures(clip_index, flow))
    if not examples:
        return empty_figure(_SHEET_TITLE, _NO_FLOW)
    max_px = _scale_px([field for _, _, field in examples])
    tiles = [
        Tile(
            label, f"{clip_id}<br>mean {_lengths(field).mean():.2f} px", flow_colours(field, max_px)
        )
        for label, clip_id, field in examples
    ]
    return contact_sheet([*tiles, colour_wheel(max_px)], _SHEET_TITLE)


def _scale_px(fields: list[np.ndarray]) -> float:
    """Return the length that few vectors exceed; one long vector must not pale all others."""
    lengths = np.concatenate([_lengths(field).ravel() for field in fields])
    return max(float(np.quantile(lengths, _SCALE_QUANTILE)), 0.1)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
