import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.evaluation.fusion import FusionRule, fit_rule, fuse
from hmdb_kedro.evaluation.metrics import (
    expected_calibration_error,
    log_loss,
    top_k_accuracy,
)

RULES = ["average", "log_average", "weighted"]
SEEDS = st.integers(0, 1000)
NOBODY = np.zeros(0, dtype=int)


def two_streams(seed, n=60, classes=5, sharpness=(1.0, 0.3)):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(2, n, classes))
    logits[:, np.arange(n), labels] += np.array(sharpness)[:, None]
    exponents = np.exp(2 * logits)
    return list(exponents / exponents.sum(axis=2, keepdims=True)), labels


def factor_streams(confident, n=900, seed=0):
    """Two streams of 3 x 3 classes: one knows the row, one the column, nothing else."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(9), n // 9)
    guess = rng.dirichlet(np.full(3, 0.3), (2, n)) if confident else np.full((2, n, 3), 1 / 3)
    rows, columns = np.eye(3)[labels // 3], np.eye(3)[labels % 3]
    spatial = (rows[:, :, None] * guess[0][:, None, :]).reshape(n, 9)
    temporal = (guess[1][:, :, None] * columns[:, None, :]).reshape(n, 9)
    return [spatial, temporal], labels


def factor_accuracy(probabilities, labels, factor):
    """Top-1 of one factor of the 3 x 3 classes, probabilities summed over the other."""
    grid = probabilities.reshape(-1, 3, 3)
    summed = grid.sum(axis=2 if factor == "row" else 1)
    return top_k_accuracy(summed, labels // 3 if factor == "row" else labels % 3, 1)


@given(seed=SEEDS, name=st.sampled_from(RULES))
def test_fused_rows_are_probabilities(seed, name):
    streams, labels = two_streams(seed)
    fused = fuse(fit_rule(name, streams, labels), streams)
    assert (fused >= 0).all()
    assert fused.sum(axis=1) == pytest.approx(1)


@given(seed=SEEDS, name=st.sampled_from(RULES))
def test_the_order_of_streams_plays_no_part(seed, name):
    streams, labels = two_streams(seed)
    fused = fuse(fit_rule(name, streams, labels), streams)
    swapped = fuse(fit_rule(name, streams[::-1], labels), streams[::-1])
    assert swapped == pytest.approx(fused, abs=1e-6)


@given(seed=SEEDS)
def test_the_rules_are_what_they_say(seed):
    (first, second), _ = two_streams(seed)
    average = fuse(fit_rule("average", [first, second], NOBODY), [first, second])
    assert average == pytest.approx((first + second) / 2)
    product = fuse(fit_rule("log_average", [first, second], NOBODY), [first, second])
    expected = first * second / (first * second).sum(axis=1, keepdims=True)
    assert product == pytest.approx(expected)


@given(seed=SEEDS)
def test_an_undecided_stream_changes_nothing_in_a_product(seed):
    (first, _), _ = two_streams(seed)
    undecided = np.full_like(first, 1 / first.shape[1])
    fused = fuse(FusionRule("log_average", (1.0, 1.0)), [first, undecided])
    assert fused == pytest.approx(first)


@given(seed=SEEDS)
def test_the_fitted_weight_is_never_worse_than_either_stream(seed):
    streams, labels = two_streams(seed)
    rule = fit_rule("weighted", streams, labels)
    fused = log_loss(fuse(rule, streams), labels)
    assert sum(rule.weights) == pytest.approx(1)
    assert min(rule.weights) >= 0
    assert fused <= min(log_loss(stream, labels) for stream in streams) + 1e-9


def test_the_fitted_weight_leans_to_the_better_stream():
    streams, labels = two_streams(0, n=2000, sharpness=(1.0, 0.1))
    first, second = fit_rule("weighted", streams, labels).weights
    assert first > 2 * second
    same = [streams[0], streams[0]]
    assert fit_rule("weighted", same, labels).weights == (0.5, 0.5)


def test_without_validation_the_weighted_rule_says_what_it_does_instead():
    streams = [np.zeros((0, 3)), np.zeros((0, 3))]
    rule = fit_rule("weighted", streams, NOBODY)
    assert rule.name == "log_average"
    assert "no validation" in rule.fallback
    assert fit_rule("average", streams, NOBODY).fallback is None


@pytest.mark.parametrize("name", RULES)
def test_a_rule_survives_json(name):
    streams, labels = two_streams(3)
    rule = fit_rule(name, streams, labels)
    stored = json.loads(json.dumps(rule.to_json() | {"streams": ["a", "b"]}))
    assert FusionRule.from_json(stored) == rule


def test_zeros_and_tiny_probabilities_stay_finite():
    first = np.array([[1.0, 0.0, 0.0], [1e-300, 1.0, 0.0]])
    second = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    fused = fuse(FusionRule("log_average", (1.0, 1.0)), [first, second])
    assert np.isfinite(fused).all()
    assert fused[0] == pytest.approx([0.5, 0.5, 0])


def test_what_cannot_be_fused_is_refused():
    with pytest.raises(ValueError, match="Received: 'mean'"):
        fit_rule("mean", [], NOBODY)
    with pytest.raises(ValueError, match="one shape"):
        fuse(FusionRule("average", (0.5, 0.5)), [np.ones((2, 3)), np.ones((2, 4))])
    with pytest.raises(ValueError, match="two streams"):
        fit_rule("weighted", [np.ones((1, 2))] * 3, np.array([0]))


@pytest.mark.parametrize("confident", [False, True])
def test_two_halves_of_the_truth_make_the_whole_in_a_product(confident):
    streams, labels = factor_streams(confident)
    spatial, temporal = streams
    fused = fuse(fit_rule("log_average", streams, labels), streams)
    assert top_k_accuracy(fused, labels, 1) == 1
    assert factor_accuracy(spatial, labels, "row") == 1
    assert factor_accuracy(temporal, labels, "column") == 1
    assert factor_accuracy(spatial, labels, "column") == pytest.approx(1 / 3, abs=0.06)
    assert top_k_accuracy(spatial, labels, 1) == pytest.approx(1 / 3, abs=0.06)
    assert top_k_accuracy(spatial, labels, 3) == 1


def test_undecided_halves_have_the_losses_of_theory():
    streams, labels = factor_streams(confident=False)
    assert log_loss(streams[0], labels) == pytest.approx(np.log(3))
    average = fuse(fit_rule("average", streams, labels), streams)
    assert top_k_accuracy(average, labels, 1) == 1
    assert expected_calibration_error(average, labels) == pytest.approx(2 / 3)


def test_confident_halves_defeat_the_average():
    streams, labels = factor_streams(confident=True)
    average = fuse(fit_rule("average", streams, labels), streams)
    assert top_k_accuracy(average, labels, 1) < 0.6
