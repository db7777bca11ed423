"""Find the clips, decode the new ones once, and report what was found."""

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import cv2
import pandas as pd
import pyarrow as pa

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.scores import RESERVED
from hmdb_kedro.extraction.limits import TimedOutError, within
from hmdb_kedro.extraction.parallel import Row, row_batches, table_schema
from hmdb_kedro.params import DataPrepParams
from hmdb_kedro.pipelines.data_prep.expected import compare_with_expected
from hmdb_kedro.pipelines.data_prep.leaks import find_leaks
from hmdb_kedro.video.clips import ClipFile, ClipFolder
from hmdb_kedro.video.decode import ClipProbe, UnreadableClipError, probe_clip

FILE_KEY = ["clip_id", "path", "size_bytes", "mtime_ns"]
# A file that could not be read is looked at again in the next run: no file has this time.
_TRY_AGAIN = -1
_SCAN_COLUMNS = [
    ("clip_id", pa.string()),
    ("path", pa.string()),
    ("size_bytes", pa.int64()),
    ("mtime_ns", pa.int64()),
    ("settings_hash", pa.string()),
    ("content_hash", pa.string()),
    ("n_frames", pa.int64()),
    ("fps", pa.float64()),
    ("width", pa.int64()),
    ("height", pa.int64()),
    ("duration_s", pa.float64()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("seconds", pa.float64()),
]


def list_clips(
    raw_videos: ClipFolder,
    clip_index_progress: pd.DataFrame,
    raw_splits: pd.DataFrame,
    params: DataPrepParams,
) -> pd.DataFrame:
    """List the clip files and mark those that were not scanned yet.

    Returns:
        One row a file: clip_id, path, size_bytes, mtime_ns and is_new, by clip_id.

    Raises:
        UserError: There are no split lists and `data_prep.splits` wants them, a class of
            `data_prep.classes` has no clip, a class has a reserved name, or two files have one
            clip_id.
    """
    if params.splits == "official" and raw_splits.empty:
        raise UserError(
            "`raw_splits` holds no list <class>_test_split{1,2,3}.txt. Received: "
            "data_prep.splits=official. Put the lists there, name their folder with "
            "--params raw_splits_dir=…, or set data_prep.splits=auto to draw the parts."
        )
    files = [_file_row(clip) for clip in raw_videos.values() if _wanted(clip, params)]
    clips = pd.DataFrame(files, columns=FILE_KEY).sort_values("clip_id", ignore_index=True)
    _check_clips(clips, params)
    current = clip_index_progress["settings_hash"].isin(params.settings_hashes())
    known = set(clip_index_progress.loc[current, FILE_KEY].itertuples(index=False, name=None))
    is_new = [row not in known for row in clips.itertuples(index=False, name=None)]
    return clips.assign(is_new=is_new)


def scan_clips(
    raw_videos: ClipFolder, clip_files: pd.DataFrame, params: DataPrepParams
) -> Iterator[pa.Table]:
    """Decode every new clip from end to end; yield what it holds, some clips at a time.

    Yields:
        One row a clip: its file, content_hash, n_frames, fps, width, height, duration_s, status
        (`ok`, `unreadable`, `too_short`), reason, and the seconds its scan took.
    """
    schema = table_schema(_SCAN_COLUMNS, params)
    new = clip_files.loc[clip_files["is_new"], FILE_KEY].to_dict("records")
    tasks = [(row, raw_videos[row["path"]]) for row in new]
    yield from row_batches(partial(_scan_row, params=params), tasks, schema, params, "data_prep")


def report_data_prep(
    clip_index: pd.DataFrame,
    clip_files: pd.DataFrame,
    clip_scan: pd.DataFrame,
    raw_splits: pd.DataFrame,
    params: DataPrepParams,
    split: int,
) -> dict[str, Any]:
    """Say what this run did, what was rejected and why, what the lists name in vain, what leaks."""
    new = clip_files.loc[clip_files["is_new"]]
    rejected = clip_index.loc[clip_index["status"] != "ok"].set_index("clip_id")["reason"]
    missing = _missing_by_class(clip_files, raw_splits, params)
    trained = clip_index.loc[clip_index["partition"] == "train", "label"]
    return {
        "done": len(new),
        "skipped": len(clip_files) - len(new),
        "rejected": {str(clip_id): str(reason) for clip_id, reason in rejected.items()},
        "missing": missing,
        "missing_count": sum(map(len, missing.values())),
        "expected": compare_with_expected(clip_files, raw_splits, params),
        "leaks": find_leaks(clip_index, split).summary(),
        "unlisted": int((clip_index["partition"] == "unlisted").sum()),
        "own_source": int((clip_index["source_video"] == clip_index["clip_id"]).sum()),
        "classes_without_training": sorted(set(clip_index["label"]) - set(trained)),
        "partitions": {str(k): int(n) for k, n in clip_index["partition"].value_counts().items()},
        "seconds": float(clip_scan.loc[clip_scan["clip_id"].isin(new["clip_id"]), "seconds"].sum()),
        "bytes": int(new["size_bytes"].sum()),
    }


def _wanted(clip: ClipFile, params: DataPrepParams) -> bool:
    return params.classes is None or clip.label in params.classes


def _file_row(clip: ClipFile) -> Row:
    stat = clip.file.stat()
    return {
        "clip_id": clip.clip_id,
        "path": clip.path,
        "size_bytes": stat.st_size,
        "mtime_ns": stat.st_mtime_ns,
    }


def _check_clips(clips: pd.DataFrame, params: DataPrepParams) -> None:
    found = {clip_id.partition("/")[0] for clip_id in clips["clip_id"]}
    if absent := sorted(set(params.classes or ()) - found):
        raise UserError(
            "`data_prep.classes` names classes without a clip in `raw_videos`. Received: "
            f"{', '.join(absent)}. Spell them as the class folders are."
        )
    if reserved := sorted(found & RESERVED):
        raise UserError(
            "A class cannot have the name of a column that stands beside the classes in tables of "
            f"scores. Received: the folder {', '.join(reserved)} in `raw_videos`. Rename it, and "
            "its split lists."
        )
    twins = clips.loc[clips["clip_id"].duplicated(keep=False), "path"]
    if len(twins):
        raise UserError(
            "`raw_videos` holds files whose names differ in their Unicode form alone. Received: "
            f"{', '.join(map(ascii, twins))}. Rename or remove one of them."
        )


def _scan_row(task: tuple[Row, ClipFile], params: DataPrepParams) -> Row:
    row, clip = task
    start = time.perf_counter()
    row = row | {"settings_hash": params.settings_hash()}
    try:
        probe = partial(probe_clip, clip.file, params.min_frames, params.min_decoded_share)
        row |= _probe_row(within(params.clip_timeout_s, probe))
    except TimedOutError as error:
        key = params.settings_hash_timed_out()
        row |= {"status": "unreadable", "reason": str(error), "settings_hash": key}
    except UnreadableClipError as error:
        row |= {"status": "unreadable", "reason": str(error)}
    except (OSError, cv2.error) as error:
        row |= {"status": "unreadable", "reason": str(error), "mtime_ns": _TRY_AGAIN}
    return row | {"seconds": time.perf_counter() - start}


def _probe_row(probe: ClipProbe) -> Row:
    # What an unreadable file does not tell is null, not 0.
    return {
        "content_hash": probe.content_hash,
        "n_frames": probe.n_frames,
        "fps": probe.fps or None,
        "width": probe.width or None,
        "height": probe.height or None,
        "duration_s": probe.n_frames / probe.fps if probe.fps else None,
        "status": probe.status,
        "reason": probe.reason,
    }


def _missing_by_class(
    clip_files: pd.DataFrame, raw_splits: pd.DataFrame, params: DataPrepParams
) -> dict[str, list[str]]:
    if params.splits == "auto":
        return {}
    wanted = raw_splits.loc[raw_splits["label"].isin(params.classes or raw_splits["label"])]
    missing: dict[str, list[str]] = {}
    for clip_id in sorted(set(wanted["clip_id"]) - set(clip_files["clip_id"])):
        label, _, file_name = clip_id.partition("/")
        missing.setdefault(label, []).append(file_name)
    return missing
