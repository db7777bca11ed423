"""What a benchmark gives, and how it is shown and kept."""

import json
import platform
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
from joblib import cpu_count
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Measurement:
    """One figure and the bound it is held to.

    Attributes:
        name: What was measured.
        value: The figure.
        at_least: Its lower bound, or None.
        at_most: Its upper bound, or None.
        details: What it was computed from.
    """

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def is_held(self) -> bool:
        """Whether the figure keeps its bounds."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )


Benchmark = Callable[[Path], Iterator[Measurement]]


def show(measurements: list[Measurement]) -> None:
    """Print one row a figure."""
    table = Table(title=f"Benchmarks, {cpu_count()} cores")
    for title in ("figure", "value", "bound", "held"):
        table.add_column(title)
    for found in measurements:
        table.add_row(
            found.name, f"{found.value:.3g}", _bound(found), "yes" if found.is_held else "NO"
        )
    Console().print(table)


def keep(measurements: list[Measurement], file: Path) -> None:
    """Write the figures and where they were measured as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {cpu_count()} cores, Python {platform.python_version()}",
        "opencv": cv2.__version__,
        "figures": [asdict(found) | {"is_held": found.is_held} for found in measurements],
    }
    file.write_text(json.dumps(record, indent=2), encoding="utf-8")


def _bound(found: Measurement) -> str:
    lower = [] if found.at_least is None else [f"≥ {found.at_least:g}"]
    upper = [] if found.at_most is None else [f"≤ {found.at_most:g}"]
    return " ".join(lower + upper) or "–"
