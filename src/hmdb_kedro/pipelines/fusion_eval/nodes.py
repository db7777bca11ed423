"""Score, compare and draw all models."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.metrics import classification_metrics, confusion_matrix
from hmdb_kedro.evaluation.scores import aligned, class_names, not_scored, part
from hmdb_kedro.reporting.figures import comparison_figure, confusion_figure
from hmdb_kedro.reporting.tables import comparison_table

STREAMS = ("spatial", "temporal")
FUSED = "two_stream"


def evaluate_models(**scores: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the metrics of every model on test clips, and as val_… on validation clips.

    `two_stream` also tells its gain in top1 over its best stream, which is chosen on validation
    clips (top1, then log loss), or where there are none by log loss on test clips. All figures
    are of the clips that every model has scored; `not_scored` names the others.

    Raises:
        UserError: The models know other classes, or there is no test clip.
    """
    lacking = not_scored(scores)
    metrics = {
        model: _model_metrics(table) | {"not_scored": lacking[model]}
        for model, table in aligned(scores).items()
    }
    if FUSED in metrics:
        metrics[FUSED] |= _gain(metrics)
    return metrics


def compare_models(
    metrics: dict[str, dict[str, Any]], **costs: dict[str, float]
) -> tuple[pd.DataFrame, go.Figure]:
    """Return metrics and costs of all models as a table, and their accuracies as a figure."""
    table = comparison_table(metrics, costs)
    return table, comparison_figure(table)


def plot_confusions(**scores: pd.DataFrame) -> go.Figure:
    """Draw the confusion matrix of every model on test clips."""
    tables = aligned(scores)
    confusions = {model: confusion_matrix(*part(table, "test")) for model, table in tables.items()}
    return confusion_figure(confusions, class_names(next(iter(tables.values()))))


def _model_metrics(scores: pd.DataFrame) -> dict[str, Any]:
    test, val = part(scores, "test"), part(scores, "val")
    if not len(test[1]):
        raise UserError(
            "There is no test clip to evaluate on. Received: "
            f"{len(scores)} scored clips. Check the partitions in `clip_index`."
        )
    if not len(val[1]):
        return classification_metrics(*test) | {"val_n": 0}
    val_metrics = classification_metrics(*val)
    return classification_metrics(*test) | {f"val_{key}": v for key, v in val_metrics.items()}


def _gain(metrics: dict[str, dict[str, Any]]) -> dict[str, Any]:
    by_validation = metrics[FUSED]["val_n"] > 0

    def rank(stream: str) -> tuple[float, float]:
        found = metrics[stream]
        if by_validation:
            return found["val_top1"], -found["val_log_loss"]
        return -found["log_loss"], 0.0

    best = max(STREAMS, key=rank)
    return {
        "best_stream": best,
        "best_stream_chosen_by": "val_top1" if by_validation else "log_loss",
        "gain_over_best_stream": metrics[FUSED]["top1"] - metrics[best]["top1"],
    }
