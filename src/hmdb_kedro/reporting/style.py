"""One look for all figures."""

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
_MARGINS_PX = 160


def style(figure: go.Figure, title: str, height: int | None = None) -> go.Figure:
    """Give a figure its title and the common look: white, large enough to read."""
    figure.update_layout(
        template="plotly_white",
        colorway=COLOURS,
        title={"text": title, "font": {"size": 18}},
        font={"size": 13},
        legend={"title": None},
        margin={"l": 20, "r": 20, "t": 80, "b": 50},
        height=height,
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def rows_height(n_rows: int) -> int:
    """Return the pixels a figure with one labelled row a class needs."""
    return max(360, _MARGINS_PX + _PIXELS_A_ROW * n_rows)
