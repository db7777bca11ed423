"""A control: what is left of an accuracy when the labels mean nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.metrics import top_1_shares
from hmdb_kedro.evaluation.significance import ALPHA

# Accuracies that are equal but for the order of addition.
_EQUAL = 1e-9


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


def shuffled_label_controls(
    models: Mapping[str, np.ndarray],
    labels: np.ndarray,
    sources: np.ndarray,
    *,
    draws: int,
    seed: int,
) -> dict[str, Control]:
    """Compare top-1 with what it is when sources change their labels with one another.

    The labels of a source stay together, in any order among themselves: shuffled over all clips,
    the accuracies would spread less than chance does here. They are laid end to end, source after
    source, which also serves sources with unlike numbers of clips.

    Args:
        models: By model, probabilities of shape (N, C).
        labels: int, shape (N,).
        sources: shape (N,): the source video of each clip.
        draws: Of shuffled labels, the same for all models.
        seed: Of them.
    """
    clusters = Clusters.of(sources)
    ordered, rows = labels[clusters.order], np.arange(len(labels))
    shares = {name: top_1_shares(p)[clusters.order] for name, p in models.items()}
    found = {name: np.empty(draws) for name in models}
    for draw, shuffled in enumerate(_shuffled(ordered, clusters, draws, seed)):
        for name, share in shares.items():
            found[name][draw] = share[rows, shuffled].mean()
    return {
        name: _control(float(share[rows, ordered].mean()), found[name])
        for name, share in shares.items()
    }


def _shuffled(
    ordered: np.ndarray, clusters: Clusters, draws: int, seed: int
) -> Iterator[np.ndarray]:
    owners = np.repeat(np.arange(len(clusters)), clusters.sizes)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        places = generator.permutation(len(clusters))[owners]
        yield ordered[np.argsort(places + generator.random(len(ordered)))]


def _control(top1: float, drawn: np.ndarray) -> Control:
    low, high = np.quantile(drawn, [ALPHA / 2, 1 - ALPHA / 2])
    as_good = int((drawn >= top1 - _EQUAL).sum())
    p_value = (as_good + 1) / (len(drawn) + 1)
    return Control(top1, float(drawn.mean()), float(low), float(high), p_value)
