"""Whatever is in a file, whatever happens to the disk: rows with reasons, and nothing lost."""

import errno
import shutil
import time
from functools import partial

import numpy as np
import pytest
from clips import index_of, moving_clip, write_clip
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError
from params import make

from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.extraction import rows
from hmdb_kedro.extraction.rows import ClipTask, flow_row, frames_row
from hmdb_kedro.pipelines.frames import nodes
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import hash_file, probe_clip

FRAMES, FLOW = make("frames"), make("flow", short_side=32)
PROGRESS = ["clip_id", "content_hash", "settings_hash"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    file = tmp_path_factory.mktemp("whole") / "clip.avi"
    return write_clip(file, moving_clip(1, 1, n_frames=6, height=48, width=64)).read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 7)), max_size=12),
    kept=st.floats(0, 1),
)
def test_a_damaged_file_gives_a_full_row_or_a_reason(whole, tmp_path_factory, flips, kept):
    content = bytearray(whole)
    for where, bit in flips:
        content[int(where * len(content))] ^= 1 << bit
    file = tmp_path_factory.mktemp("fuzz") / "clip.avi"
    file.write_bytes(content[: int(kept * len(content))])
    probe = probe_clip(file, 2, 0.9)
    task = ClipTask("wave/clip.avi", file, probe.content_hash, probe.n_frames, probe.fps)
    made = frames_row(task, FRAMES), flow_row(task, FLOW)
    shutil.rmtree(file.parent)
    if probe.status == "ok":
        assert [row["n_pictures"] for row in made if row["status"] == "ok"] in (
            [probe.n_frames, probe.n_frames - 1],
            [],
        )
    else:
        assert probe.reason
    for row in made:
        assert row["status"] == "ok" or (row["reason"] and row["n_pictures"] == 0)


def test_a_clip_replaced_after_the_index_was_made_is_refused(whole, tmp_path):
    file = tmp_path / "clip.avi"
    file.write_bytes(whole)
    task = ClipTask("wave/clip.avi", file, hash_file(file), 6, 30.0)
    write_clip(file, moving_clip(2, 0, n_frames=6, height=48, width=64))
    assert "changed since data_prep" in frames_row(task, FRAMES)["reason"]


@pytest.mark.parametrize(
    "make_row", [partial(frames_row, params=FRAMES), partial(flow_row, params=FLOW)]
)
def test_a_clip_written_over_while_it_is_read_is_refused(whole, tmp_path, monkeypatch, make_row):
    def read_while_another_writes(file, **_):
        yield from moving_clip(1, 1, n_frames=6, height=48, width=64)
        write_clip(file, moving_clip(2, 0, n_frames=6, height=48, width=64))

    file = tmp_path / "clip.avi"
    file.write_bytes(whole)
    task = ClipTask("wave/clip.avi", file, hash_file(file), 6, 30.0)
    monkeypatch.setattr(rows, "read_frames", read_while_another_writes)
    assert "changed since data_prep" in make_row(task)["reason"]


def test_a_decoder_that_hangs_is_cut_off(whole, tmp_path, monkeypatch):
    file = tmp_path / "clip.avi"
    file.write_bytes(whole)
    task = ClipTask("wave/clip.avi", file, hash_file(file), 6, 30.0)
    monkeypatch.setattr(rows, "read_frames", lambda *_, **__: time.sleep(2))
    row = frames_row(task, FRAMES.model_copy(update={"clip_timeout_s": 0.1}))
    assert row["status"] == "unreadable"
    assert "not done after 0.1 s" in row["reason"]


def test_flow_that_is_not_finite_is_refused(whole, tmp_path, monkeypatch):
    file = tmp_path / "clip.avi"
    file.write_bytes(whole)
    task = ClipTask("wave/clip.avi", file, hash_file(file), 6, 30.0)
    field = np.zeros((32, 48, 2), np.float32)
    broken = field.copy()
    broken[3, 4, 1] = np.nan
    monkeypatch.setattr(rows, "flow_fields", lambda *_: iter([field, broken]))
    row = flow_row(task, FLOW)
    assert (row["status"], row["reason"]) == ("unreadable", "flow of pair 1 is not finite")


class FullDisk(LanceTable):
    """A table whose disk has room for one batch."""

    saved = 0

    def save(self, data):
        if self.saved:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().save(data)
        self.saved += 1


def extract(table, folder, index, params):
    progress = LanceProgress(path=str(folder.root.parent / "frames.lance"), columns=PROGRESS)
    todo = nodes.list_new_clips(index, progress.load(), params)
    for chunk in nodes.extract_frames(folder, todo, params):
        table.save(chunk)
    return len(todo)


def test_a_full_disk_leaves_what_was_committed_and_the_next_run_goes_on(tmp_path):
    for number in range(6):
        clip = moving_clip(1, 0, n_frames=6, height=48, width=64, seed=number)
        write_clip(tmp_path / "videos" / "wave" / f"{number}.avi", clip)
    folder, params = ClipFolder(tmp_path / "videos"), make("frames", batch_clips=2, n_jobs=1)
    path, index = str(tmp_path / "frames.lance"), index_of(folder)
    with pytest.raises(DatasetError, match="No space left"):
        extract(FullDisk(path=path), folder, index, params)
    assert len(LanceTable(path=path).load()) == 2
    table = LanceTable(path=path)
    assert extract(table, folder, index, params) == 4
    assert extract(table, folder, index, params) == 0
    drawn = moving_clip(1, 0, n_frames=6, height=48, width=64, seed=3)
    assert np.abs(table.load()["wave/3.avi"].astype(int) - drawn).mean() < 5
