"""Score tables: clip_id, partition and label, then one column of probabilities a class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hmdb_kedro.errors import UserError

KEYS = ["clip_id", "partition", "label"]
_SHOWN = 5


def class_names(scores: pd.DataFrame) -> list[str]:
    """Return the classes, in label_id order."""
    return [name for name in scores.columns if name not in KEYS]


def aligned(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the models' scores of the clips they share, in one order.

    A clip whose flow cannot be computed has no score of the temporal stream; it stops nothing,
    and `not_scored` names it.

    Args:
        tables: Scores by model.

    Raises:
        UserError: The models know other classes, share no clip, or disagree on a clip's part.
    """
    common = set.intersection(*(set(scores["clip_id"]) for scores in tables.values()))
    ordered = {
        model: scores[scores["clip_id"].isin(common)].sort_values("clip_id", ignore_index=True)
        for model, scores in tables.items()
    }
    (first, reference), *others = ordered.items()
    differences = [
        f"`{model}` against `{first}`: {difference}"
        for model, scores in others
        if (difference := _difference(reference, scores))
    ]
    if differences:
        raise UserError(
            "Models can be compared on the same clips and classes alone. Received scores that "
            f"differ: {'; '.join(differences)}. Score them anew on one clip_index."
        )
    return ordered


def not_scored(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """Return by model the clips that it has no score of and another model has."""
    found = {model: set(scores["clip_id"]) for model, scores in tables.items()}
    every = set().union(*found.values())
    return {model: sorted(every - clips) for model, clips in found.items()}


def part(scores: pd.DataFrame, partition: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what the metrics take of one partition.

    Returns:
        The probabilities, float64 of shape (N, C), and the true classes, int64 of shape (N,).

    Raises:
        UserError: A clip's label is none of the classes.
    """
    classes = class_names(scores)
    rows = scores.loc[scores["partition"] == partition]
    labels = pd.Index(classes).get_indexer(rows["label"])
    if (labels < 0).any():
        unknown = sorted(set(rows["label"]) - set(classes))
        raise UserError(
            "Scores hold clips of classes the model was not trained on. Received: "
            f"{_some(unknown)}. Train it on the clip_index it is scored on."
        )
    return rows[classes].to_numpy(dtype=np.float64), labels.astype(np.int64)


def _difference(reference: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Say how two tables sorted by clip differ; nothing where they agree."""
    classes, known = class_names(scores), class_names(reference)
    if classes != known:
        apart = sorted(set(classes) ^ set(known))
        return f"classes {_some(apart)}" if apart else "the order of classes"
    if reference.empty:
        return "no clip in common"
    return "" if _same_rows(reference, scores) else "the partition or label of some clips"


def _same_rows(reference: pd.DataFrame, scores: pd.DataFrame) -> bool:
    return [list(row) for row in reference[KEYS].to_numpy()] == [
        list(row) for row in scores[KEYS].to_numpy()
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
