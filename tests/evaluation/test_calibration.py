import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from hmdb_kedro.evaluation.calibration import calibration, ece_if_calibrated, reliability_bins
from hmdb_kedro.evaluation.metrics import expected_calibration_error


def honest(n, seed=0, classes=51):
    """Probabilities that mean what they say: labels are drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(classes, 0.1), n)
    labels = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    return p, np.minimum(labels, classes - 1)


def test_the_bins_are_those_of_scikit_learn():
    p, y = honest(1000)
    bins = reliability_bins(p, y)
    accuracy, confidence = calibration_curve(
        p.argmax(axis=1) == y, p.max(axis=1), n_bins=10, strategy="quantile"
    )
    assert [found["accuracy"] for found in bins] == pytest.approx(accuracy)
    assert [found["confidence"] for found in bins] == pytest.approx(confidence)
    assert [found["n"] for found in bins] == [100] * 10


@given(seed=st.integers(0, 1000), n=st.integers(1, 60))
def test_the_error_is_the_mean_gap_of_the_bins(seed, n):
    p, y = honest(n, seed, classes=4)
    bins = reliability_bins(p, y)
    gap = sum(found["n"] * abs(found["accuracy"] - found["confidence"]) for found in bins) / n
    assert gap == pytest.approx(expected_calibration_error(p, y))
    assert sum(found["n"] for found in bins) == n


@pytest.mark.parametrize(("n", "expected"), [(60, 0.14), (1530, 0.03)])
def test_a_perfect_model_shows_an_error_that_shrinks_with_the_clips(n, expected):
    found = ece_if_calibrated(honest(n)[0], seed=0)
    assert found == pytest.approx(expected, abs=0.02)
    errors = [expected_calibration_error(*honest(n, seed)) for seed in range(100)]
    assert found == pytest.approx(np.mean(errors), rel=0.1)


def test_undecided_models_share_one_confidence_and_one_gap():
    p, y = np.full((90, 9), 1 / 9), np.repeat(np.arange(9), 10)
    found = calibration(p, y, seed=0)
    assert found["ece"] == pytest.approx(0)
    assert found["ece_if_calibrated"] == pytest.approx(0.026, abs=0.006)  # |a binomial's error|
    assert (found["log_loss"], found["brier"]) == pytest.approx((np.log(9), 8 / 9))


def test_the_proper_scores_come_first():
    assert list(calibration(*honest(30), seed=0)) == [
        "log_loss",
        "brier",
        "ece",
        "ece_if_calibrated",
        "bins",
    ]
