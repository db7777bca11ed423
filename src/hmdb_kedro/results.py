"""The table of final results, as a terminal shows it."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_COLUMNS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class_accuracy": "mean class acc.",
    "log_loss": "log loss",
    "ece": "ECE",
    "n": "clips",
}


def results_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return one row a model, from the catalog's `metrics`."""
    table = Table(title="Results on the test clips")
    table.add_column("model")
    for title in _COLUMNS.values():
        table.add_column(title, justify="right")
    for model, scores in metrics.items():
        table.add_row(model, *(_cell(scores.get(name)) for name in _COLUMNS))
    return table


def show_results(metrics: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the table to the terminal."""
    Console().print(results_table(metrics))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
