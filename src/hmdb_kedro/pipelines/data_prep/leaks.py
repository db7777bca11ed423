"""Look for recordings, and for the same bytes, on both sides of a split."""

import logging
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import DataPrepParams
from hmdb_kedro.video.partition import PART_NAMES, TEST, TRAIN

logger = logging.getLogger(__name__)

_SHOWN = 5


@dataclass(frozen=True)
class Leaks:
    """What stands on both sides of a split.

    Attributes:
        train_val: Source names; validation is drawn by those, over all classes.
        train_test: `<class>/<source>` with training or validation clips, and with test clips.
        same_bytes: Test clips with the bytes of a training clip, and the other way round.
        across_classes: Source names with training clips of some classes and test clips of others.
            HMDB51's own lists have these, so they are no fault, but worth knowing.
    """

    train_val: list[str]
    train_test: list[str]
    same_bytes: list[str]
    across_classes: list[str]

    def summary(self) -> dict[str, Any]:
        """Count each kind and name the first of it."""
        return {
            kind: {"count": len(names), "first": names[:_SHOWN]}
            for kind, names in asdict(self).items()
        }


def find_leaks(clip_index: pd.DataFrame, split: int) -> Leaks:
    """Compare the sides of the chosen split.

    A clip that is its own source, for want of a name that tells it, leaks by its bytes alone.

    Args:
        clip_index: One row a clip, with its partition.
        split: The split whose partition that is.
    """
    named = clip_index.loc[clip_index["source_video"] != clip_index["clip_id"]]
    pairs = named.assign(pair=named["label"] + "/" + named["source_video"])
    fitted = pairs["partition"].isin(["train", "val"])
    train_test = _on_both(pairs.loc[fitted], pairs.loc[pairs["partition"] == "test"], "pair")
    of_test = pairs.loc[pairs["partition"] == "test"]
    by_name = _on_both(pairs.loc[fitted], of_test, "source_video")
    # A name can leak within a class and cross others besides: the first says it all.
    within = {pair.partition("/")[2] for pair in train_test}
    return Leaks(
        train_val=_on_both(
            pairs.loc[pairs["partition"] == "train"],
            pairs.loc[pairs["partition"] == "val"],
            "source_video",
        ),
        train_test=train_test,
        same_bytes=_same_bytes(clip_index, f"split{split}"),
        across_classes=[name for name in by_name if name not in within],
    )


def stop_leaks(clip_index: pd.DataFrame, params: DataPrepParams, split: int) -> None:
    """Check that no source, and no bytes, stand on both sides of the chosen split.

    Raises:
        UserError: Some do, and `data_prep.on_leak` is `error`.
    """
    found = _faults(find_leaks(clip_index, split))
    if not found:
        return
    message = (
        f"Split {split} leaks: {'; '.join(found)}. Correct the lists, the clips, or "
        "data_prep.source_pattern, which tells the recordings apart"
    )
    if params.on_leak == "error":
        raise UserError(f"{message}; or go on with data_prep.on_leak=warn.")
    logger.warning("%s. data_prep.on_leak=warn goes on.", message)


def _faults(leaks: Leaks) -> list[str]:
    kinds = {
        "source(s) in train and in validation": leaks.train_val,
        "source(s) of one class in train and in test": leaks.train_test,
        "clip(s) with the same bytes in train and in test": leaks.same_bytes,
    }
    return [f"{len(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]


def _first(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _on_both(one: pd.DataFrame, other: pd.DataFrame, key: str) -> list[str]:
    return sorted(set(one[key]) & set(other[key]))


def _same_bytes(clip_index: pd.DataFrame, split: str) -> list[str]:
    """Name duplicates that the lists put on the other side than the clip that is kept."""
    clips = clip_index.loc[clip_index["status"].isin(["ok", "duplicate"])]
    clips = clips.loc[clips[split].isin([TRAIN, TEST])]
    kept = clips.loc[clips["status"] == "ok"].set_index("content_hash")[["clip_id", split]]
    twins = clips.loc[clips["status"] == "duplicate"].join(kept, on="content_hash", rsuffix="_kept")
    twins = twins.loc[(twins[split] != twins[f"{split}_kept"]).fillna(False)]
    sides = zip(twins["clip_id"], twins[split], twins["clip_id_kept"], strict=True)
    return [f"{clip} in {PART_NAMES[part]} is {same}" for clip, part, same in sides]
