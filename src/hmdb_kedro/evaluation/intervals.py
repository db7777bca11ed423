"""95 % intervals that know which clips were cut from one source video.

Clips of one source resemble one another, so that 1,530 clips say less than 1,530 independent ones
would. Everything here treats the sources as drawn at random, and a source's clips as one draw.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
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
    values: np.ndarray,
    clusters: Clusters,
    *,
    draws: int,
    seed: int,
    among: np.ndarray | None = None,
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
        among: bool, shape (N, K): the clips each column is the mean of, at least one; None for
            all.
    """
    table = _Sums.of(values, clusters, among)
    lows, highs = np.full((2, len(table.means)), np.nan)
    few = (table.n_sources >= FEWEST_SOURCES) & (table.n_sources < SOURCES_FOR_BOOTSTRAP)
    many = table.n_sources >= SOURCES_FOR_BOOTSTRAP
    reach = _t_quantiles(table.n_sources[few]) * table.take(few).errors()
    lows[few], highs[few] = table.means[few] - reach, table.means[few] + reach
    if many.any():
        lows[many], highs[many] = _bootstrapped(table.take(many), clusters, draws, seed)
    methods: list[Method] = ["bootstrap" if found else "t" for found in many]
    return _intervals(table, lows, highs, methods)


def share_intervals(
    hits: np.ndarray, clusters: Clusters, among: np.ndarray | None = None
) -> list[Interval]:
    """Return the share of each column, with Wilson's interval for clips drawn by source.

    The number of clips is divided by the design effect: by how much the variance between sources
    exceeds that of independent clips, at least 1 (Korn and Graubard 1998, with Wilson's interval
    and t in place of z). Unlike a bootstrap it stays open where all or none are right. Below 8
    sources: none.

    Args:
        hits: float, shape (N, K), between 0 and 1.
        clusters: The sources of the N clips.
        among: bool, shape (N, K): the clips each column is the share of; or their weights, float
            with a sum of N; None for all.
    """
    table = _Sums.of(hits, clusters, among)
    enough = table.n_sources >= FEWEST_SOURCES
    lows, highs = np.full((2, len(table.means)), np.nan)
    lows[enough], highs[enough] = _wilson(table.take(enough))
    methods: list[Method] = ["wilson"] * len(table.means)
    return _intervals(table, lows, highs, methods)


def standard_errors(values: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Return the standard error of each column's mean over clips, leaving out source by source.

    Args:
        values: float, shape (N, K).
        clusters: The sources of the N clips, at least 2.
    """
    return _Sums.of(values, clusters, None).errors()


@dataclass(frozen=True)
class _Sums:
    """Sums by source of K columns: `sums` and `sizes` have the shape (G, K)."""

    sums: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, clusters: Clusters, among: np.ndarray | None) -> "_Sums":
        if among is None:
            sizes = np.broadcast_to(clusters.sizes[:, None], (len(clusters), values.shape[1]))
            return cls(clusters.sums(values), sizes.astype(np.float64))
        return cls(clusters.sums(values * among), clusters.sums(among.astype(np.float64)))

    @cached_property
    def n_clips(self) -> np.ndarray:
        return np.asarray(self.sizes.sum(axis=0))

    @cached_property
    def n_sources(self) -> np.ndarray:
        return np.asarray((self.sizes > 0).sum(axis=0))

    @cached_property
    def means(self) -> np.ndarray:
        return np.asarray(self.sums.sum(axis=0) / self.n_clips)

    def take(self, columns: np.ndarray) -> "_Sums":
        return _Sums(self.sums[:, columns], self.sizes[:, columns])

    def errors(self) -> np.ndarray:
        """Return the jackknife's standard errors; a source without a clip moves nothing."""
        without = (self.sums.sum(axis=0) - self.sums) / (self.n_clips - self.sizes)
        spread = ((without - self.means) ** 2).sum(axis=0)
        return np.asarray(np.sqrt((self.n_sources - 1) / self.n_sources * spread))


def _bootstrapped(
    table: _Sums, clusters: Clusters, draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    means = np.concatenate(
        [(drawn @ table.sums) / (drawn @ table.sizes) for drawn in clusters.resampled(draws, seed)]
    )
    n_sources = table.n_sources
    widened = np.sqrt(n_sources / (n_sources - 1)) * _t_quantiles(n_sources)
    ends = [
        np.quantile(column, norm.cdf([-reach, reach]))
        for column, reach in zip(means.T, widened, strict=True)
    ]
    lows, highs = np.transpose(ends)
    return lows, highs


def _wilson(table: _Sums) -> tuple[np.ndarray, np.ndarray]:
    shares, n_clips = table.means, table.n_clips
    of_one = shares * (1 - shares) / n_clips
    # Where all clips agree the data tell no design effect: as if each source were one clip.
    effects = n_clips / table.n_sources
    varied = of_one > 0
    effects[varied] = np.maximum(table.errors()[varied] ** 2 / of_one[varied], 1)
    n_effective, quantile = n_clips / effects, _t_quantiles(table.n_sources)
    weight = quantile**2 / n_effective
    centre = (shares + weight / 2) / (1 + weight)
    reach = quantile * np.sqrt(shares * (1 - shares) / n_effective + weight / (4 * n_effective))
    reach = reach / (1 + weight)
    # Rounding must not leave the share itself outside.
    return np.clip(centre - reach, 0, shares), np.clip(centre + reach, shares, 1)


def _t_quantiles(n_sources: np.ndarray) -> np.ndarray:
    return np.asarray(t.ppf((1 + LEVEL) / 2, n_sources - 1))


def _intervals(
    table: _Sums, lows: np.ndarray, highs: np.ndarray, methods: Sequence[Method]
) -> list[Interval]:
    rows = zip(table.means, table.n_clips, table.n_sources, lows, highs, methods, strict=True)
    return [
        _without(float(mean), round(n_clips), int(n_sources))
        if np.isnan(low)
        else Interval(float(mean), float(low), float(high), method, round(n_clips), int(n_sources))
        for mean, n_clips, n_sources, low, high, method in rows
    ]


def _without(estimate: float, n_clips: int, n_sources: int) -> Interval:
    reason = (
        f"{n_sources} source videos are too few for an interval; {FEWEST_SOURCES} are needed. "
        "Pool the test parts of several splits"
    )
    return Interval(estimate, None, None, None, n_clips, n_sources, reason)
