import json
import os
import time

import cv2
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset, Version
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import ParquetDataset

from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.scores import RESERVED
from hmdb_kedro.params import DataPrepParams
from hmdb_kedro.pipelines.data_prep import create_pipeline, nodes
from hmdb_kedro.pipelines.data_prep.eda import (
    plot_clips_by_class,
    plot_duration_by_class,
    summarise_clips,
)
from hmdb_kedro.pipelines.data_prep.index import COLUMNS, build_clip_index
from hmdb_kedro.pipelines.data_prep.nodes import list_clips, report_data_prep, scan_clips
from hmdb_kedro.video.clips import ClipFolder

PARAMS = DataPrepParams(
    splits="official",
    source_pattern=None,
    val_fraction=0.2,
    test_fraction=0.4,
    min_frames=2,
    min_decoded_share=0.9,
    on_leak="error",
    expect=None,
    classes=None,
    backend="threads",
    scheduler="local",
    n_jobs=1,
    batch_clips=4,
    clip_timeout_s=60,
)
AUTO = PARAMS.model_copy(update={"splits": "auto"})
PROGRESS = ["clip_id", "path", "size_bytes", "mtime_ns", "settings_hash"]
NOTHING_KNOWN = pd.DataFrame(columns=PROGRESS)
NO_LISTS = pd.DataFrame(columns=["clip_id", "label", "split", "part"])
LABELS = ["jump", "sit", "walk"]


def clip_name(label, source, number):
    return f"{label}/film{source}_{label}_f_nm_np1_fr_med_{number}.avi"


def all_clip_ids(sources=5, clips=2):
    return [clip_name(c, s, i) for c in LABELS for s in range(sources) for i in range(clips)]


def scan_of(clip_ids, **changes):
    """A scan table of clips that all decode, each with bytes of its own."""
    rows = [
        {
            "clip_id": clip_id,
            "path": clip_id,
            "size_bytes": 10,
            "mtime_ns": 1,
            "content_hash": f"hash of {clip_id}",
            "n_frames": 30,
            "fps": 30.0,
            "width": 320,
            "height": 240,
            "duration_s": 1.0,
            "status": "ok",
            "reason": None,
            "seconds": 0.5,
        }
        for clip_id in clip_ids
    ]
    return pd.DataFrame(rows).assign(**changes)


def lists_of(clip_ids, test_sources=("film3", "film4")):
    rows = [
        (clip_id, clip_id.split("/")[0], split, 2 if any(s in clip_id for s in test_sources) else 1)
        for clip_id in clip_ids
        for split in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=NO_LISTS.columns)


def files_of(scan, new=True):
    return scan[["clip_id", "path", "size_bytes", "mtime_ns"]].assign(is_new=new)


def index_of(scan, lists=NO_LISTS, params=PARAMS, seed=0, split=1):
    return build_clip_index(scan, files_of(scan), lists, params, split=split, seed=seed)


def draw_video(path, n_frames=6, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for frame in np.random.default_rng(seed).integers(0, 255, (n_frames, 48, 64, 3)):
        writer.write(frame.astype("uint8"))
    writer.release()


@pytest.fixture
def videos(tmp_path):
    for seed, clip_id in enumerate(all_clip_ids(sources=3, clips=1)):
        draw_video(tmp_path / clip_id, seed=seed)
    return ClipFolder(tmp_path)


class TestListing:
    def test_a_first_run_finds_everything_new(self, videos):
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO)
        assert files["clip_id"].tolist() == sorted(all_clip_ids(sources=3, clips=1))
        assert files["is_new"].all()

    def test_only_a_changed_file_is_new_again(self, videos):
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO)
        known = files.assign(settings_hash=AUTO.settings_hash())
        os.utime(videos[files["path"][0]].file, ns=(1, 1))
        again = list_clips(videos, known[PROGRESS], NO_LISTS, AUTO)
        assert again["is_new"].tolist() == [True] + [False] * 8

    def test_other_settings_of_the_scan_make_all_new_and_others_do_not(self, videos):
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO)
        known = files.assign(settings_hash=AUTO.settings_hash())
        stricter = AUTO.model_copy(update={"min_frames": 16})
        other = AUTO.model_copy(update={"val_fraction": 0.5})
        assert list_clips(videos, known[PROGRESS], NO_LISTS, stricter)["is_new"].all()
        assert not list_clips(videos, known[PROGRESS], NO_LISTS, other)["is_new"].any()

    def test_classes_restrict_and_must_exist(self, videos):
        some = AUTO.model_copy(update={"classes": ("jump", "sit")})
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, some)
        assert set(files["clip_id"].str.split("/").str[0]) == {"jump", "sit"}
        absent = AUTO.model_copy(update={"classes": ("jump", "fly")})
        with pytest.raises(UserError, match="Received: fly"):
            list_clips(videos, NOTHING_KNOWN, NO_LISTS, absent)

    def test_official_splits_without_lists_name_the_way_out(self, videos):
        with pytest.raises(UserError, match=r"data_prep\.splits=auto"):
            list_clips(videos, NOTHING_KNOWN, NO_LISTS, PARAMS)

    @pytest.mark.parametrize("name", sorted(RESERVED))
    def test_a_class_called_as_a_column_of_scores_is_refused(self, videos, name):
        (videos.root / "sit").rename(videos.root / name)
        with pytest.raises(UserError, match=f"the folder {name} in `raw_videos`. Rename it"):
            list_clips(ClipFolder(videos.root), NOTHING_KNOWN, NO_LISTS, AUTO)

    def test_names_that_differ_in_unicode_form_alone_are_refused(self, tmp_path):
        for name in ("caf\u00e9.avi", "cafe\u0301.avi"):
            draw_video(tmp_path / "a" / name)
        if len(os.listdir(tmp_path / "a")) < 2:
            pytest.skip("this file system folds Unicode forms")
        with pytest.raises(UserError, match="Unicode"):
            list_clips(ClipFolder(tmp_path), NOTHING_KNOWN, NO_LISTS, AUTO)


class TestScanning:
    def test_only_new_clips_are_decoded_in_batches(self, videos):
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO)
        files.loc[0, "is_new"] = False
        tables = list(scan_clips(videos, files, AUTO))
        assert [len(table) for table in tables] == [4, 4]
        rows = pd.concat(table.to_pandas() for table in tables)
        assert set(rows["clip_id"]) == set(files["clip_id"][1:])
        assert (rows[["n_frames", "fps", "width", "height"]] == [6, 10, 64, 48]).all(axis=None)
        assert rows["duration_s"].eq(0.6).all()
        assert rows["status"].eq("ok").all()

    def test_a_broken_clip_is_a_row_with_a_reason(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "torn.avi").write_bytes(b"no video")
        draw_video(tmp_path / "a" / "short.avi", n_frames=1)
        videos = ClipFolder(tmp_path)
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO)
        (rows,) = (table.to_pandas() for table in scan_clips(videos, files, AUTO))
        status = rows.set_index("clip_id")["status"].to_dict()
        assert status == {"a/torn.avi": "unreadable", "a/short.avi": "too_short"}
        assert rows["reason"].str.len().gt(0).all()
        assert rows.set_index("clip_id").loc["a/torn.avi", ["width", "fps"]].isna().all()

    def test_a_file_that_vanishes_is_looked_at_again_next_time(self, videos):
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, AUTO).head(1)
        videos[files["path"][0]].file.unlink()
        (rows,) = (table.to_pandas() for table in scan_clips(videos, files, AUTO))
        assert rows["status"].tolist() == ["unreadable"]
        assert rows["mtime_ns"][0] != files["mtime_ns"][0]

    def test_a_clip_given_up_is_scanned_again_under_another_limit(self, videos, monkeypatch):
        hasty = AUTO.model_copy(update={"clip_timeout_s": 0.05})
        files = list_clips(videos, NOTHING_KNOWN, NO_LISTS, hasty).head(1)
        monkeypatch.setattr(nodes, "probe_clip", lambda *_: time.sleep(1))
        (rows,) = (table.to_pandas() for table in scan_clips(videos, files, hasty))
        assert "not done after 0.05 s" in rows["reason"][0]
        assert not list_clips(videos, rows[PROGRESS], NO_LISTS, hasty)["is_new"][0]
        assert list_clips(videos, rows[PROGRESS], NO_LISTS, AUTO)["is_new"][0]


class TestIndex:
    def test_it_holds_the_agreed_columns_and_keeps_its_types_through_parquet(self, tmp_path):
        index = index_of(scan_of(all_clip_ids()), lists_of(all_clip_ids()))
        assert list(index) == list(COLUMNS)
        index.to_parquet(tmp_path / "index.parquet")
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "index.parquet"), index)

    def test_parts_come_from_the_lists_and_validation_from_training_sources(self):
        index = index_of(scan_of(all_clip_ids()), lists_of(all_clip_ids()))
        counts = pd.crosstab(index["label"], index["partition"])
        assert counts[["train", "test"]].to_numpy().tolist() == [[4, 4]] * 3
        assert counts["val"].tolist() == [2, 2, 2]
        assert (index.groupby("source_video")["partition"].nunique() == 1).all()
        assert index.groupby("label_id")["label"].unique().str[0].to_dict() == dict(
            enumerate(LABELS)
        )

    def test_unused_and_unlisted_clips_are_told_apart(self):
        clip_ids = all_clip_ids()
        lists = lists_of(clip_ids[1:])
        lists.loc[lists["clip_id"] == clip_ids[1], "part"] = 0
        index = index_of(scan_of(clip_ids), lists).set_index("clip_id")
        assert index.loc[clip_ids[0], "partition"] == "unlisted"
        assert index.loc[clip_ids[0], ["split1", "split2", "split3"]].isna().all()
        assert index.loc[clip_ids[1], "partition"] == "unused"

    def test_the_same_bytes_count_once(self):
        clip_ids = sorted(all_clip_ids())
        scan = scan_of(clip_ids)
        scan.loc[3, "content_hash"] = scan.loc[1, "content_hash"]
        index = index_of(scan.sample(frac=1, random_state=0), lists_of(clip_ids))
        assert index["status"].value_counts().to_dict() == {"ok": 29, "duplicate": 1}
        assert index.loc[3, "reason"] == f"same bytes as {clip_ids[1]}"
        assert pd.isna(index.loc[3, "partition"])

    def test_a_clip_that_left_the_folder_leaves_the_index(self):
        scan = scan_of(all_clip_ids())
        files = files_of(scan).iloc[1:]
        index = build_clip_index(scan, files, lists_of(all_clip_ids()), PARAMS, split=1, seed=0)
        assert len(index) == len(scan) - 1

    def test_a_class_that_cannot_be_trained_has_no_label_id(self):
        clip_ids = all_clip_ids()
        scan = scan_of(clip_ids)
        scan.loc[scan["clip_id"].str.startswith("jump"), ["status", "reason"]] = ["too_short", "1"]
        index = index_of(scan, lists_of(clip_ids))
        assert index.loc[index["label"] == "jump", "label_id"].isna().all()
        assert set(index["label_id"].dropna()) == {0, 1}

    def test_auto_draws_three_splits_by_source_that_the_seed_determines(self):
        scan = scan_of(all_clip_ids())
        index = index_of(scan, params=AUTO)
        for split in ("split1", "split2", "split3"):
            assert index.groupby(["label", "source_video"])[split].nunique().eq(1).all()
            assert (index[split] == 2).mean() == pytest.approx(0.4)
        assert set(index["partition"]) == {"train", "val", "test"}
        pd.testing.assert_frame_equal(index, index_of(scan[::-1], params=AUTO))
        assert any(not index.equals(index_of(scan, params=AUTO, seed=seed)) for seed in range(1, 9))

    def test_too_few_classes_are_counted_out(self):
        scan = scan_of(all_clip_ids())
        with pytest.raises(UserError, match="30 ok, 0 rejected, 20 unlisted"):
            index_of(scan, lists_of([c for c in all_clip_ids() if c.startswith("jump")]))
        broken = scan.assign(status="unreadable", reason="the file is empty")
        with pytest.raises(UserError, match=r"0 ok, 30 rejected .*unreadable, the file is empty"):
            index_of(broken, lists_of(all_clip_ids()))

    def test_lists_that_contradict_themselves_are_refused(self):
        lists = lists_of(all_clip_ids())
        twice = pd.concat([lists, lists.head(1).assign(part=2)])
        with pytest.raises(UserError, match="two parts"):
            index_of(scan_of(all_clip_ids()), twice)


def test_the_report_accounts_for_every_clip():
    scan = scan_of(all_clip_ids())
    scan.loc[0, ["status", "reason"]] = ["unreadable", "torn"]
    files = files_of(scan)
    files.loc[5:, "is_new"] = False
    lists = lists_of([*all_clip_ids(), "fly/gone.avi", "walk/gone.avi"])
    index = build_clip_index(scan, files, lists, PARAMS, split=1, seed=0)
    report = report_data_prep(index, files, scan, lists, PARAMS, 1)
    assert (report["done"], report["skipped"], report["missing_count"]) == (5, 25, 2)
    assert report["rejected"] == {scan.loc[0, "clip_id"]: "torn"}
    assert report["missing"] == {"fly": ["gone.avi"], "walk": ["gone.avi"]}
    assert (report["seconds"], report["bytes"]) == (2.5, 50)
    assert sum(report["partitions"].values()) == 29
    assert json.loads(json.dumps(report)) == report


def test_the_report_names_what_has_no_scheme_and_no_training():
    clip_ids = [*all_clip_ids(), "sing/one.avi", "sing/two.avi"]
    scan = scan_of(clip_ids)
    lists = lists_of(all_clip_ids())
    index = index_of(scan, lists)
    report = report_data_prep(index, files_of(scan, new=False), scan, lists, PARAMS, 1)
    assert (report["unlisted"], report["own_source"], report["done"]) == (2, 2, 0)
    assert report["classes_without_training"] == ["sing"]


def test_the_summary_counts_and_measures():
    scan = scan_of(all_clip_ids(), duration_s=np.arange(30.0))
    scan.loc[29, ["status", "reason", "width"]] = ["unreadable", "torn", None]
    summary = summarise_clips(index_of(scan, lists_of(all_clip_ids())))
    assert (summary["clips"], summary["classes"]) == (30, 3)
    assert summary["hours"] == pytest.approx(sum(range(29)) / 3600, abs=1e-4)
    assert summary["quantiles"]["duration_s"]["median"] == 14
    assert summary["resolution"] == {"320x240": 29}
    assert summary["status"] == {"ok": 29, "unreadable": 1}
    assert sum(part["clips"] for part in summary["by_class"].values()) == 30
    assert json.loads(json.dumps(summary)) == summary


def test_the_figures_show_every_class_in_order():
    scan = scan_of(all_clip_ids(), duration_s=np.arange(30.0)).iloc[:-1]
    index = index_of(scan, lists_of(all_clip_ids()))
    durations, clips = plot_duration_by_class(index), plot_clips_by_class(index)
    assert list(durations.layout.yaxis.categoryarray) == LABELS
    assert clips.layout.yaxis.categoryarray[0] == "walk"
    assert sum(sum(bar.x) for bar in clips.data) == 29
    for figure in (durations, clips):
        assert json.loads(figure.to_json())["layout"]["title"]["text"]


@pytest.mark.slow
def test_a_second_run_scans_only_what_is_new(videos, tmp_path):
    table = str(tmp_path / "_scan.lance")
    index = ParquetDataset(filepath=str(tmp_path / "_index.parquet"))

    def run(moment):
        catalog = DataCatalog(
            {
                "raw_videos": MemoryDataset(videos, copy_mode="assign"),
                "raw_splits": MemoryDataset(NO_LISTS),
                "params:data_prep": MemoryDataset(AUTO),
                "params:split": MemoryDataset(1),
                "params:seed": MemoryDataset(0),
                "clip_index_progress": LanceProgress(path=table, columns=PROGRESS),
                "clip_scan": LanceTable(
                    path=table, load_as="pandas", version=Version(None, moment)
                ),
                "clip_index": index,
            }
        )
        outputs = SequentialRunner().run(create_pipeline(), catalog)
        return outputs["data_prep_report"].load(), index.load()

    first, table_at_first = run("2026-01-01T00.00.00.000Z")
    second, same = run("2026-01-02T00.00.00.000Z")
    assert (first["done"], first["skipped"]) == (9, 0)
    assert (second["done"], second["skipped"], second["seconds"]) == (0, 9, 0)
    pd.testing.assert_frame_equal(table_at_first, same)
    draw_video(videos.root / "jump" / "another.avi", seed=99)
    third, grown = run("2026-01-03T00.00.00.000Z")
    assert (third["done"], third["skipped"], len(grown)) == (1, 9, 10)
