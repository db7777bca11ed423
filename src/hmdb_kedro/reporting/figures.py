"""Figures of results: how the models compare, and what they confuse."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hmdb_kedro.reporting.style import COLOURS, add_menu, class_axis, error_bars, rows_height, style

ACCURACIES = {"top1": "top-1", "top5": "top-5", "mean_class_accuracy": "mean class accuracy"}
_CELL_PX = 16
_MARGINS_PX = 220


def comparison_figure(table: pd.DataFrame, published: pd.DataFrame) -> go.Figure:
    """Draw the accuracies of every model side by side, for test clips.

    Args:
        table: What `comparison_table` returns.
        published: What `published_figures` returns, drawn apart and hatched; may be empty.
    """
    n_columns = 2 if len(published) else 1
    figure = make_subplots(1, n_columns, shared_yaxes=True, horizontal_spacing=0.04)
    for name, title in ACCURACIES.items():
        figure.add_trace(_bars(table, name, title), row=1, col=1)
    if len(published):
        figure.add_trace(_published_bars(published), row=1, col=2)
        figure.update_xaxes(title="published by others, not measured here", row=1, col=2)
    figure.update_xaxes(title="measured<br>whiskers: 95 %, by source", row=1, col=1)
    figure.update_layout(barmode="group")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.1])
    figure.update_yaxes(title="share of test clips", row=1, col=1)
    style(figure, "Accuracy on test clips", height=540)
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top"})
    return figure


def confusion_figure(
    confusions: Mapping[str, np.ndarray], classes: Sequence[str], order: Sequence[int]
) -> go.Figure:
    """Draw one confusion matrix a model, chosen from a menu; the last model shows first.

    Args:
        confusions: By model, counts of shape (C, C): rows are true classes.
        classes: Their names.
        order: Positions of the classes in the order they are drawn in, the same for all models.
    """
    models, names = list(confusions), [classes[position] for position in order]
    place = np.ix_(order, order)
    figure = go.Figure([_heatmap(confusions[model][place], names) for model in models])
    style(figure, _title(models[-1]))
    size = max(520, _MARGINS_PX + _CELL_PX * len(classes))
    figure.update_layout(width=size + 80, height=size)
    layouts = {model: {"title.text": _title(model)} for model in models}
    add_menu(figure, models, layouts, active=len(models) - 1)
    font = {"size": 10}
    predicted = "predicted<br>classes that are confused stand together"
    figure.update_xaxes(title=predicted, tickangle=-90, dtick=1, tickfont=font)
    figure.update_yaxes(title="true", autorange="reversed", dtick=1, tickfont=font)
    return figure


def class_figure(accuracies: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw the accuracy within each class, one model at a time, chosen from a menu.

    Args:
        accuracies: By model, a row a class with test clips: label, top1, low, high (null where
            there are too few sources) and n_clips. The last model shows first; the best class of
            the chosen model is on top.
    """
    figure, layouts = go.Figure(), {}
    for model, table in accuracies.items():
        ordered = table.sort_values(["top1", "label"], ascending=[True, False])
        figure.add_trace(
            go.Bar(
                x=ordered["top1"].to_list(),
                y=ordered["label"].to_list(),
                error_x=error_bars(ordered["top1"], ordered["low"], ordered["high"]),
                customdata=ordered["n_clips"].to_list(),
                orientation="h",
                marker={"color": COLOURS[0]},
                hovertemplate="%{y}<br>%{x:.1%} of %{customdata} clips<extra></extra>",
            )
        )
        title = f"Accuracy of {model} by class"
        layouts[model] = {
            "title.text": title,
            "yaxis.categoryarray": ordered["label"].to_list(),
        }
    models = list(accuracies)
    n_rows = len(accuracies[models[-1]])
    style(figure, "", rows_height(n_rows))
    class_axis(figure, [])
    share = "share of the class's test clips<br>whiskers: 95 %, from 8 sources on"
    figure.update_xaxes(title=share, tickformat=".0%", range=[0, 1.02])
    add_menu(figure, models, layouts, active=len(models) - 1)
    return figure


def _bars(table: pd.DataFrame, name: str, title: str) -> go.Bar:
    has_ends = f"{name}_low" in table
    ends = error_bars(table[name], table[f"{name}_low"], table[f"{name}_high"]) if has_ends else {}
    return go.Bar(
        x=table["model"].to_list(),
        y=table[name].to_list(),
        error_y=ends,
        name=title,
        texttemplate="%{y:.1%}",
        textposition="inside",
        insidetextanchor="start",
    )


def _published_bars(published: pd.DataFrame) -> go.Bar:
    return go.Bar(
        x=published["short"].to_list(),
        y=published["top1"].to_list(),
        customdata=published[["model", "streams", "splits", "source"]].to_numpy().tolist(),
        name="top-1, published",
        marker={"color": COLOURS[6], "pattern": {"shape": "/"}},
        texttemplate="%{y:.1%}",
        hovertemplate=(
            "%{customdata[0]}<br>%{customdata[1]}, %{customdata[2]}: %{y:.1%}<br>%{customdata[3]}"
            "<extra>published</extra>"
        ),
    )


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
        # The empty line keeps the title off the topmost number.
        colorbar={"title": "share of<br>true class<br>&nbsp;", "tickformat": ".0%"},
        hovertemplate=(
            "true %{y}<br>predicted %{x}<br>%{z:.1%} (%{customdata} clips)<extra></extra>"
        ),
    )


def _title(model: str) -> str:
    return f"Confusion of {model} on test clips"
