"""A first look at the clips: numbers and figures."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.by_class import boxes_by_class, shares_by_class
from hmdb_kedro.reporting.style import (
    PARTITION_COLOURS,
    class_axis,
    empty_figure,
    rows_height,
    style,
)
from hmdb_kedro.video.names import CAMERA_MOTION, QUALITY, VIEWPOINT, VISIBLE_BODY

QUANTILES = {"min": 0.0, "p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1}
MEASURES = ["duration_s", "n_frames", "fps", "width", "height"]
# Column → what a menu calls it, and its values in order.
ANNOTATIONS = {
    "camera_motion": ("camera motion", list(CAMERA_MOTION.values())),
    "visible_body": ("visible body", list(VISIBLE_BODY.values())),
    "viewpoint": ("viewpoint", list(VIEWPOINT.values())),
    "quality": ("quality", list(QUALITY.values())),
    "num_people": ("people", ["0", "1", "2", "3", "4 or more"]),
}


def summarise_clips(clip_index: pd.DataFrame) -> dict[str, Any]:
    """Sum up the index: how many clips, how long, how large, of which status and partition.

    Durations are in seconds, sizes in pixels; measures are those of clips whose status is ok.
    """
    usable = _usable(clip_index)
    by_class = {str(label): _class_summary(clips) for label, clips in clip_index.groupby("label")}
    return {
        "clips": len(clip_index),
        "classes": len(by_class),
        "hours": round(float(usable["duration_s"].sum()) / 3600, 4),
        "sources": int(usable["source_video"].nunique()),
        "status": _counts(clip_index["status"]),
        "partition": _counts(clip_index["partition"]),
        "resolution": _counts(usable["width"].astype(str) + "x" + usable["height"].astype(str)),
        "quantiles": _quantiles(usable),
        "by_class": by_class,
    }


def plot_duration_by_class(clip_index: pd.DataFrame) -> go.Figure:
    """Draw one box a class of the clips' seconds, the class with the longest median on top."""
    usable = _usable(clip_index).dropna(subset=["duration_s"])
    order = usable.groupby("label")["duration_s"].median().sort_values(kind="stable").index
    box = go.Box(
        x=usable["duration_s"].round(3).to_list(),
        y=usable["label"].to_list(),
        orientation="h",
        boxpoints="outliers",
        marker={"size": 3},
        line={"width": 1.2},
        text=usable["clip_id"].to_list(),
        name="",
    )
    figure = go.Figure(box)
    figure.update_xaxes(title="duration (s)", rangemode="tozero")
    class_axis(figure, list(order))
    return style(figure, "Duration of the clips by class", rows_height(len(order)))


def plot_clips_by_class(clip_index: pd.DataFrame) -> go.Figure:
    """Draw the number of clips of each class, stacked by partition, the largest class on top."""
    part = clip_index["partition"].fillna("rejected")
    counts = pd.crosstab(clip_index["label"], part)
    order = counts.sum(axis=1).sort_values(kind="stable").index
    figure = go.Figure(
        [
            go.Bar(
                x=counts.loc[order, name].to_list(),
                y=list(order),
                orientation="h",
                name=name,
                marker={"color": colour},
            )
            for name, colour in PARTITION_COLOURS.items()
            if name in counts
        ]
    )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="clips")
    class_axis(figure, list(order))
    return style(figure, "Clips by class and partition", rows_height(len(order)))


def plot_measures_by_class(clip_index: pd.DataFrame) -> go.Figure:
    """Draw how frames, frame rate, size and aspect are distributed in each class."""
    clips = _usable(clip_index).assign(aspect=lambda found: found["width"] / found["height"])
    measures = {
        "n_frames": "frames",
        "fps": "frames a second",
        "width": "width (px)",
        "height": "height (px)",
        "aspect": "width / height",
    }
    return boxes_by_class(clips, measures, "Length, frame rate and size by class")


def plot_annotations_by_class(clip_index: pd.DataFrame) -> go.Figure:
    """Draw how the clips of each class divide by what HMDB51's file names say."""
    title = "Annotations by class"
    people = clip_index["num_people"].map(_people, na_action="ignore")
    clips = _usable(clip_index.assign(num_people=people.astype("object")))
    if clips[list(ANNOTATIONS)].isna().all(axis=None):
        return empty_figure(title, "No clip's name carries HMDB51's annotations.")
    return shares_by_class(clips, ANNOTATIONS, title)


def _people(count: float) -> str:
    return f"{count:.0f}" if count < 4 else "4 or more"


def _usable(clip_index: pd.DataFrame) -> pd.DataFrame:
    return clip_index.loc[clip_index["status"] == "ok"]


def _class_summary(clips: pd.DataFrame) -> dict[str, Any]:
    usable = _usable(clips)
    return {
        "clips": len(clips),
        "sources": int(usable["source_video"].nunique()),
        "partition": _counts(clips["partition"]),
        "quantiles": _quantiles(usable),
    }


def _quantiles(clips: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the quantiles of each measure that any clip has."""
    known = clips[MEASURES].astype("float64").dropna(axis="columns", how="all")
    table = known.quantile(list(QUANTILES.values())).round(4)
    return {
        measure: dict(zip(QUANTILES, table[measure].to_list(), strict=True)) for measure in known
    }


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().items()}
