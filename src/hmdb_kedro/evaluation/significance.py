"""Is one model better than another on these clips, and if one cannot tell: how many would it take?

What compares two trained models tells of them as they are. That another training with another seed
would have given other models is not in it: several seeds are needed for a claim about a design.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.stats import binomtest

from hmdb_kedro.evaluation.clusters import Clusters, random_signs
from hmdb_kedro.evaluation.intervals import Interval, mean_intervals, standard_errors

ALPHA = 0.05
# Normal quantiles of a two-sided 5 % and of a power of 80 %.
_Z_ALPHA, _Z_POWER = 1.96, 0.84
# Sums of signed differences that are equal but for the order of addition.
_EQUAL = 1e-9
TRAINED_MODEL = "For these trained models: how training varies from seed to seed is not in it."
MCNEMAR_ASSUMES = (
    "independent clips; clips of one source are not, so it is too sure where they agree"
)


@dataclass(frozen=True)
class Comparison:
    """How one model compares with another in top-1 accuracy on the same clips.

    Attributes:
        model: The one that is hoped to be better.
        against: What it is held to.
        gain: Difference of the accuracies, with an interval by source.
        better: Clips on which `model` alone is right (or has the larger share of a tie).
        worse: Clips on which `against` is.
        p_value: Sign-flip permutation test by source: the primary one.
        p_holm: The same, corrected for the comparisons made together (Holm 1979).
        p_mcnemar: Exact McNemar test, which assumes independent clips.
        design_effect: By how much sources inflate the gain's variance, at least 1; None for one
            source.
        clips_needed: Clips at which a gain of this size is found with a power of 80 %; None where
            there is no gain.
        sentence: All of it in words.
    """

    model: str
    against: str
    gain: Interval
    better: int
    worse: int
    p_value: float
    p_holm: float
    p_mcnemar: float
    design_effect: float | None
    clips_needed: int | None
    sentence: str

    @property
    def is_distinguishable(self) -> bool:
        """Whether the corrected primary test tells the two apart at 5 %."""
        return self.p_holm < ALPHA

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the verdict among them."""
        assumed = {"mcnemar_assumes": MCNEMAR_ASSUMES}
        return asdict(self) | {"is_distinguishable": self.is_distinguishable} | assumed


def compare_models(
    hits: Mapping[str, np.ndarray],
    pairs: Sequence[tuple[str, str]],
    sources: np.ndarray,
    *,
    draws: int,
    seed: int,
    about: str = TRAINED_MODEL,
) -> list[Comparison]:
    """Compare pairs of models that were declared before the test part was looked at.

    The clips of several splits may be put one after the other: a clip in two test parts is then
    drawn with its source, and counts as no new evidence.

    Args:
        hits: By model, float of shape (N,): 1 where it is right, 0 where wrong, a share in ties.
        pairs: The model, and what it is held to.
        sources: shape (N,): the source video of each clip.
        draws: Of the bootstrap and the permutation test.
        seed: Of both.
        about: What the claim is about: a sentence that closes each verdict.
    """
    if not pairs:
        return []
    clusters = Clusters.of(sources)
    differences = np.stack([hits[model] - hits[against] for model, against in pairs], axis=1)
    gains = mean_intervals(differences, clusters, draws=draws, seed=seed)
    sums = clusters.sums(differences)
    p_values = [sign_flip_p(sums[:, k], draws=draws, seed=seed) for k in range(len(pairs))]
    corrected = holm(p_values)
    return [
        _comparison(pair, gain, differences[:, k], clusters, (p_values[k], corrected[k]), about)
        for k, (pair, gain) in enumerate(zip(pairs, gains, strict=True))
    ]


def sign_flip_p(sums: np.ndarray, *, draws: int, seed: int) -> float:
    """Return the two-sided p of the sign-flip permutation test.

    Where neither model is better, a source's sum of differences is as likely as its negative. The
    p is the share of all sign patterns whose total is as far from 0; of as many random ones as
    `draws` where there are more patterns, the one seen counted among them.

    Args:
        sums: float, shape (G,): each source's sum of differences.
        draws: Random patterns.
        seed: Of them.
    """
    moved = sums[np.abs(sums) > _EQUAL]
    if not len(moved):
        return 1.0
    seen = abs(moved.sum()) - _EQUAL
    if 2 ** len(moved) <= draws:
        patterns = np.array(list(product((1.0, -1.0), repeat=len(moved))))
        return float((np.abs(patterns @ moved) >= seen).mean())
    blocks = random_signs(len(moved), draws, seed)
    as_far = sum(int((np.abs(signs @ moved) >= seen).sum()) for signs in blocks)
    return (as_far + 1) / (draws + 1)


def mcnemar_p(better: int, worse: int) -> float:
    """Return the two-sided p of the exact McNemar test: a fair coin on the clips that differ."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for being looked at together (Holm 1979), in their order."""
    order = np.argsort(p_values, kind="stable")
    stepped = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return [float(p) for p in corrected]


def clips_needed(gain: float, discordance: float, design_effect: float = 1.0) -> int | None:
    """Return the clips at which McNemar's test finds a gain with a power of 80 % at 5 %.

    n = (1.96 √d + 0.84 √(d - g²))² / g² (Connor 1987), times the design effect.

    Args:
        gain: g, difference of the accuracies.
        discordance: d, share of the clips on which one model alone is right; at least |g|.
        design_effect: By how much sources inflate the variance.

    Returns:
        The number, or None where the gain is 0.
    """
    if abs(gain) < _EQUAL:
        return None
    root = _Z_ALPHA * np.sqrt(discordance) + _Z_POWER * np.sqrt(max(discordance - gain**2, 0))
    return int(np.ceil(root**2 / gain**2 * design_effect))


def design_effect(values: np.ndarray, clusters: Clusters) -> float | None:
    """Return by how much sources inflate the variance of a mean, at least 1.

    Args:
        values: float, shape (N,).
        clusters: The sources of the N clips.

    Returns:
        The factor, or None for a single source.
    """
    if len(clusters) < 2:
        return None
    independent = values.var() / clusters.n_clips
    if independent == 0:
        return 1.0
    error = standard_errors(values[:, None], clusters)[0]
    return max(1.0, float(error**2 / independent))


def _comparison(
    pair: tuple[str, str],
    gain: Interval,
    differences: np.ndarray,
    clusters: Clusters,
    p_values: tuple[float, float],
    about: str,
) -> Comparison:
    effect = design_effect(differences, clusters)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    needed = clips_needed(gain.estimate, float((differences**2).mean()), effect or 1.0)
    return Comparison(
        *pair,
        gain=gain,
        better=better,
        worse=worse,
        p_value=p_values[0],
        p_holm=p_values[1],
        p_mcnemar=mcnemar_p(better, worse),
        design_effect=effect,
        clips_needed=needed,
        sentence=_sentence(pair, gain, p_values[1], needed, about),
    )


def _sentence(
    pair: tuple[str, str], gain: Interval, p_value: float, needed: int | None, about: str
) -> str:
    model, against = pair
    size = f"{gain.n_clips:,} clips of {gain.n_sources:,} source videos"
    if gain.low is None or gain.high is None:
        interval = f"no interval ({gain.reason})"
    else:
        interval = f"95 % interval {_points(gain.low)} to {_points(gain.high)}"
    told = f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"
    if p_value < ALPHA:
        verdict = f"distinguishable from none ({told})"
    else:
        enough = f"; about {_rounded(needed):,} clips would tell" if needed else ""
        verdict = f"not distinguishable from none ({told}){enough}"
    return (
        f"{model} against {against}: {_points(gain.estimate)} points, {interval}, {size}: "
        f"{verdict}. {about}"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def _rounded(number: int) -> int:
    """Keep two digits: the number is itself an estimate."""
    return int(float(f"{number:.2g}"))
