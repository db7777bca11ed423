"""Show how far the clips are: a bar in a terminal, a line now and then in a log."""

import logging
import time
from collections.abc import Iterator

import pyarrow as pa
from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger(__name__)

_LINE_EVERY_S = 30.0


def watched(rows: Iterator[pa.RecordBatch], total: int, title: str) -> Iterator[pa.RecordBatch]:
    """Pass the rows on and show how many are done, how fast, and how many were rejected.

    Args:
        rows: One a clip, with its `status`.
        total: How many there will be.
        title: What is being done.
    """
    follow = _with_bar if get_console().is_terminal else _with_lines
    yield from follow(rows, total, title)


class _Count:
    """Clips done and rejected, and their rate."""

    def __init__(self) -> None:
        self.done = self.rejected = 0
        self._start = time.monotonic()

    def add(self, row: pa.RecordBatch) -> None:
        self.done += 1
        self.rejected += row["status"][0].as_py() != "ok"

    @property
    def rate(self) -> float:
        return self.done / max(time.monotonic() - self._start, 1e-9)


def _with_bar(rows: Iterator[pa.RecordBatch], total: int, title: str) -> Iterator[pa.RecordBatch]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f} clips/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rejected]} rejected"),
    )
    count = _Count()
    # The console that Kedro's log lines go to, so that they stand above the bar.
    with Progress(*columns, console=get_console(), transient=True) as progress:
        task = progress.add_task(title, total=total, rate=0.0, rejected=0)
        for row in rows:
            count.add(row)
            progress.update(task, advance=1, rate=count.rate, rejected=count.rejected)
            yield row
    _say(count, total, title)


def _with_lines(rows: Iterator[pa.RecordBatch], total: int, title: str) -> Iterator[pa.RecordBatch]:
    count, due = _Count(), time.monotonic() + _LINE_EVERY_S
    for row in rows:
        count.add(row)
        if time.monotonic() >= due and count.done < total:
            due = time.monotonic() + _LINE_EVERY_S
            _say(count, total, title)
        yield row
    _say(count, total, title)


def _say(count: _Count, total: int, title: str) -> None:
    left_s = (total - count.done) / count.rate
    remaining = f", {left_s / 60:.0f} min left" if count.done < total else ""
    logger.info(
        "%s: %d of %d clips, %.1f clips/s, %d rejected%s",
        title,
        count.done,
        total,
        count.rate,
        count.rejected,
        remaining,
    )
