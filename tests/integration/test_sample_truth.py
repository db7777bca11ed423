"""The sample set is drawn so that every figure is known beforehand: docs/protocol.md."""

import numpy as np
import pytest

from hmdb_kedro.sample.truth import LABELS, factors

pytestmark = pytest.mark.slow
CHANCE = 1 / 9


def of_test_part(table):
    table = table[table["partition"] == "test"]
    classes = [name for name in table.columns if name in LABELS]
    labels = np.array([classes.index(label) for label in table["label"]])
    return classes, table[classes].to_numpy(np.float64), labels


def top1(table):
    _, probabilities, labels = of_test_part(table)
    return (probabilities.argmax(axis=1) == labels).mean()


def factor_accuracy(table, position):
    """Accuracy on one factor: probabilities summed over the other."""
    classes, probabilities, labels = of_test_part(table)
    values = np.array([factors(name)[position] for name in classes])
    names = sorted(set(values))
    sums = np.stack([probabilities[:, values == name].sum(axis=1) for name in names], axis=1)
    return (np.array(names)[sums.argmax(axis=1)] == values[labels]).mean()


@pytest.fixture(scope="module")
def catalog(sample_run):
    return sample_run.catalog()


@pytest.mark.parametrize(("stream", "position"), [("spatial", 0), ("temporal", 1)])
def test_a_stream_knows_its_own_factor_and_nothing_of_the_other(catalog, stream, position):
    scores = catalog.load(f"{stream}.scores")
    assert factor_accuracy(scores, position) >= 0.9
    assert 0.19 <= top1(scores) <= 0.49


@pytest.mark.parametrize("model", ["cnn3d_v1", "cnn3d_v2", "two_stream"])
def test_what_sees_both_factors_knows_the_class(catalog, model):
    assert top1(catalog.load(f"{model}.scores")) >= 0.9


@pytest.mark.parametrize("ablation", ["shuffled_frames", "zero_flow"])
def test_without_motion_the_temporal_stream_is_at_chance(catalog, ablation):
    table = catalog.load("temporal.ablation_scores")
    table = table[table["ablation"] == ablation]
    assert len(table) == 108
    # Four standard errors of a guess among nine at 108 clips.
    assert top1(table) == pytest.approx(CHANCE, abs=4 * np.sqrt(CHANCE * (1 - CHANCE) / 108))
    assert factor_accuracy(table, 1) <= 0.55


def test_v2_has_a_fifth_of_the_parameters_of_v1(catalog):
    v1, v2 = (catalog.load(f"cnn3d_{version}.cost") for version in ("v1", "v2"))
    assert 5 * v2["parameters"] <= v1["parameters"]


def test_v2_is_cheaper_a_clip_than_v1(catalog):
    v1, v2 = (catalog.load(f"cnn3d_{version}.cost") for version in ("v1", "v2"))
    assert v2["gflops"] < v1["gflops"]


def test_the_index_holds_what_was_drawn(catalog):
    index = catalog.load("clip_index")
    assert len(index) == 243
    assert (index["status"] == "ok").all()
    assert index["partition"].value_counts().to_dict() == {"train": 108, "test": 108, "val": 27}
    assert index.groupby("source_video")["partition"].nunique().max() == 1
    assert index["camera_motion"].eq("moving").all()


def test_every_clip_is_accounted_for(catalog):
    for stage in ("data_prep", "frames", "flow"):
        report = catalog.load(f"{stage}_report")
        assert report["done"] + report["skipped"] == 243
        assert (report["rejected"], report["missing"]) == ({}, {})


def test_metrics_judge_five_models_on_the_same_clips(catalog):
    metrics = catalog.load("metrics")
    assert set(metrics) == {"spatial", "cnn3d_v1", "cnn3d_v2", "temporal", "two_stream"}
    for model, found in metrics.items():
        assert (found["n"], found["val_n"]) == (108, 27)
        assert found["top1"] == pytest.approx(top1(catalog.load(f"{model}.scores")))
    assert metrics["two_stream"]["gain_over_best_stream"] > 0.4


def test_what_the_streams_share_and_what_each_brings_is_near_the_truth(catalog):
    found, metrics = catalog.load("stream_contribution"), catalog.load("metrics")
    overlap, spatial, temporal = (
        found["overlap"],
        *(metrics[name]["top1"] for name in ("spatial", "temporal")),
    )
    assert sum(overlap.values()) == pytest.approx(1)
    assert found["best_choice"] == pytest.approx(spatial + temporal - overlap["both"])
    assert 3 / 9 <= found["best_choice"] <= 6 / 9 < found["fused"]["top1"]
    assert found["prior"]["top1"] == pytest.approx(CHANCE)
    for stream in ("spatial", "temporal"):
        assert found["shapley"]["accuracy"][stream] == pytest.approx(4 / 9, abs=0.15)
        # ln 3 for ideal streams; trained ones guess what they cannot know: the fused loss is not 0.
        assert 0.4 <= found["shapley"]["log_loss"][stream] <= np.log(3) + 0.35
    brought = sum(found["shapley"]["log_loss"].values())
    assert brought == pytest.approx(
        found["prior"]["log_loss"] - metrics["two_stream"]["log_loss"], abs=1e-3
    )


def test_fusion_lives_on_both_streams_scores_of_the_same_clip(catalog):
    table = catalog.load("ablations")
    table = table[table["model"] == "temporal"].set_index("ablation")
    assert {"none", "shuffled_frames", "zero_flow", "another_clips_scores"} <= set(table.index)
    without = table.drop(index="none")["fused_top1"]
    assert without.to_list() == pytest.approx([1 / 3] * len(without), abs=0.16)


def test_the_gain_of_fusion_is_told_from_none(catalog):
    fused = catalog.load("comparisons")["pairs"][0]
    assert fused["model"] == "two_stream"
    assert fused["is_distinguishable"]
    assert (fused["gain"]["n_clips"], fused["gain"]["n_sources"]) == (108, 36)
    assert fused["gain"]["low"] > 0.3


def test_nothing_makes_its_figures_worthless_and_the_report_says_so(catalog):
    checks = catalog.load("evaluation_checks")
    assert checks["faults"] == []
    for found in checks["shuffled_labels"].values():
        assert found["mean"] == pytest.approx(CHANCE, abs=0.02)
    assert "No fault found" in catalog.load("report")
    assert len(catalog.load("hardest_clips")) == 12
