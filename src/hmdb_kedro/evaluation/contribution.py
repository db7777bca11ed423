"""Who contributed what to a fusion: overlap of the streams, Shapley values, the weight's curve."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, combinations
from math import factorial

import numpy as np

from hmdb_kedro.evaluation.fusion import safe_log
from hmdb_kedro.evaluation.metrics import log_loss, top_k_accuracy

Coalition = frozenset[str]


def overlap(hits: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the share of clips that each set of streams, and no other, gets right.

    A tie that two streams share is taken as two draws: the shares are those expected.

    Args:
        hits: By stream, float of shape (N,): 1 right, 0 wrong, a share in ties.

    Returns:
        `neither` (or `none` of more than two), `only_<stream>`, and for more streams the names
        joined with `+`; `both` for all of two streams. They sum to 1.
    """
    names = list(hits)
    shares = {}
    for coalition in _coalitions(names):
        each = [hits[name] if name in coalition else 1 - hits[name] for name in names]
        shares[_called(coalition, names)] = float(np.prod(each, axis=0).mean())
    return shares


def best_choice(hits: Mapping[str, np.ndarray]) -> float:
    """Return the accuracy of always taking a stream that is right, where there is one.

    The best that choosing can do; fusing scores can do better, where no stream alone is right.
    """
    return float(1 - np.prod([1 - hit for hit in hits.values()], axis=0).mean())


def shapley_values(names: Sequence[str], value: Callable[[Coalition], float]) -> dict[str, float]:
    """Share what all achieve together fairly among them (Shapley 1953).

    A name's value is the mean, over all orders in which they could join, of what it adds; the
    values sum to value(all) - value(none).

    Args:
        names: The streams; the number of values asked for is 2 to their number.
        value: What a set of them achieves; asked once for each set.
    """
    worth = {frozenset(c): value(frozenset(c)) for c in _coalitions(names)}
    n = len(names)

    def share(name: str) -> float:
        others = [other for other in names if other != name]
        return sum(
            factorial(len(c))
            * factorial(n - len(c) - 1)
            / factorial(n)
            * (worth[c | {name}] - worth[c])
            for c in map(frozenset, _coalitions(others))
        )

    return {name: float(share(name)) for name in names}


def prior_probabilities(train_labels: np.ndarray, n_classes: int, n_clips: int) -> np.ndarray:
    """Return what is known without any stream: each class as often as in training, (N, C)."""
    counts = np.bincount(train_labels, minlength=n_classes).astype(np.float64)
    return np.tile(counts / counts.sum(), (n_clips, 1))


def weight_curve(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, steps: int
) -> list[dict[str, float]]:
    """Return accuracy and log loss of two streams' product as its powers go from one to the other.

    Args:
        first: Probabilities of one stream, shape (N, C), to the power w.
        second: Of the other, to the power 1 - w.
        labels: int, shape (N,).
        steps: Weights, evenly spaced from 0 to 1.

    Returns:
        A row a weight: weight (w), top1, log_loss (nats).
    """
    logs_first, logs_second = safe_log(first), safe_log(second)
    rows = []
    for weight in np.linspace(0, 1, steps):
        logits = weight * logs_first + (1 - weight) * logs_second
        fused = np.exp(logits - logits.max(axis=1, keepdims=True))
        fused /= fused.sum(axis=1, keepdims=True)
        rows.append(
            {
                "weight": float(weight),
                "top1": top_k_accuracy(fused, labels, 1),
                "log_loss": log_loss(fused, labels),
            }
        )
    return rows


def _coalitions(names: Sequence[str]) -> chain[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, size) for size in range(len(names) + 1))


def _called(coalition: tuple[str, ...], names: Sequence[str]) -> str:
    if not coalition:
        return "neither" if len(names) == 2 else "none"
    if len(coalition) == 1:
        return f"only_{coalition[0]}"
    return "both" if len(names) == 2 else "+".join(coalition)
