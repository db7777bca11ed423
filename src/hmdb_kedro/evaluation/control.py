"""A control: what is left of an accuracy when the labels mean nothing."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.metrics import top_1_shares
from hmdb_kedro.evaluation.significance import ALPHA


@dataclass(frozen=True)
class Control:
    """An accuracy beside those with shuffled labels.

    Attributes:
        top1: With the labels as they are.
        mean: Over the drawings of shuffled labels.
        low: 2.5 % of the drawings are below.
        high: 2.5 % of the drawings are above.
        p_value: Share of the drawings as good as the true labels, which count as one.
    """

    top1: float
    mean: float
    low: float
    high: float
    p_value: float

    @property
    def is_above(self) -> bool:
        """Whether the labels as they are do better than shuffled ones, at 5 %."""
        return self.p_value < ALPHA

    def to_json(self) -> dict[str, Any]:
        """Return plain values, the verdict among them."""
        return asdict(self) | {"is_above": self.is_above}


def shuffled_label_control(
    probabilities: np.ndarray, labels: np.ndarray, sources: np.ndarray, *, draws: int, seed: int
) -> Control:
    """Compare top-1 with what it is when sources change their labels with one another.

    The labels of a source stay together, in any order among themselves: shuffled over all clips,
    the accuracies would spread less than chance does here. They are laid end to end, source after
    source, which also serves sources with unlike numbers of clips.

    Args:
        probabilities: float, shape (N, C).
        labels: int, shape (N,).
        sources: shape (N,): the source video of each clip.
        draws: Of shuffled labels.
        seed: Of them.
    """
    clusters = Clusters.of(sources)
    shares = top_1_shares(probabilities)[clusters.order]
    ordered = labels[clusters.order]
    owners = np.repeat(np.arange(len(clusters)), clusters.sizes)
    generator, rows = np.random.default_rng(seed), np.arange(len(ordered))
    found = np.empty(draws)
    for draw in range(draws):
        places, within = generator.permutation(len(clusters)), generator.random(len(ordered))
        shuffled = ordered[np.lexsort((within, places[owners]))]
        found[draw] = shares[rows, shuffled].mean()
    top1 = float(shares[rows, ordered].mean())
    low, high = np.quantile(found, [ALPHA / 2, 1 - ALPHA / 2])
    as_good = int((found >= top1 - 1e-9).sum())
    return Control(top1, float(found.mean()), float(low), float(high), (as_good + 1) / (draws + 1))
