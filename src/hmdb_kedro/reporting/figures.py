"""Figures of results."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.style import add_menu, style

ACCURACIES = {"top1": "top-1", "top5": "top-5", "mean_class_accuracy": "mean class accuracy"}
_CELL_PX = 16
_MARGINS_PX = 220


def comparison_figure(table: pd.DataFrame) -> go.Figure:
    """Draw the accuracies of every model side by side, for test clips.

    Args:
        table: What `comparison_table` returns.
    """
    bars = [
        go.Bar(
            x=table["model"].to_list(),
            y=table[name].to_list(),
            name=title,
            texttemplate="%{y:.1%}",
            textposition="outside",
        )
        for name, title in ACCURACIES.items()
    ]
    figure = go.Figure(bars)
    figure.update_layout(barmode="group")
    figure.update_yaxes(title="share of test clips", tickformat=".0%", range=[0, 1.1])
    return style(figure, "Accuracy on test clips", height=480)


def confusion_figure(confusions: Mapping[str, np.ndarray], classes: Sequence[str]) -> go.Figure:
    """Draw one confusion matrix a model, chosen from a menu; the last model shows first.

    Args:
        confusions: By model, counts of shape (C, C): rows are true classes.
        classes: Their names.
    """
    models = list(confusions)
    figure = go.Figure([_heatmap(confusions[model], classes) for model in models])
    style(figure, _title(models[-1]))
    size = max(520, _MARGINS_PX + _CELL_PX * len(classes))
    figure.update_layout(width=size + 80, height=size)
    layouts = {model: {"title.text": _title(model)} for model in models}
    add_menu(figure, models, layouts, active=len(models) - 1)
    font = {"size": 10}
    figure.update_xaxes(title="predicted", tickangle=-90, dtick=1, tickfont=font)
    figure.update_yaxes(title="true", autorange="reversed", dtick=1, tickfont=font)
    return figure


def _heatmap(counts: np.ndarray, classes: Sequence[str]) -> go.Heatmap:
    clips = counts.sum(axis=1, keepdims=True)
    # A class without a clip has no row: blank, not 0.
    shares = np.divide(counts, clips, out=np.full(counts.shape, np.nan), where=clips > 0)
    return go.Heatmap(
        z=[[None if np.isnan(v) else round(float(v), 4) for v in row] for row in shares],
        customdata=counts.round(2).tolist(),
        x=list(classes),
        y=list(classes),
        zmin=0,
        zmax=1,
        colorscale="Blues",
        xgap=1,
        ygap=1,
        colorbar={"title": "share of<br>true class", "tickformat": ".0%"},
        hovertemplate=(
            "true %{y}<br>predicted %{x}<br>%{z:.1%} (%{customdata} clips)<extra></extra>"
        ),
    )


def _title(model: str) -> str:
    return f"Confusion of {model} on test clips"
