"""Draw what the models confuse, where they are right, and what each stream brings."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.evaluation.groups import accuracy_by_class
from hmdb_kedro.evaluation.metrics import confusion_matrix, order_by_confusion, top_k_hits
from hmdb_kedro.evaluation.scores import class_names, part, sources_of_test, unstacked
from hmdb_kedro.params import FUSED
from hmdb_kedro.reporting.contribution import (
    gain_figure,
    overlap_figure,
    reliability_figure,
    weight_figure,
)
from hmdb_kedro.reporting.figures import class_figure, confusion_figure


def plot_confusions(compared_scores: pd.DataFrame) -> go.Figure:
    """Draw the confusion matrix of every model on test clips, the fusion's first.

    All models have their classes in the order in which the fusion confuses them.
    """
    tables = _fused_last(compared_scores)
    confusions = {model: confusion_matrix(*part(table, "test")) for model, table in tables.items()}
    order = order_by_confusion(confusions[FUSED])
    return confusion_figure(confusions, class_names(tables[FUSED]), order.tolist())


def plot_classes(compared_scores: pd.DataFrame) -> go.Figure:
    """Draw the accuracy of every model within each class, with intervals."""
    sources = sources_of_test(compared_scores)
    tables = _fused_last(compared_scores)
    return class_figure({model: _by_class(table, sources) for model, table in tables.items()})


def plot_reliability(calibration: dict[str, Any]) -> go.Figure:
    """Draw how often every model is right, by how sure it is."""
    return reliability_figure(calibration)


def plot_contribution(
    stream_contribution: dict[str, Any], contribution_by_group: pd.DataFrame
) -> tuple[go.Figure, go.Figure, go.Figure]:
    """Draw the overlap of the streams, accuracy over their weight, and the gain by group."""
    found = stream_contribution
    meta = contribution_by_group[contribution_by_group["field"] != "label"]
    classes = contribution_by_group[contribution_by_group["field"] == "label"]
    ordered = pd.concat([meta, classes.sort_values(f"gain_over_{found['streams'][0]}")])
    return (
        overlap_figure(found["overlap"], found["overlap_by_class"]),
        weight_figure(found["weight_curve"]),
        gain_figure(ordered, found["streams"]),
    )


def _fused_last(compared_scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    tables = unstacked(compared_scores)
    return {model: table for model, table in tables.items() if model != FUSED} | {
        FUSED: tables[FUSED]
    }


def _by_class(table: pd.DataFrame, sources: Any) -> pd.DataFrame:
    classes = class_names(table)
    probabilities, labels = part(table, "test")
    hits = top_k_hits(probabilities, labels, 1)
    found = accuracy_by_class(hits, labels, len(classes), sources)
    rows = [
        {
            "label": label,
            "top1": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "n_clips": interval.n_clips,
        }
        for label, interval in zip(classes, found, strict=True)
        if interval is not None
    ]
    return pd.DataFrame(rows).astype({"low": "float64", "high": "float64"})
