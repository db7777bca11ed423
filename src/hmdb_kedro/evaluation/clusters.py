"""Clips by the source video they were cut from: what is drawn at random is a source, not a clip."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Draws held in memory at once times sources: about 16 MB of counts.
_BLOCK = 2_000_000


@dataclass(frozen=True)
class Clusters:
    """Which clips belong together.

    Attributes:
        order: int, shape (N,): the clips, source by source.
        starts: int, shape (G,): where each source begins in `order`.
        sizes: int, shape (G,): clips of each source.
    """

    order: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of(cls, sources: np.ndarray) -> "Clusters":
        """Group clips by the names of their sources, shape (N,)."""
        _, codes, sizes = np.unique(sources, return_inverse=True, return_counts=True)
        return cls(np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes)

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def n_clips(self) -> int:
        """Clips of all sources."""
        return len(self.order)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum over the clips of each source: (N, K) → (G, K)."""
        if not len(self):
            return np.zeros((0, *values.shape[1:]))
        summed: np.ndarray = np.add.reduceat(values[self.order], self.starts, axis=0)
        return summed

    def resampled(self, draws: int, seed: int) -> Iterator[np.ndarray]:
        """Draw as many sources as there are, with replacement, again and again.

        Yields:
            float64, shape (B, G): how often each source was drawn; B sums to `draws`.
        """
        n_sources, generator = len(self), np.random.default_rng(seed)
        for n_rows in _blocks(draws, n_sources):
            drawn = generator.integers(0, n_sources, (n_rows, n_sources))
            drawn += n_sources * np.arange(n_rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=n_rows * n_sources)
            yield counts.reshape(n_rows, n_sources).astype(np.float64)


def random_signs(n_sources: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Draw a sign for each source, again and again: float64 of shape (B, n_sources), 1 or -1."""
    generator = np.random.default_rng(seed)
    for n_rows in _blocks(draws, n_sources):
        bits = generator.integers(0, 2, (n_rows, n_sources), dtype=np.int8)
        yield 2.0 * bits - 1.0


def _blocks(draws: int, n_sources: int) -> Iterator[int]:
    rows = max(1, _BLOCK // max(1, n_sources))
    for start in range(0, draws, rows):
        yield min(rows, draws - start)
