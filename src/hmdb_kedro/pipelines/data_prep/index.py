"""The clip index: labels, names, splits and partitions of all clips, in one table."""

from dataclasses import asdict

import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import DataPrepParams
from hmdb_kedro.pipelines.data_prep.leaks import stop_leaks
from hmdb_kedro.video.names import parse_clip_name
from hmdb_kedro.video.partition import PART_NAMES, TRAIN, draw_by_source, draw_splits

SPLITS = ["split1", "split2", "split3"]
# Text with NaN for null, integers with NA: the same before and after Parquet.
COLUMNS = {
    "clip_id": "str",
    "label": "str",
    "label_id": "Int64",
    "path": "str",
    "source_video": "str",
    "visible_body": "str",
    "camera_motion": "str",
    "num_people": "Int64",
    "viewpoint": "str",
    "quality": "str",
    "n_frames": "Int64",
    "fps": "float64",
    "width": "Int64",
    "height": "Int64",
    "duration_s": "float64",
    "content_hash": "str",
    "split1": "Int64",
    "split2": "Int64",
    "split3": "Int64",
    "partition": "str",
    "status": "str",
    "reason": "str",
}


def build_clip_index(
    clip_scan: pd.DataFrame,
    clip_files: pd.DataFrame,
    raw_splits: pd.DataFrame,
    params: DataPrepParams,
    *,
    split: int,
    seed: int,
) -> pd.DataFrame:
    """Gather what is known of every clip that lies in the folder now.

    Returns:
        One row a clip, by clip_id; the columns and types of `COLUMNS`.

    Raises:
        UserError: Fewer than two classes have a clip to train on, a list contradicts itself, or a
            recording stands on both sides of the split (`data_prep.on_leak`).
    """
    clips = clip_scan.loc[clip_scan["clip_id"].isin(clip_files["clip_id"])]
    clips = _mark_duplicates(clips.sort_values("clip_id", ignore_index=True))
    clips = clips.assign(label=clips["clip_id"].str.split("/").str[0])
    names = [asdict(parse_clip_name(clip, params.source_pattern)) for clip in clips["clip_id"]]
    clips = clips.join(pd.DataFrame(names))
    if params.splits == "auto":
        parts = _drawn_parts(clips, params.test_fraction, seed)
    else:
        parts = _listed_parts(clips, raw_splits)
    clips = clips.join(parts)
    clips = clips.assign(partition=_partition(clips, split, params.val_fraction, seed))
    clips = clips.assign(label_id=_label_ids(clips, split))
    index = clips[list(COLUMNS)].astype(COLUMNS)
    stop_leaks(index, params, split)
    return index


def _mark_duplicates(clips: pd.DataFrame) -> pd.DataFrame:
    """Give clips with the bytes of an earlier usable one the status `duplicate`."""
    usable = clips.loc[clips["status"] == "ok"]
    first = usable.groupby("content_hash")["clip_id"].transform("first")
    twins = first.loc[first != usable["clip_id"]]
    status, reason = clips["status"].astype("object"), clips["reason"].astype("object")
    status.loc[twins.index] = "duplicate"
    reason.loc[twins.index] = "same bytes as " + twins
    return clips.assign(status=status, reason=reason)


def _listed_parts(clips: pd.DataFrame, raw_splits: pd.DataFrame) -> pd.DataFrame:
    lines = raw_splits[["clip_id", "split", "part"]].drop_duplicates()
    doubled = lines.loc[lines.duplicated(["clip_id", "split"])]
    if len(doubled):
        raise UserError(
            "`raw_splits` gives clips two parts in one split. Received: "
            f"{doubled['clip_id'].iloc[0]} in split {doubled['split'].iloc[0]}. Keep one line."
        )
    parts = lines.pivot(index="clip_id", columns="split", values="part")
    parts = parts.reindex(index=clips["clip_id"], columns=[1, 2, 3]).set_axis(SPLITS, axis=1)
    return parts.reset_index(drop=True).astype("Int64")


def _drawn_parts(clips: pd.DataFrame, test_fraction: float, seed: int) -> pd.DataFrame:
    usable = clips.loc[clips["status"] == "ok"]
    parts = draw_splits(
        usable["label"].to_list(), usable["source_video"].to_list(), test_fraction, seed
    )
    drawn = pd.DataFrame(parts, index=usable.index, columns=SPLITS)
    return drawn.reindex(clips.index).astype("Int64")


def _partition(clips: pd.DataFrame, split: int, val_fraction: float, seed: int) -> pd.Series:
    part = clips[f"split{split}"]
    named = part.astype("object").map(PART_NAMES).where(part.notna(), "unlisted")
    named = named.where(clips["status"] == "ok", None)
    train = clips.loc[named == "train"]
    is_val = draw_by_source(
        train["label"].to_list(), train["source_video"].to_list(), val_fraction, (seed, split)
    )
    named.loc[train.index[is_val]] = "val"
    return named


def _label_ids(clips: pd.DataFrame, split: int) -> pd.Series:
    part = clips[f"split{split}"].fillna(-1)
    usable = (part == TRAIN) & (clips["status"] == "ok")
    labels = sorted(set(clips.loc[usable, "label"]))
    if len(labels) < 2:
        raise UserError(_too_few_classes(clips, split, labels))
    ids = {label: position for position, label in enumerate(labels)}
    return clips["label"].map(ids).astype("Int64")


def _too_few_classes(clips: pd.DataFrame, split: int, labels: list[str]) -> str:
    rejected = clips.loc[clips["status"] != "ok"]
    kinds = rejected["status"].str.cat(rejected["reason"].fillna("no reason"), sep=", ")
    commonest = f" (most often {kinds.mode()[0]})" if len(rejected) else ""
    unlisted = (clips["partition"] == "unlisted").sum()
    return (
        f"Split {split} has training clips of {len(labels)} class(es), at least 2 are needed. "
        f"Received: {len(clips)} clips of {clips['label'].nunique()} class(es), "
        f"{len(clips) - len(rejected)} ok, {len(rejected)} rejected{commonest}, {unlisted} "
        "unlisted. Check `raw_videos` and the names in `raw_splits`, or set "
        "data_prep.splits=auto to draw the parts."
    )
