"""Late fusion: one answer from the probabilities of any number of streams.

- `average`: the mean of the probabilities.
- `log_average`: their product, normalised; computed as a sum of logarithms. It is right where
  the streams err independently, and turns two halves of an answer into a whole one.
- `weighted`: a product with powers that sum to 1, normalised; the powers minimise the log loss on
  validation clips. It contains each stream alone, so there it is never worse than either.
- `svm`: a linear SVM on the streams' L2-normalised scores, one class against the rest (Simonyan
  and Zisserman 2014); a softmax of its scaled margins makes probabilities of them.

Before any of them, a stream's probabilities may be raised to 1 / temperature and normalised, which
mends streams that are too sure or too shy (Guo et al. 2017).

How a rule is fitted is told in `hmdb_kedro.evaluation.fitting`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np

from hmdb_kedro.params import FusionRuleName

RULES: tuple[FusionRuleName, ...] = get_args(FusionRuleName)
# Of validation clips that are told to be one of the classes.
ACCEPTED_SHARE = 0.95
# What a float32 score of 0 counts as in a logarithm: no more than the smallest one above 0, so
# that two tiny scores still tell classes apart.
_FLOOR = float(np.finfo(np.float32).smallest_subnormal)


@dataclass(frozen=True)
class LinearMargins:
    """A linear SVM: one margin a class, and what turns margins into probabilities.

    Attributes:
        coefficients: C rows of S x C numbers, for the streams' L2-normalised scores in order.
        intercepts: C numbers.
        scale: Margins times this are the logits of a softmax.
    """

    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    scale: float

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "LinearMargins":
        """Return what `dataclasses.asdict` has stored."""
        rows = tuple(tuple(float(value) for value in row) for row in stored["coefficients"])
        return cls(rows, tuple(map(float, stored["intercepts"])), float(stored["scale"]))


@dataclass(frozen=True)
class FusionRule:
    """How streams are combined: all that is needed to do it again.

    Attributes:
        name: The rule at work.
        weights: One weight a stream: of the mean in `average`, powers in the products; 1 each in
            `svm`, which has coefficients instead.
        temperatures: One a stream; 1 leaves its probabilities as they are.
        svm: Of `svm`, else None.
        fallback: What was asked for and is not at work, and why; or None.
    """

    name: FusionRuleName
    weights: tuple[float, ...]
    temperatures: tuple[float, ...] = ()
    svm: LinearMargins | None = None
    fallback: str | None = None

    def __post_init__(self) -> None:
        """Leave the streams as they are where no temperature is given."""
        if not self.temperatures:
            object.__setattr__(self, "temperatures", (1.0,) * len(self.weights))

    def to_json(self) -> dict[str, Any]:
        """Return the rule as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "FusionRule":
        """Return the rule of `to_json`; further keys are ignored.

        Raises:
            ValueError: The name is none of the rules.
        """
        svm = stored.get("svm")
        return cls(
            name=known_rule(stored["name"]),
            weights=tuple(map(float, stored["weights"])),
            temperatures=tuple(map(float, stored.get("temperatures", ()))),
            svm=None if svm is None else LinearMargins.from_json(svm),
            fallback=stored.get("fallback"),
        )


def fuse(rule: FusionRule, probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Combine the streams' probabilities.

    Args:
        rule: What `fit_rule` returned.
        probabilities: One float array a stream, each of shape (N, C), in the rule's order.

    Returns:
        float64, shape (N, C), rows sum to 1.
    """
    streams = _stacked(probabilities, len(rule.weights))
    if any(temperature != 1 for temperature in rule.temperatures):
        streams = np.stack([temper(*pair) for pair in zip(streams, rule.temperatures, strict=True)])
    if rule.svm is not None:
        return softmax(rule.svm.scale * svm_margins(rule.svm, svm_features(streams)))
    weights = np.asarray(rule.weights)
    if rule.name == "average":
        return _normalised(np.tensordot(weights, streams, axes=1))
    return softmax(np.tensordot(weights, safe_log(streams), axes=1))


def acceptance_threshold(
    probabilities: np.ndarray, accepted: float = ACCEPTED_SHARE
) -> float | None:
    """Return the largest probability of the first class that at least this share of clips reach.

    It promises this alone: so many clips of known classes are accepted. How many of unknown ones
    are too, it does not say.

    Args:
        probabilities: Fused, of validation clips, shape (N, C).
        accepted: The share.

    Returns:
        The threshold, or None where there is no clip.
    """
    surest = np.sort(np.asarray(probabilities, dtype=np.float64).max(axis=1, initial=0))
    n_refused = int((1 - accepted) * len(surest) + 1e-9)
    return float(surest[n_refused]) if len(surest) else None


def temper(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return probabilities ** (1 / temperature), rows normalised; above 1 makes them less sure."""
    return probabilities if temperature == 1 else softmax(safe_log(probabilities) / temperature)


def svm_features(streams: np.ndarray) -> np.ndarray:
    """Put each clip's scores, scaled to length 1 a stream, side by side.

    Args:
        streams: float, shape (S, N, C).

    Returns:
        float64, shape (N, S * C).
    """
    unit = streams / np.linalg.norm(streams, axis=2, keepdims=True)
    return np.concatenate(list(unit), axis=1)


def svm_margins(svm: LinearMargins, features: np.ndarray) -> np.ndarray:
    """Return one margin a clip and class, shape (N, C)."""
    margins: np.ndarray = features @ np.asarray(svm.coefficients).T + np.asarray(svm.intercepts)
    return margins


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return exp of each row, normalised."""
    return _normalised(np.exp(logits - logits.max(axis=-1, keepdims=True)))


def safe_log(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms; 0 counts as the smallest score above 0."""
    logs: np.ndarray = np.log(np.maximum(probabilities, _FLOOR))
    return logs


def known_rule(name: str) -> FusionRuleName:
    """Return the name of a rule as its type.

    Raises:
        ValueError: It is none of the rules.
    """
    if name not in RULES:
        raise ValueError(f"A fusion rule is one of {RULES}. Received: {name!r}.")
    return name


def _stacked(probabilities: Sequence[np.ndarray], n_streams: int) -> np.ndarray:
    shapes = [stream.shape for stream in probabilities]
    if len(shapes) != n_streams or len(set(shapes)) != 1:
        raise ValueError(
            f"`probabilities` must be {n_streams} arrays of one shape. Received: {shapes}."
        )
    return np.stack([np.asarray(stream, dtype=np.float64) for stream in probabilities])


def _normalised(values: np.ndarray) -> np.ndarray:
    shares: np.ndarray = values / values.sum(axis=-1, keepdims=True)
    return shares
