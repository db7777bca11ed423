"""How much do clips tell by their length alone? A baseline that sees no picture."""

import numpy as np

_BINS = 16


def duration_baseline(
    train_s: np.ndarray, train_labels: np.ndarray, test_s: np.ndarray, n_classes: int
) -> np.ndarray:
    """Return class probabilities from durations: how often each class has clips of that length.

    Training durations are cut into 16 bins of equal mass (fewer where many are equal); within a
    bin, classes count as often as they occur, and once each by their share in training, so that
    none is impossible. Clips of unknown length count towards these shares alone.

    Args:
        train_s: Durations of training clips, seconds, shape (M,), M >= 1; NaN where unknown.
        train_labels: int, shape (M,).
        test_s: Durations to classify, shape (N,); NaN where unknown, which tells nothing.
        n_classes: C.

    Returns:
        float64, shape (N, C), rows sum to 1.
    """
    is_known = ~np.isnan(train_s)
    given = train_s[is_known]
    inner = np.unique(np.quantile(given, np.arange(1, _BINS) / _BINS)) if len(given) else given
    counts = np.zeros((len(inner) + 2, n_classes))  # the last row: unknown
    np.add.at(counts, (np.searchsorted(inner, given), train_labels[is_known]), 1)
    prior = np.bincount(train_labels, minlength=n_classes) / len(train_labels)
    shares = counts + n_classes * prior
    shares /= shares.sum(axis=1, keepdims=True)
    bins = np.where(np.isnan(test_s), len(counts) - 1, np.searchsorted(inner, test_s))
    return np.asarray(shares[bins])
