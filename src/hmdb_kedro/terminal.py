"""What a person reads: tables and log lines, as a terminal shows them or a file keeps them."""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import get_console
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from hmdb_kedro.extraction.planning import Estimate, Work
    from hmdb_kedro.jobs.comparing import Difference
    from hmdb_kedro.jobs.maintenance import Stale

_COLUMNS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class_accuracy": "mean class acc.",
    "log_loss": "log loss",
    "ece": "ECE",
    "n": "clips",
}
# From here on, a figure's decimals say nothing.
_LARGE = 1000
# Columns of a table that is piped: nothing is folded that a wide screen would not fold.
_PIPED_WIDTH = 160


def log_plainly_when_piped() -> None:
    """Write a log line as one line where no terminal reads it.

    Kedro's handler lays lines out for a screen of 80 columns, whoever reads them: it folds them
    and fills them up with blanks.
    """
    if sys.stdout.isatty() or get_console().is_jupyter:
        return
    root = logging.getLogger()
    plain = logging.StreamHandler(sys.stdout)
    plain.setFormatter(logging.Formatter("%(asctime)s %(levelname)-8s %(message)s", "%H:%M:%S"))
    root.handlers = [plain if type(h).__name__ == "RichHandler" else h for h in root.handlers]


def log_everything() -> None:
    """Let this project's debugging lines through, and Kedro's own account of what it does."""
    logging.getLogger("hmdb_kedro").setLevel(logging.DEBUG)
    for name in ("kedro", "kedro_mlflow"):
        logging.getLogger(name).setLevel(logging.INFO)


def _be_verbose(context: click.Context, option: click.Parameter, is_asked: bool) -> None:
    if is_asked:
        log_everything()


VERBOSE = click.Option(
    ["--verbose", "-v"],
    is_flag=True,
    expose_value=False,
    callback=_be_verbose,
    help="Say what Kedro does too, and show the traceback behind an error of one line.",
)


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


def side_by_side_table(table: "pd.DataFrame", title: str) -> Table:
    """Return one row a setting or figure, one column a run."""
    shown = Table(title=title)
    shown.add_column(no_wrap=True)
    for run in table.columns:
        shown.add_column(str(run), justify="right", overflow="fold")
    known = table.astype(object).where(table.notna(), None)
    for name, values in known.iterrows():
        shown.add_row(str(name), *map(_figure, values))
    return shown


def differences_table(found: "Sequence[Difference]") -> Table:
    """Return one row a figure of one pair: the difference and, where known, how sure it is."""
    notes = dict.fromkeys(row.note for row in found if row.note)
    table = Table(
        title=f"{found[0].run} less {found[0].against}",
        caption=". ".join(["Intervals by source video, for these trained models", *notes]),
    )
    table.add_column(no_wrap=True)
    for title in ("difference", "95 % interval", "p (Holm)", "test clips"):
        table.add_column(title, justify="right")
    for row in found:
        ends = "–" if row.low is None else f"{row.low:+.3f} to {row.high:+.3f}"
        p_value = "–" if row.p_holm is None else _p_value(row.p_holm)
        size = "+" * (row.difference > 0) + _figure(row.difference)
        table.add_row(row.figure, size, ends, p_value, _cell(row.n_clips))
    return table


def show(table: Table) -> None:
    """Write a table to the terminal."""
    piped = None if sys.stdout.isatty() or get_console().is_jupyter else _PIPED_WIDTH
    Console(width=piped).print(table)


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


def _figure(value: Any) -> str:
    is_large = isinstance(value, float) and abs(value) >= _LARGE
    return f"{value:,.0f}" if is_large else _cell(value)


def _p_value(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def _duration(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} h"
    return f"{60 * hours:.1f} min" if hours >= 1 / 60 else f"{3600 * hours:.1f} s"
