"""Score tables: clip_id, partition and label, then one column of probabilities a class."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from hmdb_kedro.errors import UserError

KEYS = ["clip_id", "partition", "label"]
PARTITIONS = ("val", "test")
STACKED = ["model", "kind", "source_video"]
# What stands beside the classes in some table of scores: a class of that name would be overwritten.
RESERVED = frozenset({*KEYS, *STACKED, "ablation"})
MEASURED, EXTERNAL, BASELINE = "measured", "external", "baseline"
_SHOWN = 5
# Ten times what float32 probabilities of a thousand classes lose.
_SUM_TOLERANCE = 1e-3


def class_names(scores: pd.DataFrame) -> list[str]:
    """Return the classes, in label_id order."""
    return [name for name in scores.columns if name not in KEYS]


def check_scores(model: str, scores: pd.DataFrame) -> None:
    """Refuse a table that is no table of probabilities.

    Raises:
        UserError: A column is missing, a clip stands twice, a part is unknown, or a row holds NaN,
            something negative, or does not sum to 1; it names the model and the first clips.
    """
    missing = [name for name in KEYS if name not in scores.columns]
    if missing:
        raise UserError(
            f"Scores of `{model}` lack columns. Received none named {list_some(missing)}. Every "
            f"row is {', '.join(KEYS)}, then a probability a class."
        )
    clips = scores["clip_id"]
    _refuse(model, clips[clips.duplicated()], "stand twice", "Keep one row a clip.")
    unknown = ~scores["partition"].isin(PARTITIONS)
    _refuse(model, clips[unknown], "are in neither val nor test", "Score those parts alone.")
    values = scores[class_names(scores)].to_numpy(dtype=np.float64)
    not_finite = ~np.isfinite(values).all(axis=1)
    _refuse(model, clips[not_finite], "hold NaN or infinity", "Score them anew.")
    sums = values.sum(axis=1)
    wrong = (values < 0).any(axis=1) | (np.abs(sums - 1) > _SUM_TOLERANCE)
    first = f", which sums to {sums[wrong][0]:.4g}" if wrong.any() else ""
    advice = "Give probabilities: a softmax of what the model returns."
    _refuse(model, clips[wrong], "are no probabilities that sum to 1", advice, first)


def sources_of(scores: pd.DataFrame, clip_index: pd.DataFrame) -> np.ndarray:
    """Return the source video of each row, as the index has it.

    Raises:
        UserError: The index does not know a clip.
    """
    known = clip_index.set_index("clip_id")["source_video"].reindex(scores["clip_id"])
    unknown = known.index[known.isna()]
    if len(unknown):
        raise UserError(
            "Scores hold clips that `clip_index` does not know, so their source is unknown. "
            f"Received: {list_some(list(unknown))}. Score on the clip_index that is compared on."
        )
    sources: np.ndarray = known.to_numpy(dtype=str)
    return sources


def aligned(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the models' scores of the clips they share, in one order.

    A clip whose flow cannot be computed has no score of the temporal stream; it stops nothing,
    and `not_scored` names it.

    Args:
        tables: Scores by model.

    Raises:
        UserError: A table holds no probabilities, or the models know other classes, share no
            clip, or disagree on a clip's part.
    """
    for model, scores in tables.items():
        check_scores(model, scores)
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


def stacked(
    tables: Mapping[str, pd.DataFrame], kinds: Mapping[str, str], sources: Mapping[str, str]
) -> pd.DataFrame:
    """Put the scores of several models below one another.

    Args:
        tables: Scores by model.
        kinds: What a model is: measured, external or baseline.
        sources: Source video by clip.

    Returns:
        model, kind, source_video, then the columns of scores.
    """
    parts = [
        table.assign(model=model, kind=kinds[model], source_video=table["clip_id"].map(sources))
        for model, table in tables.items()
    ]
    columns = [*STACKED, *parts[0].columns.drop(STACKED)]
    return pd.concat([found[columns] for found in parts], ignore_index=True)


def unstacked(
    stack: pd.DataFrame, kinds: Collection[str] = (MEASURED, EXTERNAL)
) -> dict[str, pd.DataFrame]:
    """Return the scores of each model of the kinds, in the order they were stacked in."""
    chosen = stack[stack["kind"].isin(kinds)]
    return {
        str(model): rows.drop(columns=STACKED).reset_index(drop=True)
        for model, rows in chosen.groupby("model", sort=False)
    }


def sources_of_test(stack: pd.DataFrame) -> np.ndarray:
    """Return the source video of each test clip, in the order of every model's rows."""
    rows = stack[(stack["model"] == stack["model"].iloc[0]) & (stack["partition"] == "test")]
    sources: np.ndarray = rows["source_video"].to_numpy(dtype=str)
    return sources


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
            f"{list_some(unknown)}. Train it on the clip_index it is scored on."
        )
    return rows[classes].to_numpy(dtype=np.float64), labels.astype(np.int64)


def list_some(names: list[str]) -> str:
    """Name the first few, and say how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _difference(reference: pd.DataFrame, scores: pd.DataFrame) -> str:
    """Say how two tables sorted by clip differ; nothing where they agree."""
    classes, known = class_names(scores), class_names(reference)
    if classes != known:
        apart = sorted(set(classes) ^ set(known))
        return f"classes {list_some(apart)}" if apart else "the order of classes"
    if reference.empty:
        return "no clip in common"
    return "" if _same_rows(reference, scores) else "the partition or label of some clips"


def _same_rows(reference: pd.DataFrame, scores: pd.DataFrame) -> bool:
    return all(np.array_equal(reference[key], scores[key]) for key in KEYS)


def _refuse(model: str, clips: "pd.Series[str]", what: str, advice: str, first: str = "") -> None:
    if len(clips):
        raise UserError(
            f"Scores of `{model}`: {len(clips)} clips {what}. Received: "
            f"{list_some(list(clips))}{first}. {advice}"
        )
