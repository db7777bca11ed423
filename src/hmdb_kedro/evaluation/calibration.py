"""Do probabilities mean what they say?"""

from typing import Any

import numpy as np

from hmdb_kedro.evaluation.metrics import (
    BINS,
    brier_score,
    by_confidence,
    expected_calibration_error,
    log_loss,
)

_DRAWS = 200


def calibration(probabilities: np.ndarray, labels: np.ndarray, *, seed: int) -> dict[str, Any]:
    """Return what tells how well a model knows its own doubt, the proper scores first.

    Args:
        probabilities: float, shape (N, C).
        labels: int, shape (N,).
        seed: Of the draws behind `ece_if_calibrated`.

    Returns:
        log_loss (nats), brier, ece, ece_if_calibrated (see there), and `bins`, a row each of
        equal mass: n, confidence and accuracy, both means.
    """
    return {
        "log_loss": log_loss(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "ece_if_calibrated": ece_if_calibrated(probabilities, seed=seed),
        "bins": reliability_bins(probabilities, labels),
    }


def reliability_bins(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> list[dict[str, float]]:
    """Return mean confidence and accuracy in bins of equal mass; fewer where rows are."""
    confidence, accuracy = by_confidence(probabilities, labels)
    parts = zip(np.array_split(confidence, bins), np.array_split(accuracy, bins), strict=True)
    return [
        {"n": len(sure), "confidence": float(sure.mean()), "accuracy": float(right.mean())}
        for sure, right in parts
        if len(sure)
    ]


def ece_if_calibrated(
    probabilities: np.ndarray, *, seed: int, bins: int = BINS, draws: int = _DRAWS
) -> float:
    """Return the calibration error a model of these confidences shows by chance alone.

    A calibrated model is right as often as it says, and still off in every bin of so few clips:
    the mean error where each answer is right with the probability it was given.

    Args:
        probabilities: float, shape (N, C), N >= 1.
        seed: Of the draws.
        bins: Of equal mass.
        draws: Sets of answers to draw.
    """
    confidence = np.sort(np.asarray(probabilities, dtype=np.float64).max(axis=1))
    _, starts, sizes = np.unique(confidence, return_index=True, return_counts=True)
    generator = np.random.default_rng(seed)
    edges = [part[0] for part in np.array_split(np.arange(len(confidence)), bins) if len(part)]
    errors = []
    for _ in range(draws):
        right = (generator.random(len(confidence)) < confidence).astype(np.float64)
        # As the error itself does: rows of one confidence share their accuracy.
        shared = np.repeat(np.add.reduceat(right, starts) / sizes, sizes)
        errors.append(np.abs(np.add.reduceat(confidence - shared, edges)).sum())
    return float(np.mean(errors) / len(confidence))
