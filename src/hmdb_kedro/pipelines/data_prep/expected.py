"""Compare what is there with what a published set holds."""

import logging
from typing import Any

import pandas as pd

from hmdb_kedro.params import DataPrepParams, KnownSet
from hmdb_kedro.video.partition import TEST, TRAIN

logger = logging.getLogger(__name__)

# Clips a class, as its lists name them; each of the three splits trains on 70 and tests on 30.
# Kuehne et al., HMDB: a large video database for human motion recognition, ICCV 2011.
# fmt: off
HMDB51 = {
    "brush_hair": 107,
    "cartwheel": 107,
    "catch": 102,
    "chew": 109,
    "clap": 130,
    "climb": 108,
    "climb_stairs": 112,
    "dive": 127,
    "draw_sword": 103,
    "dribble": 145,
    "drink": 164,
    "eat": 108,
    "fall_floor": 136,
    "fencing": 116,
    "flic_flac": 107,
    "golf": 105,
    "handstand": 113,
    "hit": 127,
    "hug": 118,
    "jump": 151,
    "kick": 130,
    "kick_ball": 128,
    "kiss": 102,
    "laugh": 128,
    "pick": 106,
    "pour": 106,
    "pullup": 104,
    "punch": 126,
    "push": 116,
    "pushup": 103,
    "ride_bike": 103,
    "ride_horse": 116,
    "run": 232,
    "shake_hands": 162,
    "shoot_ball": 131,
    "shoot_bow": 112,
    "shoot_gun": 103,
    "sit": 142,
    "situp": 105,
    "smile": 102,
    "smoke": 109,
    "somersault": 140,
    "stand": 154,
    "swing_baseball": 143,
    "sword": 127,
    "sword_exercise": 127,
    "talk": 120,
    "throw": 102,
    "turn": 240,
    "walk": 548,
    "wave": 104,
}
# fmt: on
_TRAIN_CLIPS, _TEST_CLIPS = 70, 30
EXPECTED: dict[KnownSet, dict[str, int]] = {"hmdb51": HMDB51}


def compare_with_expected(
    clip_files: pd.DataFrame, raw_splits: pd.DataFrame, params: DataPrepParams
) -> dict[str, Any] | None:
    """Say by class which clips and lines of the lists are missing or too many.

    Differences are logged as one warning; nothing stops, because a part of a set can be used.

    Returns:
        `clips` and `classes` (here, expected); `missing` and `too_many` (class: clips);
        `lists` (class: split: train, test) where a split is not 70 and 30. None where
        `data_prep.expect` is null.
    """
    if params.expect is None:
        return None
    chosen = params.classes
    wanted = {k: n for k, n in EXPECTED[params.expect].items() if chosen is None or k in chosen}
    here = clip_files["clip_id"].str.partition("/")[0].value_counts().to_dict()
    more = {label: here.get(label, 0) - wanted.get(label, 0) for label in sorted(here | wanted)}
    found = {
        "set": params.expect,
        "clips": {"here": len(clip_files), "expected": sum(wanted.values())},
        "classes": {"here": len(here.keys() & wanted), "expected": len(wanted)},
        "missing": {label: -n for label, n in more.items() if n < 0},
        "too_many": {label: n for label, n in more.items() if n > 0},
        "lists": {} if params.splits == "auto" else _unlike_lists(raw_splits, list(wanted)),
    }
    if found["missing"] or found["too_many"] or found["lists"]:
        logger.warning("%s", _in_words(found))
    return found


def _unlike_lists(
    raw_splits: pd.DataFrame, labels: list[str]
) -> dict[str, dict[str, dict[str, int]]]:
    """Return the classes whose lists do not hold 70 training and 30 test clips in each split."""
    lines = raw_splits.drop_duplicates(["clip_id", "split"])
    counts = lines.groupby(["label", "split", "part"]).size().to_dict()
    unlike: dict[str, dict[str, dict[str, int]]] = {}
    for label in labels:
        for split in (1, 2, 3):
            parts = {
                "train": int(counts.get((label, split, TRAIN), 0)),
                "test": int(counts.get((label, split, TEST), 0)),
            }
            if parts != {"train": _TRAIN_CLIPS, "test": _TEST_CLIPS}:
                unlike.setdefault(label, {})[f"split{split}"] = parts
    return unlike


def _in_words(found: dict[str, Any]) -> str:
    clips, classes = found["clips"], found["classes"]
    parts = [
        f"{found['set'].upper()}: {clips['here']:,} of {clips['expected']:,} clips, "
        f"{classes['here']} of {classes['expected']} classes are here",
        _named("missing", found["missing"]),
        _named("too many", found["too_many"]),
        _named("lists that are not 70 train and 30 test", found["lists"]),
    ]
    return "; ".join(filter(None, parts)) + ". data_prep_report lists all under `expected`."


def _named(what: str, by_class: dict[str, Any]) -> str:
    """Name the first classes, with their clips where those are counted."""
    shown = [f"{k} {n}" if isinstance(n, int) else k for k, n in list(by_class.items())[:5]]
    more = f" and {len(by_class) - 5} more classes" if len(by_class) > 5 else ""
    return f"{what}: {', '.join(shown)}{more}" if by_class else ""
