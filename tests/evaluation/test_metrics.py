import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.evaluation.metrics import (
    brier_score,
    classification_metrics,
    confusion_matrix,
    expected_calibration_error,
    log_loss,
    mean_class_accuracy,
    top_k_accuracy,
    top_k_hits,
)

CLASSES = 7


def drawn(seed, n=200, classes=CLASSES):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.4), n)
    likely = np.array([rng.choice(classes, p=row) for row in probabilities])
    return probabilities, np.where(rng.random(n) < 0.7, likely, rng.integers(0, classes, n))


@given(seed=st.integers(0, 1000), k=st.integers(1, CLASSES - 1))
def test_metrics_agree_with_scikit_learn(seed, k):
    p, y = drawn(seed)
    everyone = range(CLASSES)
    assert top_k_accuracy(p, y, k) == pytest.approx(
        reference.top_k_accuracy_score(y, p, k=k, labels=everyone)
    )
    assert mean_class_accuracy(p, y) == pytest.approx(
        reference.recall_score(y, p.argmax(1), labels=np.unique(y), average="macro")
    )
    clipped = np.clip(p, 1e-12, 1)
    assert log_loss(p, y) == pytest.approx(reference.log_loss(y, clipped, labels=everyone))
    assert brier_score(p, y) == pytest.approx(
        reference.brier_score_loss(y, p, labels=everyone, scale_by_half=False)
    )
    expected = reference.confusion_matrix(y, p.argmax(1), labels=everyone)
    assert (confusion_matrix(p, y) == expected).all()


def test_uniform_probabilities_score_chance_whatever_the_classes_order():
    p, y = np.full((30, 5), 0.2), np.repeat([0, 1, 4], 10)
    metrics = classification_metrics(p, y)
    assert [metrics["top1"], metrics["mean_class_accuracy"]] == pytest.approx([0.2, 0.2])
    assert (metrics["top5"], metrics["n"]) == (1, 30)
    assert metrics["log_loss"] == pytest.approx(np.log(5))
    assert metrics["ece"] == pytest.approx(0)
    assert top_k_accuracy(p, y, 2) == pytest.approx(0.4)
    assert confusion_matrix(p, y)[4] == pytest.approx(np.full(5, 2))


def test_more_places_than_classes_are_always_enough():
    p, y = drawn(0, classes=3)
    assert top_k_accuracy(p, y, 5) == 1


@given(seed=st.integers(0, 1000), coarse=st.booleans())
def test_every_metric_forgets_the_order_of_rows_and_classes(seed, coarse):
    p, y = drawn(seed)
    p = np.ceil(p * 3) / (np.ceil(p * 3)).sum(axis=1, keepdims=True) if coarse else p
    rng = np.random.default_rng(seed)
    rows, classes = rng.permutation(len(y)), rng.permutation(CLASSES)
    moved = classification_metrics(p[rows][:, np.argsort(classes)], classes[y[rows]])
    assert moved == pytest.approx(classification_metrics(p, y))


@given(seed=st.integers(0, 1000))
def test_hits_confusion_and_accuracy_tell_one_story(seed):
    p, y = drawn(seed)
    counts = confusion_matrix(p, y)
    assert counts.sum(axis=1).tolist() == np.bincount(y, minlength=CLASSES).tolist()
    assert np.trace(counts) / len(y) == pytest.approx(top_k_accuracy(p, y, 1))
    assert (top_k_hits(p, y, 2) >= top_k_hits(p, y, 1)).all()


def test_a_certain_and_wrong_answer_costs_a_finite_loss():
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(12 * np.log(10))


def test_the_calibration_error_is_the_mean_gap_of_equal_bins():
    # Ten bins of two rows each; in every bin one row is right, so accuracy is 1/2 throughout.
    confidence = np.repeat(np.linspace(0.55, 0.95, 10), 2)
    p, y = np.stack([confidence, 1 - confidence], axis=1), np.tile([0, 1], 10)
    assert expected_calibration_error(p, y) == pytest.approx(np.abs(confidence - 0.5).mean())


def test_opposite_errors_within_a_bin_cancel_and_across_bins_do_not():
    p = np.array([[0.9, 0.1]] * 50 + [[0.6, 0.4]] * 50)
    y = np.array([0] * 30 + [1] * 20 + [0] * 45 + [1] * 5)  # accuracy .6 and .9
    assert expected_calibration_error(p, y, bins=1) == pytest.approx(0)
    assert expected_calibration_error(p, y) == pytest.approx(0.3)


def test_fewer_rows_than_bins_are_bins_of_their_own():
    p, y = np.array([[0.8, 0.2], [0.7, 0.3]]), np.array([0, 1])
    assert expected_calibration_error(p, y) == pytest.approx((0.2 + 0.7) / 2)


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Received"):
        top_k_hits(np.zeros((0, 3)), np.zeros(0, dtype=int), 1)
    with pytest.raises(ValueError, match="Received"):
        log_loss(np.full((2, 2), 0.5), np.array([0]))
