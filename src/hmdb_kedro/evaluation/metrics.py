"""How good probabilities are, given the true classes.

Ties are shared fairly: where t classes tie for k places, each of them holds its place with
probability k / t, so that no class gains by its position and uniform probabilities score chance.
"""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage

# Probabilities below this count as this much in a logarithm.
FLOOR = 1e-12
BINS = 10


def classification_metrics(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return every metric of a model by its name.

    Args:
        probabilities: float, shape (N, C), rows sum to 1.
        labels: int, shape (N,): the true class of each row.

    Returns:
        top1, top5, mean_class_accuracy, log_loss (nats), brier, ece, and n, the number of rows.
    """
    return {
        "top1": top_k_accuracy(probabilities, labels, 1),
        "top5": top_k_accuracy(probabilities, labels, 5),
        "mean_class_accuracy": mean_class_accuracy(probabilities, labels),
        "log_loss": log_loss(probabilities, labels),
        "brier": brier_score(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "n": len(labels),
    }


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the share of rows whose class is among the k most probable ones."""
    return float(top_k_hits(probabilities, labels, k).mean())


def top_k_hits(probabilities: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Say for each row whether its class is among the k most probable ones.

    Returns:
        float64, shape (N,): 1 or 0, or the chance of a place among tied classes.
    """
    probabilities = _checked(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels][:, None]
    places_left = k - (probabilities > true).sum(axis=1)
    tied = (probabilities == true).sum(axis=1)
    hits: np.ndarray = np.clip(places_left / tied, 0.0, 1.0)
    return hits


def mean_class_accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return top-1 accuracy as the mean over the classes that occur."""
    hits = top_k_hits(probabilities, labels, 1)
    _, classes = np.unique(labels, return_inverse=True)
    return float((np.bincount(classes, weights=hits) / np.bincount(classes)).mean())


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean of -log p of the true class, in nats; p is at least `FLOOR`."""
    return float(log_losses(probabilities, labels).mean())


def log_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return -log p of each row's true class, in nats, shape (N,); p is at least `FLOOR`."""
    probabilities = _checked(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels]
    losses: np.ndarray = -np.log(np.clip(true, FLOOR, 1.0))
    return losses


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean squared distance to the truth over all classes, from 0 to 2 (Brier 1950)."""
    probabilities = _checked(probabilities, labels)
    true = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities**2).sum(axis=1) - 2 * true + 1).mean())


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS
) -> float:
    """Return the mean gap between confidence and top-1 accuracy over bins of equal mass.

    Rows of equal confidence share their mean accuracy, so that the order of rows plays no part.
    """
    confidence, accuracy = by_confidence(probabilities, labels)
    gap = confidence - accuracy
    return float(sum(abs(part.sum()) for part in np.array_split(gap, bins)) / len(gap))


def by_confidence(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each row, sorted, and the mean accuracy of rows of the same one.

    Returns:
        Two float64 arrays of shape (N,).
    """
    hits = top_k_hits(probabilities, labels, 1)
    confidence, group = np.unique(
        np.asarray(probabilities, dtype=np.float64).max(axis=1), return_inverse=True
    )
    accuracy = np.bincount(group, weights=hits) / np.bincount(group)
    ordered = np.sort(group)
    return confidence[ordered], accuracy[ordered]


def confusion_matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count predictions by true class.

    Returns:
        float64, shape (C, C): rows are true classes, columns predicted ones; a row of
        probabilities with t equal maxima counts 1 / t in each of their columns.
    """
    probabilities = _checked(probabilities, labels)
    counts = np.zeros((probabilities.shape[1], probabilities.shape[1]))
    np.add.at(counts, labels, top_1_shares(probabilities))
    return counts


def top_1_shares(probabilities: np.ndarray) -> np.ndarray:
    """Return how much of each row's prediction each class is.

    Returns:
        float64, shape (N, C): 1 at the most probable class, or 1 / t at each of t tied ones.
    """
    is_top = probabilities == probabilities.max(axis=1, keepdims=True)
    shares: np.ndarray = is_top / is_top.sum(axis=1, keepdims=True)
    return shares


def order_by_confusion(counts: np.ndarray) -> np.ndarray:
    """Return an order of the classes in which those that are confused stand side by side.

    The leaves of a tree that joins the most confused classes first (average linkage), turned so
    that neighbours are as close as the tree allows (Bar-Joseph et al. 2001).

    Args:
        counts: float, shape (C, C): what `confusion_matrix` returns.

    Returns:
        int, shape (C,): positions of classes.
    """
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    distances = 1 - (shares + shares.T) / 2
    condensed = distances[np.triu_indices(len(counts), 1)]
    order: np.ndarray = leaves_list(linkage(condensed, "average", optimal_ordering=True))
    return order


def _checked(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if probabilities.ndim != 2 or probabilities.shape[0] != len(labels) or not len(labels):
        raise ValueError(
            "`probabilities` must have shape (N, C) with N >= 1 labels. Received: "
            f"{probabilities.shape} and {len(labels)} labels."
        )
    return np.asarray(probabilities, dtype=np.float64)
