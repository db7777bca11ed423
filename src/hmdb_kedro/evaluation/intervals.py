"""95 % intervals that know which clips were cut from one source video.

Clips of one source resemble one another, so that 1,530 clips say less than 1,530 independent ones
would. Everything here treats the sources as drawn at random, and a source's clips as one draw.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import norm, t

from hmdb_kedro.evaluation.clusters import Clusters

LEVEL = 0.95
# Below this many sources no interval can be trusted; from the second number on the bootstrap can.
FEWEST_SOURCES = 8
SOURCES_FOR_BOOTSTRAP = 36

Method = Literal["bootstrap", "t", "wilson"]


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval.

    Attributes:
        estimate: The figure on all clips.
        low: Lower end, or None where there are too few sources.
        high: Upper end, or None.
        method: How it was made, or None.
        n_clips: Clips.
        n_sources: Source videos they were cut from.
        reason: Why there is no interval, or None.
    """

    estimate: float
    low: float | None
    high: float | None
    method: Method | None
    n_clips: int
    n_sources: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def mean_intervals(
    values: np.ndarray, clusters: Clusters, *, draws: int, seed: int
) -> list[Interval]:
    """Return the mean over clips of each column, with an interval by source.

    From 36 sources on: the bootstrap of whole sources, its percentiles moved outward as the t
    distribution asks for at that number (Hesterberg 2015, section 5.3). Below: t, with the
    jackknife over sources as its standard error, which is the t interval on the sources' means
    where all have as many clips. Below 8 sources: none.

    Args:
        values: float, shape (N, K): say, by how much one model beats another on each clip.
        clusters: The sources of the N clips.
        draws: Of the bootstrap.
        seed: Of the bootstrap; columns share their draws.
    """
    n_sources = len(clusters)
    if n_sources < FEWEST_SOURCES:
        means = values.mean(axis=0)
        return [_without(float(mean), clusters) for mean in means]
    sums = clusters.sums(values)
    means = sums.sum(axis=0) / clusters.n_clips
    if n_sources < SOURCES_FOR_BOOTSTRAP:
        method: Method = "t"
        reach = t.ppf((1 + LEVEL) / 2, n_sources - 1) * jackknife_errors(sums, clusters)
        lows, highs = means - reach, means + reach
    else:
        method = "bootstrap"
        lows, highs = _bootstrapped(sums, clusters, draws, seed)
    return [
        Interval(float(mean), float(low), float(high), method, clusters.n_clips, n_sources)
        for mean, low, high in zip(means, lows, highs, strict=True)
    ]


def share_intervals(hits: np.ndarray, clusters: Clusters) -> list[Interval]:
    """Return the share of each column, with Wilson's interval for clips drawn by source.

    The number of clips is divided by the design effect: by how much the variance between sources
    exceeds that of independent clips, at least 1 (Korn and Graubard 1998, with Wilson's interval
    and t in place of z). Unlike a bootstrap it stays open where all or none are right. Below 8
    sources: none.

    Args:
        hits: float, shape (N, K), between 0 and 1.
        clusters: The sources of the N clips.
    """
    n_clips, n_sources = clusters.n_clips, len(clusters)
    if n_sources < FEWEST_SOURCES:
        return [_without(float(mean), clusters) for mean in hits.mean(axis=0)]
    sums = clusters.sums(hits)
    shares = sums.sum(axis=0) / n_clips
    # Where all clips agree the data tell no design effect: as if each source were one clip.
    of_one = shares * (1 - shares) / n_clips
    alike = n_clips / n_sources
    effects = np.where(
        of_one > 0, jackknife_errors(sums, clusters) ** 2 / np.where(of_one > 0, of_one, 1), alike
    )
    lows, highs = _wilson(shares, n_clips / np.maximum(effects, 1), n_sources)
    return [
        Interval(float(share), float(low), float(high), "wilson", n_clips, n_sources)
        for share, low, high in zip(shares, lows, highs, strict=True)
    ]


def jackknife_errors(sums: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Return the standard error of each column's mean over clips, leaving out source by source.

    Args:
        sums: float, shape (G, K), G >= 2: what `Clusters.sums` returns.
        clusters: The G sources.
    """
    total, n_clips, n_sources = sums.sum(axis=0), clusters.n_clips, len(clusters)
    without = (total - sums) / (n_clips - clusters.sizes)[:, None]
    spread = ((without - total / n_clips) ** 2).sum(axis=0)
    errors: np.ndarray = np.sqrt((n_sources - 1) / n_sources * spread)
    return errors


def _bootstrapped(
    sums: np.ndarray, clusters: Clusters, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    sizes = clusters.sizes.astype(np.float64)[:, None]
    means = np.concatenate(
        [(drawn @ sums) / (drawn @ sizes) for drawn in clusters.resampled(draws, seed)]
    )
    n_sources = len(clusters)
    widened = np.sqrt(n_sources / (n_sources - 1)) * t.ppf((1 + LEVEL) / 2, n_sources - 1)
    lows, highs = np.quantile(means, [norm.cdf(-widened), norm.cdf(widened)], axis=0)
    return lows, highs


def _wilson(
    shares: np.ndarray, n_effective: np.ndarray, n_sources: int
) -> tuple[np.ndarray, np.ndarray]:
    quantile = t.ppf((1 + LEVEL) / 2, n_sources - 1)
    weight = quantile**2 / n_effective
    centre = (shares + weight / 2) / (1 + weight)
    reach = quantile * np.sqrt(shares * (1 - shares) / n_effective + weight / (4 * n_effective))
    reach = reach / (1 + weight)
    return np.maximum(centre - reach, 0), np.minimum(centre + reach, 1)


def _without(estimate: float, clusters: Clusters) -> Interval:
    reason = (
        f"{len(clusters)} source videos are too few for an interval; {FEWEST_SOURCES} are needed. "
        "Pool the test parts of several splits"
    )
    return Interval(estimate, None, None, None, clusters.n_clips, len(clusters), reason)
