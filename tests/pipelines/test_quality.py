"""What is said and shown of extracted tables: on a few drawn clips whose motion is known."""

import json
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pytest
from clips import index_of, moving_clip, write_clip
from kedro.io import DataCatalog, MemoryDataset
from kedro.io.core import Version
from kedro.runner import SequentialRunner
from params import make

from hmdb_kedro.datasets import LanceTable
from hmdb_kedro.extraction.rows import ClipTask, flow_row, flow_schema
from hmdb_kedro.pipelines.flow import create_pipeline as flow_pipeline
from hmdb_kedro.pipelines.flow.motion import draw_flow_sheet, plot_motion_by_class
from hmdb_kedro.pipelines.flow.quality import measure_flow_quality
from hmdb_kedro.pipelines.frames import create_pipeline as frames_pipeline
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.tables import ClipTable

MOTIONS = {"fast": (3, -2), "slow": (1, 0), "still": (0, 0)}
PARAMS = make("flow", n_jobs=1, bound_px=4.0)


@dataclass(frozen=True)
class Extracted:
    """Clips, their index and their flow."""

    folder: ClipFolder
    index: pd.DataFrame
    flow: ClipTable


@pytest.fixture
def folder(tmp_path):
    for seed, (label, motion) in enumerate(MOTIONS.items()):
        for number in range(2):
            frames = moving_clip(*motion, n_frames=6, seed=2 * seed + number)
            write_clip(tmp_path / "videos" / label / f"clip {number}.avi", frames)
    return ClipFolder(tmp_path / "videos")


def table_of(folder, index, tmp_path, params=PARAMS):
    rows = [
        flow_row(
            ClipTask(r.clip_id, folder[r.path].file, r.content_hash, r.n_frames, r.fps), params
        )
        for r in index.itertuples()
    ]
    table = LanceTable(path=str(tmp_path / "flow.lance"), version=Version(None, "v1"))
    table.save(pa.Table.from_pylist(rows, schema=flow_schema(params)))
    table.confirm()
    return table.load()


@pytest.fixture
def extracted(folder, tmp_path):
    index = index_of(folder)
    return Extracted(folder, index, table_of(folder, index, tmp_path))


def quality(extracted):
    return measure_flow_quality(extracted.flow, extracted.index)


class TestFlowQuality:
    def test_what_is_stored_is_the_flow_up_to_its_quantisation(self, extracted):
        report = quality(extracted)
        step_px = PARAMS.bound_px / 127
        assert 0 < report["error_px"] < step_px
        assert len(report["worst"]) == 5
        assert report["error_px"] <= max(report["worst"].values()) < 3 * step_px

    def test_a_coarser_store_is_told_by_its_error(self, folder, tmp_path, extracted):
        coarse = PARAMS.model_copy(update={"bound_px": 32.0, "quality": 60})
        other = table_of(folder, extracted.index, tmp_path / "coarse", coarse)
        worse = quality(Extracted(folder, extracted.index, other))
        fine = quality(extracted)
        assert worse["error_px"] > 3 * fine["error_px"]
        assert worse["bytes_per_pair"] < fine["bytes_per_pair"]

    def test_rows_are_summed_up_by_class(self, extracted):
        report = quality(extracted)
        assert (report["clips"], report["rejected"], report["pairs"]) == (6, 0, 30)
        assert set(report["by_class"]) == set(MOTIONS)
        bytes_stored = extracted.flow.info()["n_bytes"].sum()
        assert report["bytes_per_clip"] == pytest.approx(bytes_stored / 6, abs=1)
        assert report["bytes_per_pair"] == pytest.approx(bytes_stored / 30, abs=1)
        assert report["by_class"]["still"]["bytes_per_clip"] < report["bytes_per_clip"]
        assert json.loads(json.dumps(report)) == report

    def test_the_clipped_share_is_that_of_fast_clips(self, folder, tmp_path):
        tight = PARAMS.model_copy(update={"bound_px": 2.5})
        index = index_of(folder)
        report = quality(Extracted(folder, index, table_of(folder, index, tmp_path, tight)))
        shares = {label: part["clipped_share"] for label, part in report["by_class"].items()}
        assert shares["fast"] == pytest.approx(0.5, abs=0.15)  # dx of 3, not dy of 2
        assert shares["still"] == 0
        assert report["clipped_share"] == pytest.approx(sum(shares.values()) / 3, abs=1e-5)

    def test_rejected_clips_are_counted(self, folder, tmp_path):
        index = index_of(folder)
        (folder.root / "slow" / "clip 0.avi").unlink()
        report = quality(Extracted(folder, index, table_of(folder, index, tmp_path)))
        assert (report["clips"], report["rejected"]) == (5, 1)
        assert report["by_class"]["slow"]["rejected"] == 1


def test_nothing_but_rejected_clips_is_said_and_shown(folder, tmp_path):
    index = index_of(folder)
    for clip in folder.values():
        clip.file.unlink()
    rejected = Extracted(folder, index, table_of(folder, index, tmp_path))
    report = quality(rejected)
    assert (report["clips"], report["rejected"], report["bytes_per_clip"]) == (0, 6, None)
    for draw in (plot_motion_by_class, draw_flow_sheet):
        assert draw(rejected.flow, index).layout.annotations[0].text == "No clip has flow."


def test_motion_by_class_is_the_motion_in_pixels(extracted):
    figure = plot_motion_by_class(extracted.flow, extracted.index)
    every, shared = figure.data[0], figure.data[2]
    assert list(every.y) == ["still", "slow", "fast"]
    assert list(every.median) == pytest.approx([0, 1, 13**0.5], abs=0.3)
    assert list(shared.median) == pytest.approx([0, 1, 13**0.5], abs=0.1)


def test_the_flow_sheet_has_a_tile_a_class_and_a_legend(extracted):
    titles = draw_flow_sheet(extracted.flow, extracted.index).data[1].text
    assert list(titles[:-1]) == sorted(MOTIONS)
    assert titles[-1].startswith("Legend")


@pytest.mark.parametrize(
    ("kind", "pipeline", "figures"),
    [
        ("frames", frames_pipeline, {"frames_sheet"}),
        ("flow", flow_pipeline, {"flow_sheet", "motion_by_class"}),
    ],
)
def test_the_pipeline_shows_what_it_extracted(kind, pipeline, figures, folder, tmp_path):
    nothing = pd.DataFrame(columns=["clip_id", "content_hash", "settings_hash"])
    catalog = DataCatalog(
        {
            "raw_videos": MemoryDataset(folder, copy_mode="assign"),
            "clip_index": MemoryDataset(index_of(folder)),
            f"{kind}_progress": MemoryDataset(nothing),
            f"params:{kind}": MemoryDataset(make(kind, n_jobs=1)),
            kind: LanceTable(path=str(tmp_path / "table.lance"), version=Version(None, "v1")),
        }
    )
    outputs = SequentialRunner().run(pipeline(), catalog)
    for name in figures:
        assert json.loads(outputs[name].load().to_json())["data"]
    if kind == "flow":
        assert outputs["flow_quality"].load()["clips"] == 6
