"""The sample set in the catalog: drawn once, resumed after a kill, never touching other files."""

import json
import logging
import multiprocessing
import os
import shutil
import time
from functools import cache
from pathlib import Path

import cv2
import pandas as pd
import pytest
from kedro.io import DatasetError

from hmdb_kedro.datasets.split_lists import COLUMNS
from hmdb_kedro.sample import RenderedSplits, RenderedVideos, drawing, rendered
from hmdb_kedro.sample.truth import LABELS, SampleSet

SMALL = {"sources_per_class": 2, "clips_per_source": 1, "frames": 8}


@pytest.fixture(scope="module", autouse=True)
def _sources_drawn_once():
    """Keep what sources share between the tests: drawing it is most of the work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw_source", cache(drawing.draw_source))
        yield


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("sample") / "videos"
    RenderedVideos(path=str(root), **SMALL).load()
    return root


def _contents(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*.avi")}


def test_every_planned_clip_is_drawn_whole(drawn):
    clips = RenderedVideos(path=str(drawn), **SMALL).load()
    plan = SampleSet(**SMALL)
    assert list(clips) == list(plan.clips)
    for clip_id, clip in plan.clips.items():
        capture = cv2.VideoCapture(str(clips[clip_id].file))
        frames = 0
        while (read := capture.read())[0]:
            frames += 1
            assert read[1].shape == (240, 320, 3)
        assert frames == clip.n_frames


@pytest.mark.slow
def test_workers_draw_what_one_process_draws(drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(rendered, "_PICTURES_PER_WORKER", 1)
    monkeypatch.setattr(rendered, "cpu_count", lambda: 2)
    RenderedVideos(path=str(tmp_path), **SMALL).load()
    assert _contents(tmp_path) == _contents(drawn)


def test_no_two_clips_are_the_same(drawn):
    contents = _contents(drawn)
    assert len(set(contents.values())) == len(contents) == 18


@pytest.mark.slow
def test_another_seed_draws_other_bytes(drawn, tmp_path):
    RenderedVideos(path=str(tmp_path), seed=1, **SMALL).load()
    assert not set(_contents(tmp_path).values()) & set(_contents(drawn).values())


def test_a_second_load_draws_nothing(drawn, caplog):
    before = {file: file.stat().st_mtime_ns for file in drawn.rglob("*")}
    with caplog.at_level(logging.INFO):
        RenderedVideos(path=str(drawn), **SMALL).load()
    assert {file: file.stat().st_mtime_ns for file in drawn.rglob("*")} == before
    assert "Drawing" not in caplog.text


@pytest.fixture
def copy(drawn, tmp_path) -> Path:
    """Return a drawn folder that a test may change."""
    return Path(shutil.copytree(drawn, tmp_path, dirs_exist_ok=True))


def test_a_killed_drawing_goes_on_where_it_stopped(copy, drawn, caplog):
    videos = RenderedVideos(path=str(copy), **SMALL)
    ids = list(videos.load())
    kept = (copy / ids[5]).stat().st_mtime_ns
    for clip_id in ids[:3]:
        (copy / clip_id).unlink()
    unfinished = copy / ".1-half.avi.part"
    unfinished.write_bytes(b"RIFF")
    os.utime(unfinished, (time.time() - 3600,) * 2)
    assert not videos.exists()
    with caplog.at_level(logging.INFO):
        assert list(videos.load()) == ids
    assert "Drawing 3 of 18" in caplog.text
    assert (copy / ids[5]).stat().st_mtime_ns == kept
    assert _contents(copy) == _contents(drawn)
    assert not unfinished.exists()
    assert videos.exists()


def test_an_unfinished_clip_is_no_video_and_that_of_another_process_stays(copy):
    videos = RenderedVideos(path=str(copy), **SMALL)
    ids = list(videos.load())
    other = copy / ".2-half.avi.part"
    other.write_bytes(b"RIFF")
    (copy / ids[0]).unlink()
    assert list(videos.load()) == ids
    assert other.exists()


def test_other_settings_draw_anew_and_leave_foreign_files(copy):
    before = _contents(copy)
    foreign = [copy / "teal_up" / "mine.avi", copy / "notes.txt"]
    for file in foreign:
        file.write_bytes(b"mine")
    RenderedVideos(path=str(copy), **{**SMALL, "frames": 9}).load()
    after = _contents(copy)
    assert all(file.read_bytes() == b"mine" for file in foreign)
    assert not set(before.values()) & set(after.values())
    assert len(after) == 18 + 1


def test_a_damaged_stamp_counts_as_none(copy, drawn):
    videos = RenderedVideos(path=str(copy), **SMALL)
    (copy / "drawn.json").write_text("{")
    assert not videos.exists()
    videos.load()
    assert json.loads((copy / "drawn.json").read_text())["seed"] == 0
    assert _contents(copy) == _contents(drawn)


@pytest.mark.slow
def test_two_processes_may_draw_at_once_and_draw_the_same_bytes(tmp_path, drawn):
    other = multiprocessing.get_context("spawn").Process(target=_load, args=(str(tmp_path),))
    other.start()
    while not (tmp_path / "drawn.json").exists() and other.is_alive():
        time.sleep(0.01)
    _load(str(tmp_path))
    other.join(60)
    assert other.exitcode == 0
    assert _contents(tmp_path) == _contents(drawn)


def _load(path: str) -> None:
    RenderedVideos(path=path, **SMALL).load()


def test_a_folder_that_cannot_be_made_is_explained_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DatasetError, match=r"`raw_videos`: the sample set cannot be drawn in .*\."
    ) as error:
        RenderedVideos(path=str(tmp_path / "file" / "videos"), **SMALL).load()
    assert "\n" not in str(error.value)


def test_settings_out_of_range_are_refused_on_load_only():
    with pytest.raises(DatasetError, match=r"`frames`.*Received: 3\."):
        RenderedSplits(frames=3).load()


def test_split_lists_cover_every_clip_three_times_without_drawing(tmp_path):
    lists = RenderedSplits().load()
    assert list(lists.columns) == COLUMNS
    assert len(lists) == 3 * 243
    counts = pd.crosstab(lists["split"], lists["part"])
    assert counts[1].tolist() == [135] * 3
    assert counts[2].tolist() == [108] * 3
    assert set(lists["label"]) == set(LABELS)
    assert (lists.groupby("split")["clip_id"].nunique() == 243).all()
    assert not any(tmp_path.iterdir())


def test_split_lists_name_the_clips_that_are_drawn(drawn):
    lists = RenderedSplits(**SMALL).load()
    assert set(lists["clip_id"]) == set(RenderedVideos(path=str(drawn), **SMALL).load())


def test_both_are_read_only(drawn):
    for dataset in (RenderedVideos(path=str(drawn), **SMALL), RenderedSplits(**SMALL)):
        with pytest.raises(DatasetError, match="read-only"):
            dataset.save("anything")
