"""Bring the scores of all models to the same clips, and say what was left out."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.duration import duration_baseline
from hmdb_kedro.evaluation.external import adopt
from hmdb_kedro.evaluation.scores import (
    BASELINE,
    EXTERNAL,
    KEYS,
    MEASURED,
    aligned,
    class_names,
    list_some,
    not_scored,
    part,
    sources_of,
    stacked,
)

logger = logging.getLogger(__name__)
DURATION = "duration_baseline"


def gather_scores(
    clip_index: pd.DataFrame, external_scores: dict[str, pd.DataFrame], **scores: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Put the scores of all models on the clips they share below one another.

    A baseline that knows durations alone stands among them: length can leak the class.

    Args:
        clip_index: Says sources and durations.
        external_scores: Score tables of other tools, by model.
        **scores: Our models' scores, by model.

    Returns:
        model, kind (measured, external or baseline), source_video, then the columns of scores;
        and a report: clips by part, sources, not_scored by model, extra clips of external
        tables, classes_without_test_clips.

    Raises:
        UserError: Tables differ in what they must share, hold no probabilities, an external
            model has the name of one of ours, or no test clip is left.
    """
    tables = aligned(scores)
    reference = next(iter(tables.values()))
    _refuse_no_test_clip(reference)
    _refuse_names_of_ours(external_scores, {*scores, DURATION})
    adopted = {
        name: adopt(name, table, reference) for name, table in sorted(external_scores.items())
    }
    theirs = {name: table for name, (table, _) in adopted.items()}
    everything = {**tables, **theirs, DURATION: _durations(reference, clip_index)}
    kinds = dict.fromkeys(tables, MEASURED) | dict.fromkeys(theirs, EXTERNAL) | {DURATION: BASELINE}
    sources = sources_of(reference, clip_index)
    report = _clip_counts(reference, sources) | {
        "not_scored": not_scored(scores),
        "external": {name: {"extra_clips": extra} for name, (_, extra) in adopted.items()},
    }
    _warn(report)
    by_clip = dict(zip(reference["clip_id"], sources, strict=True))
    return stacked(everything, kinds, by_clip), report


def _clip_counts(reference: pd.DataFrame, sources: np.ndarray) -> dict[str, Any]:
    is_test = (reference["partition"] == "test").to_numpy()
    present = set(reference.loc[is_test, "label"])
    return {
        "n_test": int(is_test.sum()),
        "n_val": int((~is_test).sum()),
        "n_test_sources": len(set(sources[is_test])),
        "classes_without_test_clips": [
            name for name in class_names(reference) if name not in present
        ],
    }


def _refuse_no_test_clip(reference: pd.DataFrame) -> None:
    if not len(part(reference, "test")[1]):
        raise UserError(
            "There is no test clip to evaluate on. Received: "
            f"{len(reference)} scored clips. Check the partitions in `clip_index`."
        )


def _refuse_names_of_ours(external_scores: dict[str, pd.DataFrame], ours: set[str]) -> None:
    taken = sorted(set(external_scores) & ours)
    if taken:
        raise UserError(
            f"External scores have the name of a model of ours. Received: {list_some(taken)}. "
            "Rename the file."
        )


def _durations(reference: pd.DataFrame, clip_index: pd.DataFrame) -> pd.DataFrame:
    """Return scores of the reference's clips that come from training clips' durations."""
    classes = class_names(reference)
    train = clip_index[clip_index["partition"] == "train"]
    labels = pd.Index(classes).get_indexer(train["label"])
    seconds = clip_index.set_index("clip_id")["duration_s"].astype("float64")
    found = duration_baseline(
        train["duration_s"].to_numpy(np.float64)[labels >= 0],
        labels[labels >= 0],
        seconds.reindex(reference["clip_id"]).to_numpy(),
        len(classes),
    )
    return reference[KEYS].join(pd.DataFrame(found.astype(np.float32), columns=classes))


def _warn(report: dict[str, Any]) -> None:
    for model, clips in report["not_scored"].items():
        if clips:
            logger.warning("%s has no scores of %s: left out for all.", model, list_some(clips))
    for model, found in report["external"].items():
        if found["extra_clips"]:
            logger.warning("%s: %d rows are not used.", model, found["extra_clips"])
    if report["classes_without_test_clips"]:
        empty = list_some(report["classes_without_test_clips"])
        logger.warning("No test clip of %s: class means are over the others.", empty)
