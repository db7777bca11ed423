"""Late fusion: one answer from the probabilities of several streams.

- `average`: the mean of the probabilities.
- `log_average`: their product, normalised; computed as a sum of logarithms. It is right where
  the streams err independently, and turns two halves of an answer into a whole one.
- `weighted`: a product with powers that sum to 1, normalised; the powers minimise the log loss on
  validation clips. It contains each stream alone, so there it is never worse than either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from hmdb_kedro.evaluation.metrics import log_loss

RuleName = Literal["average", "log_average", "weighted"]
# What a float32 score of 0 counts as in a logarithm: no more than the smallest one above 0, so
# that two tiny scores still tell classes apart.
_FLOOR = float(np.finfo(np.float32).smallest_subnormal)
_STEPS = 100


@dataclass(frozen=True)
class FusionRule:
    """How streams are combined: all that is needed to do it again.

    Attributes:
        name: The rule at work.
        weights: One weight a stream: of the mean in `average`, powers in the products.
        fallback: Why another rule is at work than the one asked for, or None.
    """

    name: RuleName
    weights: tuple[float, ...]
    fallback: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the rule as plain values."""
        return asdict(self) | {"weights": list(self.weights)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FusionRule":
        """Return the rule of `to_json`; further keys are ignored.

        Raises:
            ValueError: The name is none of the rules.
        """
        weights = tuple(float(weight) for weight in stored["weights"])
        return cls(_known(stored["name"]), weights, stored.get("fallback"))


def fuse(rule: FusionRule, probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Combine the streams' probabilities.

    Args:
        rule: What `fit_rule` returned.
        probabilities: One float array a stream, each of shape (N, C), in the rule's order.

    Returns:
        float64, shape (N, C), rows sum to 1.
    """
    streams = _stacked(probabilities, rule.weights)
    weights = np.asarray(rule.weights)
    if rule.name == "average":
        return _normalised(np.tensordot(weights, streams, axes=1))
    logs = np.tensordot(weights, np.log(np.maximum(streams, _FLOOR)), axes=1)
    return _normalised(np.exp(logs - logs.max(axis=1, keepdims=True)))


def fit_rule(
    name: str, val_probabilities: Sequence[np.ndarray], val_labels: np.ndarray
) -> FusionRule:
    """Return the rule, its weights fitted where it has any to fit.

    Args:
        name: `average`, `log_average` or `weighted`.
        val_probabilities: One float array a stream, each of shape (N, C); two for `weighted`.
        val_labels: int, shape (N,). With N = 0 `weighted` falls back to `log_average`.
    """
    n_streams = len(val_probabilities)
    known = _known(name)
    if known == "average":
        return FusionRule(known, (1 / n_streams,) * n_streams)
    product = FusionRule("log_average", (1.0,) * n_streams)
    if known == "log_average":
        return product
    if len(val_labels) == 0:
        reason = "weighted has no validation clips to fit its weight on"
        return FusionRule(product.name, product.weights, fallback=reason)
    return _fitted_on(val_probabilities, val_labels)


def _fitted_on(probabilities: Sequence[np.ndarray], labels: np.ndarray) -> FusionRule:
    """Return the best of evenly spaced weights; the loss is convex in the weight."""
    if len(probabilities) != 2:
        raise ValueError(f"`weighted` combines two streams. Received: {len(probabilities)}.")
    rules = [
        FusionRule("weighted", (step / _STEPS, 1 - step / _STEPS)) for step in range(_STEPS + 1)
    ]
    losses = np.array([log_loss(fuse(rule, probabilities), labels) for rule in rules])
    # Equal losses, as of equal streams, leave the weights as even as they can be.
    best = min(
        np.flatnonzero(losses <= losses.min() + 1e-12), key=lambda step: abs(step - _STEPS / 2)
    )
    return rules[best]


def _known(name: str) -> RuleName:
    if name not in get_args(RuleName):
        raise ValueError(f"A fusion rule is one of {get_args(RuleName)}. Received: {name!r}.")
    return cast(RuleName, name)


def _stacked(probabilities: Sequence[np.ndarray], weights: tuple[float, ...]) -> np.ndarray:
    shapes = [stream.shape for stream in probabilities]
    if len(shapes) != len(weights) or len(set(shapes)) != 1:
        raise ValueError(
            f"`probabilities` must be {len(weights)} arrays of one shape. Received: {shapes}."
        )
    return np.stack([np.asarray(stream, dtype=np.float64) for stream in probabilities])


def _normalised(values: np.ndarray) -> np.ndarray:
    shares: np.ndarray = values / values.sum(axis=1, keepdims=True)
    return shares
