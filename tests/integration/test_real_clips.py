"""The same pipelines on real clips, by changing paths."""

import json

import pandas as pd
import pytest
from clips import REPOSITORY
from integration_run import kedro

pytestmark = pytest.mark.extended
EXTRACTION = "data_prep,frames,flow"
PATTERNS = {
    "ut_interaction_1": r"(?P<source>set\d_seq\d+)",
    "arid6": r"(?P<source>[A-Za-z]+_\d+)_\d+",
}


def newest(root, name):
    return json.loads(max(root.rglob(f"{name}.json/*/{name}.json")).read_text())


def parameters(root, **values):
    return ",".join(f"{key}={value}" for key, value in {"data_root": root, **values}.items())


def run_on(folder, root, *arguments, **values):
    """Run the pipelines on a small set."""
    given = parameters(
        root,
        raw_videos_dir=folder / "videos",
        raw_splits_dir=folder / "splits",
        **{"data_prep.source_pattern": PATTERNS[folder.name]},
        **values,
    )
    result = kedro(root, "run", "--env", "small", *arguments, "--params", given)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


def test_all_six_pipelines_on_a_small_set(real_clips, tmp_path):
    run_on(real_clips / "ut_interaction_1", tmp_path)
    metrics = newest(tmp_path, "metrics")
    assert metrics["temporal"]["top1"] >= 0.60
    assert len(metrics) == 5


def test_the_temporal_stream_on_dark_clips(real_clips, tmp_path):
    dark = {"temporal.mixup": 0.2, "temporal.dropout": 0.5}
    run_on(real_clips / "arid6", tmp_path, "--to-nodes", "temporal.score", **dark)
    file = max(tmp_path.rglob("temporal_scores.parquet/*/*.parquet"))
    scores = pd.read_parquet(file).query("partition == 'test'")
    found = scores.drop(columns=["clip_id", "partition", "label"]).idxmax(axis=1)
    assert (found == scores["label"]).mean() >= 0.36


def test_extraction_of_hmdb51_as_published(real_clips, tmp_path):
    splits = real_clips.parent / "hmdb51_splits"
    given = parameters(
        tmp_path, raw_videos_dir=real_clips / "hmdb51" / "videos", raw_splits_dir=splits
    )
    result = kedro(tmp_path, "run", "--pipelines", EXTRACTION, "--params", given)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    report = newest(tmp_path, "data_prep_report")
    # One clip's file name is not in the lists: theirs lacks its prefix `hmdb51_`.
    assert (report["done"], report["missing_count"], report["unlisted"]) == (6, 6761, 1)
    assert newest(tmp_path, "flow_report")["done"] == 6


def test_extraction_of_ucf101_with_parts_drawn(real_clips, tmp_path):
    given = parameters(
        tmp_path,
        raw_videos_dir=real_clips / "ucf101" / "videos",
        **{"data_prep.splits": "auto"},
    )
    result = kedro(tmp_path, "run", "--pipelines", EXTRACTION, "--params", given)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
    assert newest(tmp_path, "data_prep_report")["own_source"] == 0
    assert not newest(tmp_path, "flow_report")["rejected"]


def test_the_readme_names_the_pattern_of_a_real_set():
    assert PATTERNS["ut_interaction_1"] in (REPOSITORY / "README.md").read_text()
