"""Made-up runs over splits and seeds, whose means and spreads are known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.evaluation.protocol import newest_runs, summarise_runs
from hmdb_kedro.evaluation.significance import TRAINED_MODEL
from hmdb_kedro.runs import ScoredRun, fused_settings_key

CLASSES = ["sit", "wave"]
N_CLIPS, CLIPS_A_SOURCE = 40, 2


def scores_of(right, partition="test"):
    """One row a clip: right where the array says so, sure of it."""
    labels = np.arange(len(right)) % 2
    wave = np.where(np.asarray(right, dtype=bool), labels, 1 - labels) * 0.8 + 0.1
    return pd.DataFrame(
        {
            "clip_id": [f"{partition} {i}" for i in range(len(right))],
            "partition": partition,
            "label": [CLASSES[label] for label in labels],
            "sit": (1 - wave).astype(np.float32),
            "wave": wave.astype(np.float32),
        }
    )


SOURCES = {
    f"{partition} {i}": f"film {i // CLIPS_A_SOURCE}"
    for partition in ("test", "val")
    for i in range(N_CLIPS)
}


def run_of(model, n_right, *, split=1, seed=1, version="1", key="a", val_right=20, data_set=""):
    """A run that is right on its first test clips; without validation clips where told None."""
    tables = [scores_of(np.arange(N_CLIPS) < n_right)]
    if val_right is not None:
        tables.append(scores_of(np.arange(N_CLIPS) < val_right, "val"))
    protocol = {"settings_key": key}
    if model == "two_stream":
        protocol = {"streams": ["spatial", "temporal"], "rule": "average", "temperature": False}
        protocol["settings_key"] = fused_settings_key(protocol, [{"settings_key": key}] * 2)
    scores = pd.concat(tables, ignore_index=True)
    return ScoredRun(model, split, seed, version, protocol, lambda: scores, SOURCES, data_set)


def summary_of(runs, pairs=()):
    return summarise_runs(newest_runs(runs), pairs, draws=1000, seed=1)


def test_means_and_spreads_are_those_of_the_runs():
    runs = [
        run_of("temporal", n_right, split=split, seed=seed)
        for (split, seed), n_right in {(1, 1): 20, (1, 2): 24, (2, 1): 30, (2, 2): 34}.items()
    ]
    found = summary_of(runs)["models"]["temporal"]
    assert found["top1"] == pytest.approx((0.55 + 0.80) / 2)
    assert found["sd_over_splits"] == pytest.approx(np.std([0.55, 0.80], ddof=1))
    assert found["sd_over_seeds"] == pytest.approx(np.std([0.5, 0.6], ddof=1))
    assert (found["n_splits"], found["n_seeds"], len(found["runs"])) == (2, 2, 4)
    json.dumps(found)


def test_clips_of_two_splits_are_no_more_sources_than_those_of_one():
    one = summary_of([run_of("temporal", 20)])["models"]["temporal"]["pooled"]
    two = summary_of([run_of("temporal", 20, split=s) for s in (1, 2)])["models"]["temporal"]
    assert two["pooled"]["n_sources"] == one["n_sources"] == N_CLIPS / CLIPS_A_SOURCE
    assert two["pooled"]["n_clips"] == 2 * N_CLIPS
    widths = [found["high"] - found["low"] for found in (one, two["pooled"])]
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_two_data_sets_share_no_source():
    runs = [run_of("temporal", 20, data_set=name) for name in ("left", "right")]
    pooled = summary_of(runs)["models"]["temporal"]["pooled"]
    assert pooled["n_sources"] == 2 * N_CLIPS / CLIPS_A_SOURCE


def test_seeds_are_averaged_before_anything_is_counted():
    once = [run_of("cnn3d_v1", 20), run_of("cnn3d_v2", 28)]
    thrice = [
        run_of(model, right, seed=seed)
        for seed in (1, 2, 3)
        for model, right in {"cnn3d_v1": 20, "cnn3d_v2": 28}.items()
    ]
    (single,), (repeated,) = (summary_of(runs)["comparisons"]["pairs"] for runs in (once, thrice))
    assert repeated["gain"] == single["gain"]
    assert single["gain"]["estimate"] == pytest.approx(0.2)
    assert [gain["gain"] for gain in repeated["gain_by_run"]] == pytest.approx([0.2] * 3)


def test_the_claim_is_about_a_design_from_two_seeds_on():
    pair = [run_of("cnn3d_v1", 20), run_of("cnn3d_v2", 28)]
    one = summary_of(pair)
    assert one["about"] == "one trained model a split"
    assert one["comparisons"]["pairs"][0]["sentence"].endswith(TRAINED_MODEL)
    again = [run_of("cnn3d_v1", 22, seed=2), run_of("cnn3d_v2", 28, seed=2)]
    two = summary_of([*pair, *again])
    assert two["about"] == "design"
    assert "For the design: 2 trainings a split" in two["comparisons"]["pairs"][0]["sentence"]


def test_one_seed_of_each_of_two_models_is_no_design():
    runs = [run_of("spatial", 20, seed=1), run_of("temporal", 20, seed=2)]
    assert summary_of(runs)["about"] == "one trained model a split"


def test_fusion_is_held_to_the_stream_that_validation_chose():
    runs = [
        run_of("two_stream", 30),
        run_of("spatial", 28, val_right=10),  # better on test clips, which nobody may know
        run_of("temporal", 20, val_right=30),
    ]
    summary = summary_of(runs)
    assert summary["best_stream"] == {"temporal": 1}
    (pair,) = summary["comparisons"]["pairs"]
    assert (pair["model"], pair["against"]) == ("two_stream", "best_stream")
    assert pair["gain"]["estimate"] == pytest.approx(0.25)


def test_without_validation_clips_no_stream_is_chosen_by_test_clips():
    runs = [
        run_of("two_stream", 30, val_right=None),
        run_of("spatial", 28, val_right=None),
        run_of("temporal", 20, val_right=None),
    ]
    summary = summary_of(runs)
    assert summary["best_stream"] == {}
    assert summary["comparisons"]["pairs"] == []
    assert ["two_stream", "best_stream"] in summary["comparisons"]["left_out"]


def test_fusion_is_held_to_no_stream_that_it_was_not_made_of():
    old = [run_of("two_stream", 30), run_of("spatial", 28), run_of("temporal", 20)]
    new = [run_of("temporal", 24, version="2", key="b")]
    assert len(summary_of(old)["comparisons"]["pairs"]) == 1
    summary = summary_of([*old, *new])
    assert summary["best_stream"] == {}
    assert ["two_stream", "best_stream"] in summary["comparisons"]["left_out"]


def test_runs_under_other_settings_and_older_ones_are_left_out():
    runs = [
        run_of("temporal", 10, version="1", key="a"),
        run_of("temporal", 10, version="2", key="a", split=2),
        run_of("temporal", 20, version="3", key="b"),
        run_of("temporal", 30, version="4", key="b"),
    ]
    (kept,) = newest_runs(runs[::-1])
    assert kept.version == "4"


def test_a_declared_pair_joins_holms_correction_and_an_absent_one_is_named():
    runs = [run_of("cnn3d_v1", 20), run_of("cnn3d_v2", 28), run_of("temporal", 24)]
    found = summary_of(runs, [("cnn3d_v2", "temporal")])["comparisons"]
    assert [pair["model"] for pair in found["pairs"]] == ["cnn3d_v2", "cnn3d_v2"]
    assert found["left_out"] == [["two_stream", "best_stream"]]
    assert found["pairs"][0]["p_holm"] >= 2 * found["pairs"][0]["p_value"]


def test_without_runs_the_summary_says_so():
    assert summary_of([])["models"] == {}


def test_a_run_without_a_test_clip_is_left_out_and_named(caplog):
    empty = run_of("temporal", 0, split=2, seed=3)
    scores = empty.load_scores()
    empty = replace(empty, load_scores=lambda: scores[scores["partition"] == "val"])
    summary = summary_of([run_of("temporal", 20), empty])
    assert [run["split"] for run in summary["models"]["temporal"]["runs"]] == [1]
    assert "temporal (split 2, seed 3) has no test clip: left out." in caplog.text
    assert summary_of([empty])["models"] == {}
