"""Bring other tools' scores to the clips, parts and classes of this project."""

from collections import Counter
from pathlib import PurePosixPath

import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.scores import KEYS, check_scores, class_names, list_some


def adopt(name: str, table: pd.DataFrame, reference: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Return another tool's scores as a table like ours.

    Part and label are the reference's: a table of the tool's own is not asked for them.

    Args:
        name: Of the model, for messages.
        table: clip_id (or file names or stems), then one column a class, in any order.
        reference: Scores of ours on the clips that are compared.

    Returns:
        Its scores of the reference's test clips, and of its validation clips where it has them
        all; and the number of its rows that are none of these clips.

    Raises:
        UserError: Classes or test clips differ (the difference is listed), a name fits several
            clips, or rows are no probabilities.
    """
    classes = class_names(reference)
    _refuse_other_classes(name, [column for column in table if column != "clip_id"], classes)
    named = _named(name, table["clip_id"], reference["clip_id"])
    scores = table.assign(clip_id=named).dropna(subset="clip_id")
    extra = len(table) - len(scores)
    scores = reference[KEYS].merge(scores[["clip_id", *classes]], on="clip_id", how="inner")
    lacking = reference[~reference["clip_id"].isin(scores["clip_id"])]
    _refuse_missing(name, lacking.loc[lacking["partition"] == "test", "clip_id"])
    if (lacking["partition"] == "val").any():
        unused = scores["partition"] == "val"
        scores, extra = scores[~unused], extra + int(unused.sum())
    check_scores(name, scores)
    return scores.sort_values("clip_id", ignore_index=True), extra


def _named(name: str, given: "pd.Series[str]", clips: "pd.Series[str]") -> "pd.Series[str]":
    """Return the clip each name means: clip_id, else file name, else stem; null where none."""
    found = given.where(given.isin(clips))
    for shorten in (_file_name, _stem):
        short = clips.map(shorten)
        counts = Counter(short)
        by_name = {key: clip for key, clip in zip(short, clips, strict=True) if counts[key] == 1}
        open_names = found.isna()
        several = sorted({key for key in given[open_names] if counts[key] > 1})
        if several:
            raise UserError(
                f"External scores `{name}`: a name fits several clips. Received: "
                f"{list_some(several)}. Give <label>/<file name>."
            )
        found = found.where(~open_names, given.map(by_name))
    return found


def _file_name(clip_id: str) -> str:
    return PurePosixPath(clip_id).name


def _stem(clip_id: str) -> str:
    return PurePosixPath(clip_id).stem


def _refuse_other_classes(name: str, found: list[str], classes: list[str]) -> None:
    lacking, unknown = sorted(set(classes) - set(found)), sorted(set(found) - set(classes))
    sides = {"lacks": lacking, "has": unknown}
    differences = [f"{what} {list_some(names)}" for what, names in sides.items() if names]
    if differences:
        raise UserError(
            f"External scores `{name}` are of other classes than ours. Received a table that "
            f"{' and '.join(differences)}. One column a class is needed, named as the class."
        )


def _refuse_missing(name: str, clips: "pd.Series[str]") -> None:
    if len(clips):
        raise UserError(
            f"External scores `{name}` lack {len(clips)} test clips. Received none of: "
            f"{list_some(list(clips))}. Models are compared on the same clips alone."
        )
