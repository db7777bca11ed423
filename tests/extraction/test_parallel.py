"""Rows are made no faster than they are stored, and nothing hangs where nobody asks for more."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pytest
from params import make

from hmdb_kedro.extraction.parallel import row_batches, table_schema

WORK = make("frames", n_jobs=2, batch_clips=2)
SCHEMA = table_schema([("clip_id", pa.string()), ("status", pa.string())], WORK)
MOST_WAITING = 2 + 2 * 2  # workers, and two batches
N_CLIPS = 40
FAILS_TO_STORE = """
from test_parallel import batches
first = batches([])
next(first)
raise OSError("no space left")
"""


def batches(made, work=WORK):
    """Rows of clips without content; notes which were made."""

    def make_row(clip_id):
        made.append(clip_id)
        return {"clip_id": clip_id, "status": "ok"}

    return row_batches(make_row, [str(i) for i in range(N_CLIPS)], SCHEMA, work, "waiting")


def wait_until_nothing_moves(made):
    before = -1
    while before < len(made):
        before = len(made)
        time.sleep(0.3)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_slow_store_holds_up_the_workers_and_gets_every_row(n_jobs):
    made = []
    rows = batches(made, WORK.model_copy(update={"n_jobs": n_jobs}))
    taken = [next(rows)]
    wait_until_nothing_moves(made)
    assert len(made) <= MOST_WAITING + WORK.batch_clips
    taken += rows
    clip_ids = pa.concat_tables(taken)["clip_id"].to_pylist()
    assert sorted(clip_ids) == sorted(made)
    assert len(made) == N_CLIPS


@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
def test_who_stops_early_waits_for_nobody_and_leaves_nobody_waiting():
    made = []
    before = threading.active_count()
    stopped = threading.Event()

    def take_one_batch():
        rows = batches(made)
        next(rows)
        wait_until_nothing_moves(made)
        rows.close()
        stopped.set()

    threading.Thread(target=take_one_batch, daemon=True).start()
    assert stopped.wait(20)
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before
    assert len(made) < N_CLIPS


def test_a_store_that_fails_ends_the_process():
    run = subprocess.run(
        [sys.executable, "-c", FAILS_TO_STORE],
        check=False,
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "no space left" in run.stderr
