"""Figures with one row a class: how a measure is distributed, how clips divide."""

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.reporting.style import COLOURS, add_menu, class_axis, rows_height, style

NOT_GIVEN = "not given"
_NOT_GIVEN_COLOUR = "#DDDDDD"
_QUANTILES = {"lowerfence": 0.05, "q1": 0.25, "median": 0.5, "q3": 0.75, "upperfence": 0.95}
_EXTREMES = 5


def boxes_by_class(clips: pd.DataFrame, measures: Mapping[str, str], title: str) -> go.Figure:
    """Draw one box a class of one measure, chosen from a menu; the longest median is on top.

    A box spans the quartiles, its whiskers 5 % to 95 %. The five lowest and the five highest
    clips of a class are points that tell their names: all thousands would weigh megabytes.

    Args:
        clips: clip_id, label, and a column a measure; null where unknown.
        measures: Column → what the menu and the axis call it, unit included.
        title: Of the figure.
    """
    figure, owners, layouts = go.Figure(), [], {}
    for column, name in measures.items():
        known = clips[["clip_id", "label"]].assign(value=clips[column].astype("float64")).dropna()
        quantiles = _quantiles(known)
        figure.add_traces([_boxes(quantiles), _extreme_points(known)])
        owners += [name, name]
        layouts[name] = {"xaxis.title.text": name, "yaxis.categoryarray": list(quantiles.index)}
    figure.update_xaxes(rangemode="tozero")
    figure.update_layout(showlegend=False)
    class_axis(figure, [])
    add_menu(figure, owners, layouts)
    return style(figure, title, rows_height(clips["label"].nunique()))


def shares_by_class(
    clips: pd.DataFrame, kinds: Mapping[str, tuple[str, Sequence[str]]], title: str
) -> go.Figure:
    """Draw how the clips of each class divide, 100 % a class; by what is chosen from a menu.

    Args:
        clips: label, and a text column for each of `kinds`; null where not given.
        kinds: Column → what the menu calls it, and its values in order.
        title: Of the figure.
    """
    figure, owners = go.Figure(), []
    for column, (name, values) in kinds.items():
        counts = pd.crosstab(clips["label"], clips[column].fillna(NOT_GIVEN))
        bars = _share_bars(counts, values)
        figure.add_traces(bars)
        owners += [name] * len(bars)
    labels = sorted(set(clips["label"]), reverse=True)
    # One value alone must be named too.
    figure.update_layout(barmode="stack", showlegend=True, legend={"traceorder": "normal"})
    figure.update_xaxes(title="share of the class's clips", tickformat=".0%", range=[0, 1])
    class_axis(figure, labels)
    add_menu(figure, owners, {name: {} for name, _ in kinds.values()})
    return style(figure, title, rows_height(len(labels)))


def _quantiles(known: pd.DataFrame) -> pd.DataFrame:
    """Return a row a class, a column a quantile, the longest median last."""
    shares = list(_QUANTILES.values())
    # Reindexed, for a measure that no clip has gives no columns.
    table = known.groupby("label")["value"].quantile(shares).unstack().reindex(columns=shares)
    return table.sort_values(_QUANTILES["median"], kind="stable").round(4)


def _boxes(quantiles: pd.DataFrame) -> go.Box:
    numbers = {name: quantiles[share].to_list() for name, share in _QUANTILES.items()}
    return go.Box(y=list(quantiles.index), **numbers, orientation="h", line={"width": 1.2}, name="")


def _extreme_points(known: pd.DataFrame) -> go.Scatter:
    """Mark the lowest and the highest clips of each class."""
    ordered = known.sort_values(["value", "clip_id"])
    by_class = ordered.groupby("label")
    rank, rank_from_top = by_class.cumcount(), by_class.cumcount(ascending=False)
    extreme = ordered.loc[(rank < _EXTREMES) | (rank_from_top < _EXTREMES)]
    return go.Scatter(
        x=extreme["value"].round(3).to_list(),
        y=extreme["label"].to_list(),
        text=extreme["clip_id"].to_list(),
        mode="markers",
        marker={"size": 4, "color": COLOURS[5], "opacity": 0.7},
        hovertemplate="%{text}<br>%{x}<extra></extra>",
    )


def _share_bars(counts: pd.DataFrame, values: Sequence[str]) -> list[go.Bar]:
    shares = counts.div(counts.sum(axis=1), axis=0).round(4)
    colours = {**dict(zip(values, COLOURS, strict=False)), NOT_GIVEN: _NOT_GIVEN_COLOUR}
    return [
        go.Bar(
            x=shares[value].to_list(),
            y=list(shares.index),
            customdata=counts[value].to_list(),
            orientation="h",
            name=value,
            marker={"color": colour},
            hovertemplate="%{y}, " + value + "<br>%{x:.1%} (%{customdata} clips)<extra></extra>",
        )
        for value, colour in colours.items()
        if value in counts
    ]
