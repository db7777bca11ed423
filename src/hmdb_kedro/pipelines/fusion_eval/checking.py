"""Look for what would make every figure worthless: leaks, other labels, labels without meaning."""

import logging
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.evaluation.control import shuffled_label_controls
from hmdb_kedro.evaluation.scores import list_some, part, sources_of_test, unstacked
from hmdb_kedro.params import FUSED

logger = logging.getLogger(__name__)
_DRAWS = 1000
_LEAKS = {
    "train_test": "recording(s) of one class in training and in test",
    "same_bytes": "clip(s) with the same bytes in training and in test",
    "train_val": "recording(s) in training and in validation",
}


def check_evaluation(
    compared_scores: pd.DataFrame,
    clip_index: pd.DataFrame,
    data_prep_report: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """Return what the figures rest on: the leak guard, the clips that were scored, a control.

    Args:
        compared_scores: Of all models.
        clip_index: Says parts and labels.
        data_prep_report: Says what the leak guard found.
        seed: Of the shuffled labels.

    Returns:
        leaks (as in data_prep_report), not_test_clips (scored as test clips, and elsewhere in the
        index), other_labels (clips), shuffled_labels by model (top1; mean, low and high over
        drawings; p_value, is_above), shuffled_draws, too_few_sources (not even the truth is above),
        and `faults`: a sentence each.
    """
    tables = unstacked(compared_scores)
    found: dict[str, Any] = {
        "leaks": data_prep_report["leaks"],
        **_against_index(next(iter(tables.values())), clip_index),
        **_shuffled(tables, sources_of_test(compared_scores), seed),
    }
    found["faults"] = [*_leak_faults(found), *_clip_faults(found), *_control_faults(found)]
    for fault in found["faults"]:
        logger.warning("%s", fault)
    if found["too_few_sources"]:
        logger.warning("Too few sources of test clips to tell any model from shuffled labels.")
    return found


def _shuffled(tables: dict[str, pd.DataFrame], sources: np.ndarray, seed: int) -> dict[str, Any]:
    parts = {model: part(table, "test") for model, table in tables.items()}
    probabilities = {model: found for model, (found, _) in parts.items()}
    first, labels = next(iter(parts.values()))
    controls = partial(
        shuffled_label_controls, labels=labels, sources=sources, draws=_DRAWS, seed=seed
    )
    truth = {"truth": np.eye(first.shape[1])[labels]}
    return {
        "shuffled_labels": {
            name: control.to_json() for name, control in controls(probabilities).items()
        },
        "shuffled_draws": _DRAWS,
        "too_few_sources": not controls(truth)["truth"].is_above,
    }


def _against_index(scores: pd.DataFrame, clip_index: pd.DataFrame) -> dict[str, list[str]]:
    known = clip_index.set_index("clip_id")[["partition", "label"]].reindex(scores["clip_id"])
    clips = scores.set_index("clip_id")
    not_test = (clips["partition"] == "test") & (known["partition"] != "test")
    other = clips["label"] != known["label"]
    return {
        "not_test_clips": clips.index[not_test].to_list(),
        "other_labels": clips.index[other].to_list(),
    }


def _leak_faults(found: dict[str, Any]) -> list[str]:
    return [
        f"The split leaks: {leak['count']} {what} ({', '.join(leak['first'])}). Accuracies are "
        "too high."
        for kind, what in _LEAKS.items()
        if (leak := found["leaks"][kind])["count"]
    ]


def _clip_faults(found: dict[str, Any]) -> list[str]:
    kinds = {
        "not_test_clips": "scored as test clips are not in the test part of clip_index",
        "other_labels": "have another label in clip_index than in the scores",
    }
    return [
        f"{len(found[kind])} clips {what} ({list_some(found[kind])})."
        for kind, what in kinds.items()
        if found[kind]
    ]


def _control_faults(found: dict[str, Any]) -> list[str]:
    # A stream alone may be weak without a fault; shuffled labels leave the fusion nothing. Where
    # even the truth is no better than shuffled labels, being no better tells nothing.
    control = found["shuffled_labels"][FUSED]
    if control["is_above"] or found["too_few_sources"]:
        return []
    return [
        f"{FUSED} is right on {control['top1']:.1%} of the test clips, which is no better than "
        f"with shuffled labels ({control['low']:.1%} to {control['high']:.1%}): it has learnt "
        "nothing, or its labels are shuffled."
    ]
