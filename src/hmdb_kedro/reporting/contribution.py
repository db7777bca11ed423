"""Figures of what each stream brings: overlap, weight, gain by group, reliability."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.style import (
    COLOURS,
    add_menu,
    class_axis,
    empty_figure,
    error_bars,
    rows_height,
    style,
)

ALL = "all classes"
NONE_RIGHT = ("neither", "none")
_NONE_COLOUR = "#DDDDDD"
_DASHED = {"dash": "dash", "color": COLOURS[6]}


def overlap_figure(
    shares: Mapping[str, float], by_class: Mapping[str, Mapping[str, float]]
) -> go.Figure:
    """Draw which streams get which share of the clips right: over all, and by class.

    Args:
        shares: Set of streams → share of all clips that it alone gets right.
        by_class: The same within each class. The class with most clips none gets right is lowest.
    """
    kinds = [kind for kind in shares if kind not in NONE_RIGHT]
    wrong = next(kind for kind in shares if kind in NONE_RIGHT)
    ordered = sorted(by_class, key=lambda label: (-by_class[label][wrong], label))
    rows = {label: by_class[label] for label in ordered} | {ALL: shares}
    colours = dict(zip(kinds, COLOURS, strict=False)) | {wrong: _NONE_COLOUR}
    bars = [
        go.Bar(
            x=[round(found[kind], 4) for found in rows.values()],
            y=list(rows),
            orientation="h",
            name=kind.replace("_", " "),
            marker={"color": colour},
            hovertemplate="%{y}, " + kind + "<br>%{x:.1%}<extra></extra>",
        )
        for kind, colour in colours.items()
    ]
    figure = go.Figure(bars)
    figure.update_layout(barmode="stack", legend={"traceorder": "normal"})
    figure.update_xaxes(title="share of test clips", tickformat=".0%", range=[0, 1])
    class_axis(figure, list(rows))
    return style(figure, "Which streams are right", rows_height(len(rows)))


def weight_figure(curve: Mapping[str, Any]) -> go.Figure:
    """Draw accuracy over the weight of two streams' product.

    Args:
        curve: first and second (names), test and perhaps val: rows of weight, top1, log_loss.
    """
    first, second = curve["first"], curve["second"]
    figure = go.Figure()
    for name, colour in (("test", COLOURS[0]), ("val", COLOURS[1])):
        rows = curve.get(name, [])
        if not rows:
            continue
        figure.add_trace(
            go.Scatter(
                x=[row["weight"] for row in rows],
                y=[row["top1"] for row in rows],
                customdata=[row["log_loss"] for row in rows],
                mode="lines",
                name=f"{name} clips",
                line={"color": colour},
                hovertemplate="weight %{x:.2f}<br>%{y:.1%}<br>log loss %{customdata:.3f} nats",
            )
        )
    figure.update_xaxes(title=f"weight of {first}; the rest is {second}'s", range=[0, 1])
    figure.update_yaxes(title="top-1", tickformat=".0%", rangemode="tozero")
    return style(figure, f"Accuracy over the weight of {first} and {second}", height=480)


def gain_figure(gains: pd.DataFrame, streams: Sequence[str]) -> go.Figure:
    """Draw what fusion gains over a stream in each group of clips; the stream from a menu.

    Args:
        gains: What `gains_by_group` returns.
        streams: Of the fusion.
    """
    if gains.empty:
        return empty_figure("Gain of the fusion by group", "No group of clips is known.")
    figure, layouts = go.Figure(), {}
    names = [f"{row.field}: {row.value}" for row in gains.itertuples()]
    for stream in streams:
        column = f"gain_over_{stream}"
        figure.add_trace(
            go.Scatter(
                x=gains[column].to_list(),
                y=names,
                error_x=error_bars(gains[column], gains[f"{column}_low"], gains[f"{column}_high"]),
                customdata=gains["n_clips"].to_list(),
                mode="markers",
                marker={"color": COLOURS[0], "size": 8},
                hovertemplate="%{y}<br>%{x:+.1%} (%{customdata} clips)<extra></extra>",
            )
        )
        layouts[stream] = {"title.text": f"Gain of the fusion over {stream}"}
    style(figure, "", rows_height(len(names)))
    class_axis(figure, names[::-1])
    figure.add_vline(x=0, line=_DASHED)
    title = "gain of accuracy<br>whiskers: 95 %,<br>from 8 sources on"
    figure.update_xaxes(title=title, tickformat="+.0%")
    figure.update_layout(showlegend=False)
    add_menu(figure, list(streams), layouts)
    return figure


def reliability_figure(calibrations: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Draw accuracy over confidence in bins of equal mass, a line a model.

    Args:
        calibrations: By model: bins (n, confidence, accuracy), ece, ece_if_calibrated, log_loss
            (nats) and brier.
    """
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=_DASHED, name="as sure as right")
    )
    for model, found in calibrations.items():
        name = (
            f"{model}: log loss {found['log_loss']:.2f}, Brier {found['brier']:.2f}, ECE "
            f"{found['ece']:.3f} (by chance {found['ece_if_calibrated']:.3f})"
        )
        figure.add_trace(
            go.Scatter(
                x=[part["confidence"] for part in found["bins"]],
                y=[part["accuracy"] for part in found["bins"]],
                customdata=[part["n"] for part in found["bins"]],
                mode="lines+markers",
                name=name,
                hovertemplate="sure %{x:.1%}<br>right %{y:.1%}<br>%{customdata} clips",
            )
        )
    title = "mean confidence of the bin<br>ten bins of equal mass"
    figure.update_xaxes(title=title, tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title="share that is right", tickformat=".0%", range=[0, 1.02])
    style(figure, "Reliability on test clips", height=640)
    figure.update_layout(legend={"orientation": "h", "y": -0.2, "yanchor": "top"})
    return figure
