"""The frames and flow pipelines on a few drawn clips, in memory."""

import pickle
import time
from functools import partial
from itertools import count

import numpy as np
import pandas as pd
import pytest
from clips import index_of, moving_clip, write_clip
from kedro.io.core import Version
from params import make

from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.extraction import rows
from hmdb_kedro.extraction.increments import extraction_report
from hmdb_kedro.pipelines.flow import nodes as flow_nodes
from hmdb_kedro.pipelines.frames import nodes as frames_nodes
from hmdb_kedro.video.clips import ClipFolder

MOTION = (3, -2)
VERSIONS = count(1)


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        frames = moving_clip(*MOTION, n_frames=8 + number, seed=number)
        write_clip(tmp_path / "videos" / "pan" / f"clip {number}.avi", frames)
    return ClipFolder(tmp_path / "videos")


class Stage:
    """One extraction pipeline over a real table."""

    def __init__(self, name, tmp_path, **changes):
        self.nodes = {"frames": frames_nodes, "flow": flow_nodes}[name]
        self.params = make(name, **changes)
        path = str(tmp_path / f"{name}.lance")
        self.table = LanceTable(path=path, version=Version(None, f"v{next(VERSIONS)}"))
        columns = ["clip_id", "content_hash", "settings_hash"]
        self.progress = LanceProgress(path=path, columns=columns)
        self.extract = getattr(self.nodes, f"extract_{name}")

    def run(self, folder, index):
        todo = self.nodes.list_new_clips(index, self.progress.load(), self.params)
        for chunk in self.extract(folder, todo, self.params):
            self.table.save(chunk)
        self.table.confirm()
        return extraction_report(self.table.load(), index, todo)


@pytest.fixture(params=["frames", "flow"])
def stage(request):
    return partial(Stage, request.param)


def test_every_clip_is_extracted_once(stage, folder, tmp_path):
    index = index_of(folder)
    first = stage(tmp_path).run(folder, index)
    assert (first["done"], first["skipped"], first["rejected"]) == (3, 0, {})
    assert first["bytes"] > 0
    second = stage(tmp_path).run(folder, index)
    assert (second["done"], second["skipped"], second["seconds"]) == (0, 3, 0)


def test_another_setting_and_another_content_are_extracted_anew(stage, folder, tmp_path):
    stage(tmp_path).run(folder, index_of(folder))
    write_clip(folder.root / "pan" / "clip 1.avi", moving_clip(*MOTION, n_frames=5, seed=9))
    changed = stage(tmp_path).run(folder, index_of(folder))
    assert (changed["done"], changed["skipped"]) == (1, 2)
    coarse = stage(tmp_path, quality=60).run(folder, index_of(folder))
    assert (coarse["done"], coarse["skipped"]) == (3, 0)


def test_a_clip_that_breaks_leaves_a_row_with_its_reason(stage, folder, tmp_path):
    index = index_of(folder)
    (folder.root / "pan" / "clip 0.avi").write_bytes(b"broken")
    (folder.root / "pan" / "clip 2.avi").unlink()
    report = stage(tmp_path).run(folder, index)
    assert report["done"] == 1
    assert set(report["rejected"]) == {"pan/clip 0.avi", "pan/clip 2.avi"}
    assert "changed since data_prep" in report["rejected"]["pan/clip 0.avi"]
    assert stage(tmp_path).table.load().clip_ids == ["pan/clip 1.avi"]


def test_a_clip_that_could_not_be_read_for_a_while_is_extracted_in_the_next_run(
    stage, folder, tmp_path
):
    index = index_of(folder)
    away = (folder.root / "pan").rename(tmp_path / "away")
    first = stage(tmp_path).run(folder, index)
    assert first["done"] == 0
    assert all("No such file" in reason for reason in first["rejected"].values())
    away.rename(folder.root / "pan")
    second = stage(tmp_path).run(folder, index)
    assert (second["done"], second["skipped"], second["rejected"]) == (3, 0, {})


def test_a_clip_given_up_is_extracted_under_another_limit(stage, folder, tmp_path, monkeypatch):
    index = index_of(folder)
    monkeypatch.setattr(rows, "read_frames", lambda *_, **__: time.sleep(1))
    hasty = partial(stage, tmp_path, clip_timeout_s=0.05)
    assert len(hasty().run(folder, index)["rejected"]) == 3
    assert hasty().run(folder, index)["skipped"] == 3
    monkeypatch.undo()
    patient = stage(tmp_path).run(folder, index)
    assert (patient["done"], patient["skipped"], patient["rejected"]) == (3, 0, {})
    assert hasty().run(folder, index)["skipped"] == 3


@pytest.mark.slow
def test_threads_and_processes_give_the_same_table(stage, folder, tmp_path):
    index = index_of(folder)
    tables = []
    for backend in ("threads", "processes"):
        here = stage(tmp_path / backend, backend=backend, n_jobs=2)
        here.run(folder, index)
        tables.append(here.table.load())
    for clip_id in tables[0].clip_ids:
        assert np.array_equal(tables[0][clip_id], tables[1][clip_id])
    infos = [table.info().drop(columns="seconds") for table in tables]
    pd.testing.assert_frame_equal(*infos)


def test_stored_flow_is_the_motion_of_the_scene(folder, tmp_path):
    stage = Stage("flow", tmp_path)
    stage.run(folder, index_of(folder))
    table = stage.table.load()
    fields = table["pan/clip 0.avi"]
    assert (fields.shape, fields.dtype) == ((7, 96, 128, 2), np.float32)
    assert np.median(fields[:, 16:-16, 16:-16], axis=(0, 1, 2)) == pytest.approx(MOTION, abs=0.2)
    assert table.settings["algorithm"] == "dis"


def test_stored_frames_are_the_clip(folder, tmp_path):
    stage = Stage("frames", tmp_path)
    stage.run(folder, index_of(folder))
    table = stage.table.load()
    frames = table["pan/clip 1.avi"]
    drawn = moving_clip(*MOTION, n_frames=9, seed=1)
    assert frames.shape == drawn.shape
    assert np.abs(frames.astype(int) - drawn).mean() < 5
    taken = table.take("pan/clip 1.avi", [4, 0, 4])
    assert np.array_equal(taken, frames[[4, 0, 4]])
    assert table.take("pan/clip 1.avi", [0], reduce=2).shape == (1, 48, 64, 3)


def test_a_table_travels_to_another_process(folder, tmp_path):
    stage = Stage("frames", tmp_path)
    stage.run(folder, index_of(folder))
    table = stage.table.load()
    assert len(table) == 3
    copy = pickle.loads(pickle.dumps(table))
    assert np.array_equal(copy["pan/clip 2.avi"], table["pan/clip 2.avi"])
