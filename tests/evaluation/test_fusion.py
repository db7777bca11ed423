import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from hmdb_kedro.evaluation.fitting import choose, fit_candidates, fit_rule, fit_temperature
from hmdb_kedro.evaluation.fusion import RULES, FusionRule, acceptance_threshold, fuse, temper
from hmdb_kedro.evaluation.metrics import (
    expected_calibration_error,
    log_loss,
    top_k_accuracy,
)

SEEDS = st.integers(0, 1000)
NOBODY = np.zeros(0, dtype=int)


def two_streams(seed, n=60, classes=5, sharpness=(1.0, 0.3)):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(2, n, classes))
    logits[:, np.arange(n), labels] += np.array(sharpness)[:, None]
    exponents = np.exp(2 * logits)
    return list(exponents / exponents.sum(axis=2, keepdims=True)), labels


def calibrated(n, classes=5, seed=0):
    """One stream that means what it says: labels are drawn from its own probabilities."""
    rng = np.random.default_rng(seed)
    stream = rng.dirichlet(np.full(classes, 0.5), n)
    return stream, (rng.random(n)[:, None] > stream.cumsum(axis=1)).sum(axis=1)


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


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_fitted_and_combined_under_its_name(name):
    streams, labels = two_streams(1)
    rule = fit_rule(name, streams, labels)
    assert rule.name == name
    others = {other: fuse(fit_rule(other, streams, labels), streams) for other in RULES}
    fused = others.pop(name)
    assert all(np.abs(fused - other).max() > 1e-3 for other in others.values())


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
@pytest.mark.parametrize("temperature", [False, True])
def test_a_rule_survives_json(name, temperature):
    streams, labels = two_streams(3)
    rule = fit_rule(name, streams, labels, temperature=temperature)
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


class TestSvm:
    def test_it_is_scikit_learns_and_normalised(self):
        streams, labels = two_streams(5, n=200)
        rule = fit_rule("svm", streams, labels)
        features = np.concatenate([s / np.linalg.norm(s, axis=1)[:, None] for s in streams], axis=1)
        reference = LinearSVC(C=1.0, dual="auto", tol=1e-7, random_state=0)
        reference.fit(features, labels)
        fused = fuse(rule, streams)
        assert (fused.argmax(axis=1) == reference.predict(features)).all()
        margins = rule.svm.scale * reference.decision_function(features)
        assert np.log(fused) == pytest.approx(
            margins - np.log(np.exp(margins).sum(axis=1))[:, None], abs=1e-6
        )

    def test_two_classes_have_two_margins(self):
        streams, labels = two_streams(6, classes=2)
        rule = fit_rule("svm", streams, labels)
        assert len(rule.svm.coefficients) == 2
        assert top_k_accuracy(fuse(rule, streams), labels, 1) > 0.7

    def test_a_class_with_one_clip_makes_it_fall_back_and_say_so(self):
        streams, labels = two_streams(5)
        labels[labels == 4] = 3
        rule = fit_rule("svm", streams, labels)
        assert (rule.name, rule.svm) == ("log_average", None)
        assert "svm needs 2 validation clips of every class; 1 have fewer" in rule.fallback


class TestTemperature:
    @pytest.mark.parametrize("true", [0.5, 1.0, 2.0])
    def test_it_finds_what_was_done_to_the_scores(self, true):
        streams, labels = calibrated(n=4000)
        spoilt = temper(streams, 1 / true)
        assert fit_temperature(spoilt, labels) == pytest.approx(true, rel=0.12)

    def test_few_clips_leave_it_near_one(self):
        streams, labels = calibrated(n=4000)
        spoilt = temper(streams, 1 / 3)
        few, many = fit_temperature(spoilt[:5], labels[:5]), fit_temperature(spoilt, labels)
        assert 1 < few < many

    @given(seed=SEEDS)
    def test_it_never_changes_a_streams_own_answer(self, seed):
        (first, _), _ = two_streams(seed)
        assert (temper(first, 3.0).argmax(axis=1) == first.argmax(axis=1)).all()
        assert temper(temper(first, 3.0), 1 / 3) == pytest.approx(first)

    def test_below_fifty_clips_it_is_skipped_and_that_is_on_record(self):
        streams, labels = two_streams(1, n=49)
        rule = fit_rule("log_average", streams, labels, temperature=True)
        assert rule.temperatures == (1, 1)
        assert rule.fallback == "no temperatures: 49 validation clips, 50 needed"
        streams, labels = two_streams(1, n=50)
        rule = fit_rule("log_average", streams, labels, temperature=True)
        assert rule.fallback is None
        assert 1 not in rule.temperatures


class TestChoice:
    def sources(self, labels):
        return np.arange(len(labels)) // 3

    def test_validation_chooses_the_rule_of_least_loss(self):
        streams, labels = two_streams(0, n=240)
        candidates = fit_candidates(streams, labels, self.sources(labels))
        chosen = choose(candidates, "auto", temperature=False, n_val=240)
        best = min(candidates, key=lambda candidate: candidate.val_log_loss)
        assert chosen == best.rule
        assert [c.with_temperature for c in candidates] == [False] * 4 + [True] * 4

    def test_what_was_asked_for_is_taken_whatever_validation_says(self):
        streams, labels = two_streams(0, n=240)
        candidates = fit_candidates(streams, labels, self.sources(labels))
        for name in RULES:
            for temperature in (False, True):
                chosen = choose(candidates, name, temperature=temperature, n_val=240)
                assert chosen.name == name
                assert (chosen.temperatures != (1, 1)) == temperature

    def test_below_two_hundred_clips_auto_is_the_product_and_says_so(self):
        streams, labels = two_streams(0, n=199)
        candidates = fit_candidates(streams, labels, self.sources(labels))
        chosen = choose(candidates, "auto", temperature=False, n_val=199)
        assert chosen.name == "log_average"
        assert chosen.fallback == "auto chooses from 200 validation clips on, and there are 199"
        assert {candidate.val_log_loss for candidate in candidates} == {None}

    def test_of_clips_of_one_source_auto_is_the_product_and_says_so(self):
        streams, labels = two_streams(0, n=250)
        candidates = fit_candidates(streams, labels, np.zeros(len(labels)))
        chosen = choose(candidates, "auto", temperature=False, n_val=250)
        assert chosen.name == "log_average"
        reason = "auto chooses on folds by source, and all 250 validation clips are of one"
        assert chosen.fallback == reason

    def test_confident_halves_of_the_truth_are_given_to_the_product(self):
        streams, labels = factor_streams(confident=True)
        candidates = fit_candidates(streams, labels, self.sources(labels))
        chosen = choose(candidates, "auto", temperature=False, n_val=len(labels))
        assert chosen.name in {"log_average", "weighted"}
        assert top_k_accuracy(fuse(chosen, streams), labels, 1) == 1

    def test_a_rule_is_judged_on_sources_it_has_not_seen(self):
        # Every source says in its scores which class its clips have, in a code of its own: nothing
        # to learn for others, all to learn by heart.
        rng = np.random.default_rng(0)
        codes = rng.dirichlet(np.ones(5), 60)
        sources = np.repeat(np.arange(60), 4)
        labels = rng.integers(0, 5, 60)[sources]
        streams = [codes[sources], codes[sources]]
        candidates = fit_candidates(streams, labels, sources)
        svm = candidates[RULES.index("svm")]
        own = top_k_accuracy(fuse(svm.rule, streams), labels, 1)
        assert svm.val_top1 < own - 0.1
        assert svm.val_top1 == pytest.approx(0.2, abs=0.12)


@given(seed=SEEDS, name=st.sampled_from(RULES), temperature=st.booleans())
def test_any_number_of_streams_is_fused(seed, name, temperature):
    streams, labels = two_streams(seed, sharpness=(1.0, 0.3))
    third, _ = two_streams(seed + 1)
    fused = fuse(
        fit_rule(name, [*streams, third[0]], labels, temperature=temperature),
        [*streams, third[0]],
    )
    assert fused.shape == streams[0].shape
    assert fused.sum(axis=1) == pytest.approx(1)


@given(seed=SEEDS, name=st.sampled_from(["average", "log_average", "weighted"]))
def test_identical_streams_gain_nothing(seed, name):
    (first, _), labels = two_streams(seed)
    fused = fuse(fit_rule(name, [first, first], labels, temperature=True), [first, first])
    assert (fused.argmax(axis=1) == first.argmax(axis=1)).all()


@given(seed=SEEDS, name=st.sampled_from(RULES), temperature=st.booleans())
def test_the_order_of_classes_plays_no_part(seed, name, temperature):
    streams, labels = two_streams(seed)
    order = np.random.default_rng(seed).permutation(5)
    moved = [stream[:, order] for stream in streams]
    rule = fit_rule(name, streams, labels, temperature=temperature)
    again = fit_rule(name, moved, np.argsort(order)[labels], temperature=temperature)
    assert fuse(again, moved) == pytest.approx(fuse(rule, streams)[:, order], abs=2e-3)


@pytest.mark.parametrize("n_clips", [1, 19, 20, 27, 100])
def test_the_threshold_accepts_95_percent_of_the_clips_and_no_lower_one_does(n_clips):
    sure = np.random.default_rng(n_clips).uniform(0.5, 1, n_clips)
    probabilities = np.column_stack([sure, 1 - sure])
    threshold = acceptance_threshold(probabilities)
    assert (sure >= threshold).mean() >= 0.95
    assert (sure > threshold).mean() < 0.95


def test_without_validation_clips_there_is_no_threshold():
    assert acceptance_threshold(np.empty((0, 3))) is None
