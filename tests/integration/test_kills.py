"""A run killed again and again ends with the table of one that was left in peace."""

import random
import signal
import time

import numpy as np
import pandas as pd
import pytest
from clips import moving_clip, write_clip
from integration_run import kedro, start_kedro

from hmdb_kedro.datasets import LanceTable

pytestmark = pytest.mark.extended
N_KILLS, N_CLIPS = 20, 80
SETTINGS = (
    "data_prep.splits=auto,flow.algorithm=farneback,flow.short_side=128,"
    "data_prep.batch_clips=4,frames.batch_clips=4,flow.batch_clips=4"
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills") / "videos"
    for number in range(N_CLIPS):
        clip = moving_clip(1, 1, n_frames=30, height=144, width=192, seed=number)
        write_clip(folder / ("wave", "sit")[number % 2] / f"{number}.avi", clip)
    return folder


def arguments(videos, root):
    given = f"data_root={root},raw_videos_dir={videos},{SETTINGS}"
    return ["run", "--env", "small", "--pipelines", "data_prep,frames,flow", "--params", given]


def rows(root, name):
    path = root / "04_feature" / f"{name}.lance"
    return len(LanceTable(path=str(path)).load()) if (path / "_versions").is_dir() else 0


def test_twenty_kills_lose_nothing(videos, tmp_path):
    killed, left = tmp_path / "killed", tmp_path / "left"
    killed.mkdir()
    left.mkdir()
    assert kedro(left, *arguments(videos, left)).returncode == 0
    draw, done = random.Random(1), []
    for _ in range(N_KILLS):
        process = start_kedro(killed, *arguments(videos, killed))
        time.sleep(draw.uniform(5, 11))
        process.send_signal(signal.SIGKILL)
        process.wait()
        done.append(rows(killed, "frames") + rows(killed, "flow"))
    assert done == sorted(done), "committed rows were lost"
    last = kedro(killed, *arguments(videos, killed))
    assert last.returncode == 0, last.stdout[-3000:] + last.stderr[-3000:]
    for name in ("frames", "flow"):
        tables = [
            LanceTable(path=str(root / "04_feature" / f"{name}.lance")).load()
            for root in (killed, left)
        ]
        infos = [table.info().drop(columns="seconds") for table in tables]
        pd.testing.assert_frame_equal(*infos)
        assert len(infos[0]) == N_CLIPS
        for clip_id in tables[0].clip_ids:
            assert np.array_equal(tables[0][clip_id], tables[1][clip_id])


def test_a_second_run_at_once_says_that_it_must_wait(videos, tmp_path):
    first = start_kedro(tmp_path, *arguments(videos, tmp_path))
    lock = tmp_path / "04_feature" / "flow.lance.lock"
    deadline = time.monotonic() + 60
    while not lock.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    second = kedro(tmp_path, *arguments(videos, tmp_path))
    assert second.returncode != 0
    shown = " ".join((second.stdout + second.stderr).split())
    assert "Another run is writing" in shown
    assert "Traceback" not in shown
    assert first.wait(timeout=180) == 0
    assert rows(tmp_path, "flow") == N_CLIPS
