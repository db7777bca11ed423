"""How a training went, epoch by epoch."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from hmdb_kedro.reporting.style import COLOURS, style

_FIGURES = ("loss", "accuracy")
_PARTS = {"training": ("", COLOURS[4]), "validation": ("val_", COLOURS[1])}


def plot_curves(history: Mapping[str, Any]) -> go.Figure:
    """Draw loss and accuracy over the epochs, and mark the one whose weights stand.

    Training clips are seen augmented and with dropout, validation clips without: a training
    loss above that of validation is no mistake.

    Args:
        history: epochs (the figures of each), chosen_epoch (from 1), and maybe phases (how many
            epochs each took, by name).
    """
    epochs, chosen = history["epochs"], history["chosen_epoch"]
    figure = make_subplots(rows=1, cols=2, subplot_titles=("Loss, nats", "Accuracy"))
    for column, name in enumerate(_FIGURES, start=1):
        for part, (prefix, colour) in _PARTS.items():
            key = f"{prefix}{name}"
            if any(key in figures for figures in epochs):
                values = [figures.get(key) for figures in epochs]
                figure.add_trace(_line(values, part, colour, column == 1), row=1, col=column)
    figure.add_vline(x=chosen, line={"dash": "dot", "color": COLOURS[6]})
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%", row=1, col=2)
    figure.update_layout(hovermode="x unified")
    return style(figure, f"Epochs of training: {_stands(history)}", 440)


def _line(values: list[float | None], part: str, colour: str, in_legend: bool) -> go.Scatter:
    return go.Scatter(
        x=list(range(1, len(values) + 1)),
        y=values,
        name=part,
        legendgroup=part,
        showlegend=in_legend,
        mode="lines+markers",
        line={"color": colour},
        hovertemplate="%{y:.3f}",
    )


def _stands(history: Mapping[str, Any]) -> str:
    text = f"the weights of epoch {history['chosen_epoch']} stand"
    phases = {name: n for name, n in history.get("phases", {}).items() if n}
    if len(phases) < 2:
        return text
    return f"{text} ({', then '.join(f'{n} of {name}' for name, n in phases.items())})"
