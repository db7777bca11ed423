"""Tables, as a terminal shows them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import optuna

    from hmdb_kedro.extraction.planning import Estimate, Work
    from hmdb_kedro.maintenance import Stale

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


def plan_table(work: "Work", estimates: "Sequence[Estimate]", free_gb: float) -> Table:
    """Return one row a step: what it will take for the whole set."""
    table = Table(
        title=f"{work.n_clips:,} clips, about {work.n_frames:,} frames",
        caption=f"Timed on {len(work.tried)} clips, one core each; {free_gb:.1f} GB are free. "
        + " ".join(f"{clip}: {reason}." for clip, reason in work.unreadable.items()),
    )
    table.add_column("step")
    for title in ("ms a frame", "time here", "GB"):
        table.add_column(title, justify="right")
    for step in estimates:
        lacks = " !" if step.gigabytes > free_gb else ""
        stored = f"{step.gigabytes:.2f}{lacks}"
        table.add_row(step.step, f"{step.ms_per_frame:.2f}", _duration(step.hours), stored)
    return table


def stale_table(stale: "Sequence[Stale]", data_root: Path) -> Table:
    """Return one row an entry below `data_root`: the versions that can go, what that frees."""
    total = sum(entry.n_bytes for entry in stale)
    table = Table(title=f"Versions that can go: {total / 1e6:,.1f} MB")
    table.add_column("entry", overflow="fold")
    table.add_column("versions", justify="right")
    table.add_column("MB", justify="right")
    for entry in stale:
        table.add_row(
            str(entry.path.relative_to(data_root)),
            str(len(entry.versions)),
            f"{entry.n_bytes / 1e6:,.1f}",
        )
    return table


def sweep_table(study: "optuna.Study") -> Table:
    """Return one row a finished trial, the lowest validation loss first."""
    finished = sorted(
        (trial for trial in study.trials if trial.value is not None and trial.state.is_finished()),
        key=lambda trial: float(trial.value or 0),
    )
    cut = sum(trial.state.name == "PRUNED" for trial in study.trials)
    table = Table(
        title=f"Search over {study.study_name}: {len(study.trials)} trials, {cut} cut short",
        caption="Judged on few validation clips, the best of many trials looks better than it is.",
    )
    names = sorted({name for trial in finished for name in trial.params})
    for title in ("trial", "val. loss", *names):
        table.add_column(title, justify="right")
    for trial in finished:
        values = (f"{trial.params[name]:.3g}" for name in names)
        cut_mark = " (cut)" if trial.state.name == "PRUNED" else ""
        table.add_row(f"{trial.number}{cut_mark}", f"{trial.value:.4f}", *values)
    return table


def protocol_table(summary: Mapping[str, Any]) -> Table:
    """Return one row a model, from the catalog's `protocol_summary`."""
    table = Table(
        title=f"Splits {_joined(summary['splits'])}, seeds {_joined(summary['seeds'])}: "
        f"about {summary['about']}",
        caption="Interval: all clips pooled, by source video. ±: standard deviations.",
    )
    table.add_column("model")
    titles = ("top-1", "95 % interval", "± splits", "± seeds", "mean class acc.", "runs")
    for title in titles:
        table.add_column(title, justify="right")
    for model, found in summary["models"].items():
        deviations = (found["sd_over_splits"], found["sd_over_seeds"])
        table.add_row(
            model,
            _cell(found["top1"]),
            _ends(found["pooled"]),
            *map(_cell, deviations),
            _cell(found["mean_class_accuracy"]),
            str(len(found["runs"])),
        )
    return table


def comparisons_table(pairs: "Sequence[Mapping[str, Any]]") -> Table:
    """Return one row a declared pair of models, with the verdict in words."""
    table = Table(title="Declared comparisons", show_header=False)
    table.add_column("verdict", overflow="fold")
    for pair in pairs:
        table.add_row(pair["sentence"])
    return table


def show(table: Table) -> None:
    """Write a table to the terminal."""
    Console().print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _ends(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return "–"
    return f"{interval['low']:.3f}–{interval['high']:.3f}"


def _joined(values: "Sequence[Any]") -> str:
    return ", ".join(map(str, values))


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.1f} s"
