"""Fit fusion rules on validation clips, and choose among them.

Nothing here sees a test clip.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import logsumexp
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.svm import LinearSVC

from hmdb_kedro.evaluation.fusion import (
    RULES,
    FusionRule,
    LinearMargins,
    fuse,
    known_rule,
    safe_log,
    softmax,
    svm_features,
    svm_margins,
    temper,
)
from hmdb_kedro.evaluation.metrics import log_loss, top_k_accuracy
from hmdb_kedro.params import FusionRuleName

# Below so many validation clips a temperature tells of chance, and a choice between rules too.
CLIPS_FOR_TEMPERATURE = 50
CLIPS_FOR_CHOICE = 200
# One clip of a class leaves none to learn from where it is held out.
_CLIPS_A_CLASS_FOR_SVM = 2
_FOLDS = 5
_SCALE_FOLDS = 3
_SVM_COST = 1.0
# The standard deviation of the normal distribution that draws the logarithm of a temperature, and
# of the scale of margins, towards 0: beyond a factor of e^±0.5 the clips must speak clearly.
_LOG_SPREAD = 0.5
_LOG_BOUND = 5.0
_EQUAL = 1e-9

Fold = tuple[np.ndarray, np.ndarray]  # positions of the clips that are kept, and left out


@dataclass(frozen=True)
class Candidate:
    """A rule that validation could choose.

    Attributes:
        asked: The rule that was asked for; `rule` says why it fell back where it did.
        rule: Fitted on all validation clips.
        with_temperature: Whether a temperature a stream was asked for.
        val_log_loss: In nats, on validation clips the rule was not fitted on (by source, five
            folds); None where there were too few to ask.
        val_top1: Accuracy on the same.
    """

    asked: FusionRuleName
    rule: FusionRule
    with_temperature: bool
    val_log_loss: float | None
    val_top1: float | None

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `rule` is what `FusionRule.from_json` takes."""
        return asdict(self)


def fit_rule(
    name: str,
    val_probabilities: Sequence[np.ndarray],
    val_labels: np.ndarray,
    *,
    temperature: bool = False,
) -> FusionRule:
    """Return a rule, fitted where it has something to fit.

    Args:
        name: One of `RULES`.
        val_probabilities: One float array a stream, each of shape (N, C).
        val_labels: int, shape (N,).
        temperature: Whether each stream gets a temperature first; 1 below 50 clips.

    Returns:
        The rule, or `log_average` where there is too little to fit it on; `fallback` says so.
    """
    known, n_streams = known_rule(name), len(val_probabilities)
    temperatures, reasons = (1.0,) * n_streams, []
    if temperature and len(val_labels) < CLIPS_FOR_TEMPERATURE:
        reasons.append(
            f"no temperatures: {len(val_labels)} validation clips, {CLIPS_FOR_TEMPERATURE} needed"
        )
    elif temperature:
        temperatures = tuple(fit_temperature(p, val_labels) for p in val_probabilities)
    lack = _lack(known, val_probabilities, val_labels)
    if lack:
        known, reasons = "log_average", [*reasons, lack]
    streams = [temper(*pair) for pair in zip(val_probabilities, temperatures, strict=True)]
    rule = _FITS[known](streams, val_labels)
    return replace(rule, temperatures=temperatures, fallback="; ".join(reasons) or None)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature that mends a stream's log loss, its logarithm shrunk towards 0.

    It minimises the sum of -log p of the true classes plus log(T)² / (2 · 0.5²), in nats: the
    most probable T where log T is normal with a standard deviation of 0.5 beforehand.

    Args:
        probabilities: float, shape (N, C).
        labels: int, shape (N,).
    """
    return float(1 / _fitted_scale(safe_log(np.asarray(probabilities, np.float64)), labels))


def fit_candidates(
    val_probabilities: Sequence[np.ndarray], val_labels: np.ndarray, val_sources: np.ndarray
) -> list[Candidate]:
    """Fit every rule with and without temperatures, and try each on clips it was not fitted on.

    Args:
        val_probabilities: One float array a stream, each of shape (N, C).
        val_labels: int, shape (N,).
        val_sources: shape (N,): clips of one source stay on one side of a fold.
    """
    folds = _folds_by_source(val_sources) if len(val_labels) >= CLIPS_FOR_CHOICE else []
    candidates = []
    for with_temperature in (False, True):
        for name in RULES:
            rule = fit_rule(name, val_probabilities, val_labels, temperature=with_temperature)
            judge = _held_out_svm if name == "svm" else partial(_held_out, name)
            fused = judge(val_probabilities, val_labels, with_temperature, folds)
            loss = None if fused is None else log_loss(fused, val_labels)
            top1 = None if fused is None else top_k_accuracy(fused, val_labels, 1)
            candidates.append(Candidate(name, rule, with_temperature, loss, top1))
    return candidates


def choose(
    candidates: Sequence[Candidate], requested: str, *, temperature: bool, n_val: int
) -> FusionRule:
    """Return the rule asked for, or with `auto` the one of the lowest log loss on validation.

    Args:
        candidates: What `fit_candidates` returned.
        requested: One of `RULES`, or `auto`.
        temperature: Whether the rule asked for gets temperatures; `auto` tries both.
        n_val: Validation clips; below 200, or where all are of one source, `auto` is `log_average`,
            and its `fallback` says so.
    """
    tried = [candidate for candidate in candidates if candidate.val_log_loss is not None]
    if requested == "auto" and tried:
        # The first of equals: the candidates begin with log_average as it is.
        lowest = min(candidate.val_log_loss or 0.0 for candidate in tried)
        return next(c.rule for c in tried if (c.val_log_loss or 0.0) <= lowest + _EQUAL)
    name = "log_average" if requested == "auto" else known_rule(requested)
    rule = next(
        found.rule
        for found in candidates
        if (found.asked, found.with_temperature) == (name, temperature)
    )
    if requested != "auto":
        return rule
    reason = f"auto chooses from {CLIPS_FOR_CHOICE} validation clips on, and there are {n_val}"
    if n_val >= CLIPS_FOR_CHOICE:
        reason = f"auto chooses on folds by source, and all {n_val} validation clips are of one"
    return replace(rule, fallback="; ".join(filter(None, [reason, rule.fallback])))


def _held_out(
    name: str,
    probabilities: Sequence[np.ndarray],
    labels: np.ndarray,
    with_temperature: bool,
    folds: Sequence[Fold],
) -> np.ndarray | None:
    """Fuse each fold by a rule fitted on the others; nothing without folds."""
    if not folds:
        return None
    fused = np.empty_like(probabilities[0], dtype=np.float64)
    for kept, left in folds:
        others = [stream[kept] for stream in probabilities]
        rule = fit_rule(name, others, labels[kept], temperature=with_temperature)
        fused[left] = fuse(rule, [stream[left] for stream in probabilities])
    return fused


def _held_out_svm(
    probabilities: Sequence[np.ndarray],
    labels: np.ndarray,
    with_temperature: bool,
    folds: Sequence[Fold],
) -> np.ndarray | None:
    """Do the same for the SVM, with one fit a fold: the scale comes from the other folds' margins.

    Nothing where a fold leaves no clip of a class to fit on.
    """
    n_classes = probabilities[0].shape[1]
    if not folds or any(len(np.unique(labels[kept])) < n_classes for kept, _ in folds):
        return None
    margins, fused = np.empty((2, len(labels), n_classes))
    for kept, left in folds:
        temperatures = (
            [fit_temperature(stream[kept], labels[kept]) for stream in probabilities]
            if with_temperature
            else [1.0] * len(probabilities)
        )
        streams = [temper(*pair) for pair in zip(probabilities, temperatures, strict=True)]
        features = svm_features(np.stack(streams))
        part = _linear(features[kept], labels[kept], n_classes, scale=1.0)
        margins[left] = svm_margins(part, features[left])
    for kept, left in folds:
        fused[left] = softmax(_fitted_scale(margins[kept], labels[kept]) * margins[left])
    return fused


def _lack(name: str, probabilities: Sequence[np.ndarray], labels: np.ndarray) -> str | None:
    """Say what a rule cannot be fitted for, or nothing."""
    if name == "weighted" and len(labels) == 0:
        return "weighted has no validation clips to fit its weights on"
    if name != "svm":
        return None
    counts = np.bincount(labels, minlength=probabilities[0].shape[1])
    poor = int((counts < _CLIPS_A_CLASS_FOR_SVM).sum())
    if poor == 0:
        return None
    return f"svm needs {_CLIPS_A_CLASS_FOR_SVM} validation clips of every class; {poor} have fewer"


def _fit_log_average(streams: Sequence[np.ndarray], labels: np.ndarray) -> FusionRule:
    return FusionRule("log_average", (1.0,) * len(streams))


def _fit_average(streams: Sequence[np.ndarray], labels: np.ndarray) -> FusionRule:
    return FusionRule("average", (1 / len(streams),) * len(streams))


def _fit_weighted(streams: Sequence[np.ndarray], labels: np.ndarray) -> FusionRule:
    return FusionRule("weighted", _fitted_weights(streams, labels))


def _fit_svm(streams: Sequence[np.ndarray], labels: np.ndarray) -> FusionRule:
    svm = _fitted_svm(np.stack(streams), labels)
    return FusionRule("svm", (1.0,) * len(streams), svm=svm)


_FITS: dict[FusionRuleName, Callable[[Sequence[np.ndarray], np.ndarray], FusionRule]] = {
    "log_average": _fit_log_average,
    "average": _fit_average,
    "weighted": _fit_weighted,
    "svm": _fit_svm,
}


def _fitted_weights(streams: Sequence[np.ndarray], labels: np.ndarray) -> tuple[float, ...]:
    """Return the powers of least log loss; it is convex in them, so one search finds it."""
    logs = safe_log(np.stack([np.asarray(stream, np.float64) for stream in streams]))
    true = logs[:, np.arange(len(labels)), labels]

    def loss_and_slope(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = np.tensordot(weights, logs, axes=1)
        shares = softmax(logits)
        loss = (logsumexp(logits, axis=1) - weights @ true).mean()
        return float(loss), (logs * shares).sum(axis=2).mean(axis=1) - true.mean(axis=1)

    # Equal streams have no slope along the simplex: their weights stay as even as they began.
    even = np.full(len(streams), 1 / len(streams))
    found = minimize(
        loss_and_slope,
        even,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(streams),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 200},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    # Corners included, so that whatever the search did, no stream alone is better.
    options = [even, weights / weights.sum(), *np.eye(len(streams))]
    losses = [loss_and_slope(option)[0] for option in options]
    best = next(i for i, loss in enumerate(losses) if loss <= min(losses) + 1e-12)
    return tuple(float(weight) for weight in options[best])


def _fitted_svm(streams: np.ndarray, labels: np.ndarray) -> LinearMargins:
    """Fit on all clips; the scale of the margins on margins of clips that were held out."""
    features, n_classes = svm_features(streams), streams.shape[2]
    folds = min(_SCALE_FOLDS, int(np.bincount(labels, minlength=n_classes).min()))
    held_out = np.empty((len(labels), n_classes))
    for kept, left in StratifiedKFold(folds).split(features, labels):
        part = _linear(features[kept], labels[kept], n_classes, scale=1.0)
        held_out[left] = svm_margins(part, features[left])
    return _linear(features, labels, n_classes, scale=_fitted_scale(held_out, labels))


def _linear(
    features: np.ndarray, labels: np.ndarray, n_classes: int, scale: float
) -> LinearMargins:
    model = LinearSVC(C=_SVM_COST, dual="auto", tol=1e-7, random_state=0, max_iter=10_000)
    model.fit(features, labels)
    coefficients, intercepts = model.coef_, model.intercept_
    if n_classes == 2:  # scikit-learn keeps one margin for two classes
        coefficients, intercepts = (
            np.vstack([-coefficients, coefficients]),
            np.hstack([-intercepts, intercepts]),
        )
    rows = tuple(tuple(float(value) for value in row) for row in coefficients)
    return LinearMargins(rows, tuple(float(value) for value in intercepts), scale)


def _fitted_scale(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return what to multiply logits by: of least log loss, its logarithm shrunk towards 0."""
    true = logits[np.arange(len(labels)), labels]

    def penalised(log_scale: float) -> float:
        scaled = np.exp(log_scale)
        loss = (logsumexp(scaled * logits, axis=1) - scaled * true).sum()
        return float(loss + log_scale**2 / (2 * _LOG_SPREAD**2))

    found = minimize_scalar(penalised, bounds=(-_LOG_BOUND, _LOG_BOUND), method="bounded")
    return float(np.exp(found.x))


def _folds_by_source(sources: np.ndarray) -> list[Fold]:
    n_folds = min(_FOLDS, len(np.unique(sources)))
    if n_folds < 2:
        return []
    folds: Iterator[Fold] = GroupKFold(n_folds).split(sources, groups=sources)
    return list(folds)
