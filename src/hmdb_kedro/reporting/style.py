"""One look for all figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

# Okabe and Ito's colours: told apart by colour-blind readers too.
COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999"]
PARTITION_COLOURS = {
    "train": COLOURS[0],
    "val": COLOURS[4],
    "test": COLOURS[1],
    "unused": COLOURS[6],
    "unlisted": COLOURS[3],
    "rejected": COLOURS[5],
}
_PIXELS_A_ROW = 20
_MARGINS_PX = 180
_TITLE_PX = 18
# Title, and a menu below it. kedro-viz leaves less: what is told beside stands at an axis.
_HEAD_PX = 80
_LINES = "rgba(128, 128, 128, 0.25)"


def style(figure: go.Figure, title: str, height: int | None = None) -> go.Figure:
    """Give a figure its title and the common look: white, large enough to read."""
    figure.update_layout(
        template="plotly_white",
        colorway=COLOURS,
        # No `y`: kedro-viz counts it from the plot.
        title={
            "text": title,
            "font": {"size": _TITLE_PX},
            "x": 0,
            "pad": {"l": 20},
        },
        font={"size": 13},
        legend={"title": None},
        margin={"l": 20, "r": 20, "t": _HEAD_PX, "b": 50},
        height=height,
    )
    # kedro-viz turns the first pair of axes dark, and leaves the others as they are.
    lines = dict.fromkeys(("gridcolor", "linecolor", "zerolinecolor"), _LINES)
    figure.update_xaxes(automargin=True, **lines)
    figure.update_yaxes(automargin=True, **lines)
    return figure


def rows_height(n_rows: int) -> int:
    """Return the pixels a figure with one labelled row a class needs."""
    return max(360, _MARGINS_PX + _PIXELS_A_ROW * n_rows)


def class_axis(figure: go.Figure, labels: Sequence[str]) -> None:
    """Give each class a labelled row, the last one on top."""
    figure.update_yaxes(
        title=None, type="category", categoryorder="array", categoryarray=list(labels), dtick=1
    )


def add_menu(
    figure: go.Figure,
    owners: Sequence[str],
    layouts: Mapping[str, dict[str, Any]],
    active: int = 0,
) -> None:
    """Let the reader choose which traces show, and show the active choice.

    Args:
        figure: What the menu is added to.
        owners: For each trace, the choice it belongs to.
        layouts: By choice, in the menu's order, what else it changes: dotted path → value.
        active: Position of the choice shown first.
    """
    shown = {choice: [owner == choice for owner in owners] for choice in layouts}
    buttons = [
        {"label": choice, "method": "update", "args": [{"visible": shown[choice]}, changes]}
        for choice, changes in layouts.items()
    ]
    place = {"x": 1.0, "xanchor": "right", "y": 1.0, "yanchor": "bottom", "pad": {"b": 10}}
    figure.update_layout(updatemenus=[{"buttons": buttons, "active": active, **place}])
    first = list(layouts)[active]
    for trace, is_shown in zip(figure.data, shown[first], strict=True):
        trace.visible = is_shown
    for path, value in layouts[first].items():
        figure.layout[path] = value


def error_bars(
    values: "pd.Series[float]", lows: "pd.Series[float]", highs: "pd.Series[float]"
) -> dict[str, Any]:
    """Return whiskers from low to high; none where they are null."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (highs - values).fillna(0).to_list(),
        "arrayminus": (values - lows).fillna(0).to_list(),
        "thickness": 1.2,
        "width": 3,
    }


def empty_figure(title: str, reason: str) -> go.Figure:
    """Return a figure that says why there is nothing to see."""
    figure = go.Figure()
    figure.add_annotation(text=reason, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return style(figure, title, height=360)
