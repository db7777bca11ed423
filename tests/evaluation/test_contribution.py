from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.evaluation.contribution import (
    best_choice,
    overlap,
    prior_probabilities,
    shapley_values,
    weight_curve,
)
from hmdb_kedro.evaluation.duration import duration_baseline
from hmdb_kedro.evaluation.fusion import FusionRule, fuse
from hmdb_kedro.evaluation.groups import accuracy_by_class, clip_groups, gains_by_group
from hmdb_kedro.evaluation.metrics import log_loss, top_k_accuracy, top_k_hits

SEEDS = st.integers(0, 1000)
DRAWS = {"draws": 1000, "seed": 0}


def ideal_streams():
    """The sample set's truth: each stream knows its own factor of 3 x 3 and nothing else."""
    labels = np.repeat(np.arange(9), 12)
    rows, columns = np.eye(3)[labels // 3], np.eye(3)[labels % 3]
    spatial = (rows[:, :, None] * np.full(3, 1 / 3)).reshape(-1, 9)
    temporal = (np.full(3, 1 / 3)[:, None] * columns[:, None, :]).reshape(-1, 9)
    return {"spatial": spatial, "temporal": temporal}, labels


def ideal_hits():
    streams, labels = ideal_streams()
    return {name: top_k_hits(p, labels, 1) for name, p in streams.items()}


class TestTruthOfTheSampleSet:
    def test_overlap_and_best_choice(self):
        shares = overlap(ideal_hits())
        expected = {"both": 1 / 9, "only_spatial": 2 / 9, "only_temporal": 2 / 9, "neither": 4 / 9}
        assert shares == pytest.approx(expected)
        assert best_choice(ideal_hits()) == pytest.approx(5 / 9)

    def test_shapley_values_for_accuracy_and_log_loss(self):
        streams, labels = ideal_streams()
        prior = prior_probabilities(labels, 9, len(labels))

        def fused(coalition):
            chosen = [streams[name] for name in streams if name in coalition]
            rule = FusionRule("log_average", (1.0,) * len(chosen))
            return fuse(rule, chosen) if chosen else prior

        accuracy = shapley_values(list(streams), lambda c: top_k_accuracy(fused(c), labels, 1))
        assert accuracy == pytest.approx({"spatial": 4 / 9, "temporal": 4 / 9})
        loss = shapley_values(list(streams), lambda c: -log_loss(fused(c), labels))
        assert loss == pytest.approx({"spatial": np.log(3), "temporal": np.log(3)})

    def test_the_weight_curve_is_whole_between_its_ends(self):
        streams, labels = ideal_streams()
        curve = pd.DataFrame(weight_curve(*streams.values(), labels, steps=11))
        assert curve["weight"].tolist() == pytest.approx(np.linspace(0, 1, 11))
        assert curve["top1"].tolist() == pytest.approx([1 / 3, *[1.0] * 9, 1 / 3])
        assert curve["log_loss"].iloc[[0, -1]].tolist() == pytest.approx([np.log(3)] * 2)

    def test_another_clips_flow_leaves_a_third(self):
        streams, labels = ideal_streams()
        order = np.random.default_rng(0).permutation(len(labels))
        rule = FusionRule("log_average", (1.0, 1.0))
        swapped = fuse(rule, [streams["spatial"], streams["temporal"][order]])
        assert top_k_accuracy(swapped, labels, 1) == pytest.approx(1 / 3, abs=0.14)
        zero = np.full_like(streams["temporal"], 1 / 9)
        assert top_k_accuracy(fuse(rule, [streams["spatial"], zero]), labels, 1) == pytest.approx(
            1 / 3
        )


@given(seed=SEEDS)
def test_at_least_one_right_is_both_accuracies_less_both_right(seed):
    hits = dict(zip("ab", (np.random.default_rng(seed).random((2, 40)) < 0.5) * 1.0, strict=True))
    shares = overlap(hits)
    assert sum(shares.values()) == pytest.approx(1)
    assert best_choice(hits) == pytest.approx(hits["a"].mean() + hits["b"].mean() - shares["both"])
    assert shares["only_a"] == pytest.approx((hits["a"] * (1 - hits["b"])).mean())


def test_three_streams_have_eight_parts():
    hits = dict(zip("abc", (np.random.default_rng(0).random((3, 40)) < 0.5) * 1.0, strict=True))
    shares = overlap(hits)
    parts = {"none", "only_a", "only_b", "only_c", "a+b", "a+c", "b+c", "a+b+c"}
    assert set(shares) == parts
    assert sum(shares.values()) == pytest.approx(1)


@given(seed=SEEDS, n=st.integers(1, 5))
def test_shapley_values_are_the_mean_over_all_orders_of_joining(seed, n):
    names, rng = "abcde"[:n], np.random.default_rng(seed)
    worth = {}

    def value(coalition):
        assert coalition not in worth, "asked for twice"
        return worth.setdefault(coalition, float(rng.normal()))

    found = shapley_values(names, value)
    orders = list(permutations(names))
    for name in names:
        added = [
            worth[frozenset(order[: order.index(name) + 1])]
            - worth[frozenset(order[: order.index(name)])]
            for order in orders
        ]
        assert found[name] == pytest.approx(np.mean(added))
    total = worth[frozenset(names)] - worth[frozenset()]
    assert sum(found.values()) == pytest.approx(total)


@given(seed=SEEDS)
def test_the_curve_is_the_weighted_rule_at_each_weight(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.dirichlet(np.ones(5), (2, 30))
    labels = rng.integers(0, 5, 30)
    for row in weight_curve(first, second, labels, steps=5):
        rule = FusionRule("weighted", (row["weight"], 1 - row["weight"]))
        fused = fuse(rule, [first, second])
        assert row["top1"] == top_k_accuracy(fused, labels, 1)
        assert row["log_loss"] == pytest.approx(log_loss(fused, labels))


class TestGroups:
    def clips(self, n=240):
        return pd.DataFrame(
            {
                "camera_motion": np.tile(["static", "moving", None], n // 3),
                "num_people": pd.array(np.tile([1, 2], n // 2), "Int64"),
                "duration_s": np.linspace(1, 10, n),
            }
        )

    def test_clips_are_grouped_by_fields_and_by_bins_of_equal_mass(self):
        groups = clip_groups(
            self.clips(), ["camera_motion", "num_people", "viewpoint"], {"duration_s": "s"}
        )
        assert list(groups) == ["camera_motion", "num_people", "duration_s"]
        assert groups["camera_motion"].value_counts().to_dict() == dict.fromkeys(
            ["static", "moving", "not given"], 80
        )
        assert groups["duration_s"].value_counts().tolist() == [60] * 4
        assert groups["duration_s"].iloc[[0, -1]].tolist() == ["1: 1 to 3.22 s", "4: 7.78 to 10 s"]

    def test_equal_and_unknown_measures_are_groups_too(self):
        clips = pd.DataFrame({"duration_s": [2.0, 2.0, None, 2.0]})
        groups = clip_groups(clips, [], {"duration_s": "s"})
        assert groups["duration_s"].tolist() == ["2 s", "2 s", "not given", "2 s"]

    def test_a_gain_is_found_where_it_was_put(self):
        clips, rng = self.clips(), np.random.default_rng(0)
        stream = (rng.random(240) < 0.4).astype(float)
        fused = np.where(clips["camera_motion"] == "static", 1.0, stream)
        table = gains_by_group(
            clip_groups(clips, ["camera_motion"], {}),
            fused,
            {"spatial": stream},
            np.arange(240) // 2,
            **DRAWS,
        ).set_index("value")
        static, moving = table.loc["static"], table.loc["moving"]
        assert static["two_stream"] == 1
        assert static["gain_over_spatial"] == pytest.approx(1 - static["spatial"])
        assert static["gain_over_spatial_low"] > 0.3
        assert moving[["gain_over_spatial", "gain_over_spatial_high"]].tolist() == [0, 0]
        assert (static["n_clips"], static["field"]) == (80, "camera_motion")
        counts = table["n_clips"] @ table["spatial"]
        assert counts == pytest.approx(stream.sum())

    def test_a_class_has_the_accuracy_of_its_clips_and_none_without_any(self):
        labels = np.repeat([0, 2], 60)
        hits = np.tile([1.0, 0.0, 1.0], 40)
        first, second, third = accuracy_by_class(hits, labels, 3, np.arange(120) // 2)
        assert second is None
        assert first.estimate == third.estimate == pytest.approx(2 / 3)
        assert (first.n_clips, first.n_sources, first.method) == (60, 30, "wilson")


class TestDuration:
    def test_classes_told_apart_by_length_are_found(self):
        labels = np.repeat([0, 1, 2], 40)
        seconds = labels + np.random.default_rng(0).uniform(0, 0.9, 120)
        p = duration_baseline(seconds, labels, seconds, 3)
        assert top_k_accuracy(p, labels, 1) > 0.9
        assert p.sum(axis=1) == pytest.approx(1)
        assert (p > 0).all()

    def test_equal_or_unknown_lengths_tell_no_more_than_the_classes_shares(self):
        labels = np.repeat([0, 1, 2], [20, 10, 10])
        p = duration_baseline(np.full(40, 2.0), labels, np.array([2.0, np.nan]), 3)
        assert p == pytest.approx(np.tile([0.5, 0.25, 0.25], (2, 1)))

    def test_without_any_length_in_training_there_are_the_classes_shares(self):
        labels = np.repeat([0, 1, 2], [20, 10, 10])
        p = duration_baseline(np.full(40, np.nan), labels, np.array([2.0, np.nan]), 3)
        assert p == pytest.approx(np.tile([0.5, 0.25, 0.25], (2, 1)))

    @given(seed=SEEDS)
    def test_the_shares_are_counts_within_the_bin(self, seed):
        rng = np.random.default_rng(seed)
        seconds, labels = rng.exponential(3, 200), rng.integers(0, 4, 200)
        p = duration_baseline(seconds, labels, seconds, 4)
        edges = np.quantile(seconds, np.arange(1, 16) / 16)
        prior = np.bincount(labels, minlength=4) / 200
        for clip in (0, 57):
            same = np.digitize(seconds, edges, right=True) == np.digitize(
                seconds[clip], edges, right=True
            )
            counts = np.bincount(labels[same], minlength=4) + 4 * prior
            assert p[clip] == pytest.approx(counts / counts.sum())
