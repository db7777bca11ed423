"""Do only what is new: which clips a stage still has to extract, and its account afterwards."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from hmdb_kedro.extraction.parallel import Row, row_batches
from hmdb_kedro.extraction.rows import ClipTask
from hmdb_kedro.params import WorkParams
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.tables import ClipTable

_LONG = 2  # times the mean number of frames


def clips_to_do(
    clip_index: pd.DataFrame, progress: pd.DataFrame, params: WorkParams
) -> pd.DataFrame:
    """Return the usable clips that have no row yet of their content and the settings.

    Args:
        clip_index: One row a clip found.
        progress: clip_id, content_hash and settings_hash of the rows committed so far.
        params: What is asked for.

    Returns:
        clip_id, path, content_hash, n_frames and fps of every clip to extract.
    """
    usable = clip_index.loc[
        clip_index["status"] == "ok", ["clip_id", "path", "content_hash", "n_frames", "fps"]
    ]
    current = progress[progress["settings_hash"].isin(params.settings_hashes())]
    done = pd.MultiIndex.from_frame(current[["clip_id", "content_hash"]])
    asked = pd.MultiIndex.from_frame(usable[["clip_id", "content_hash"]])
    return usable[~asked.isin(done)].reset_index(drop=True)


def extract_rows(
    todo: pd.DataFrame,
    raw_videos: ClipFolder,
    extract: Callable[[ClipTask], Row],
    schema: pa.Schema,
    work: WorkParams,
    title: str,
) -> Iterator[pa.Table]:
    """Yield the rows of the clips to do, a batch at a time."""
    tasks = [
        ClipTask(row.clip_id, raw_videos[row.path].file, row.content_hash, row.n_frames, row.fps)
        for row in _long_ones_first(todo).itertuples()
    ]
    return row_batches(extract, tasks, schema, work, title)


def _long_ones_first(todo: pd.DataFrame) -> pd.DataFrame:
    """Put clips far longer than the mean in front: begun last, one keeps one core alone busy.

    The others keep their order, so that the rate tells soon how long the rest takes.
    """
    is_long = todo["n_frames"] > _LONG * todo["n_frames"].mean()
    return pd.concat([todo[is_long].sort_values("n_frames", ascending=False), todo[~is_long]])


def extraction_report(
    table: ClipTable, clip_index: pd.DataFrame, todo: pd.DataFrame
) -> dict[str, Any]:
    """Account for every usable clip: extracted now or before, rejected, or without a row.

    Returns:
        done and skipped (counts), rejected (clip_id → reason), missing (class → clip_ids),
        seconds (workers' time of what was done now) and bytes (stored pictures).
    """
    rows = table.info().set_index("clip_id")
    asked = clip_index.loc[clip_index["status"] == "ok"].set_index("clip_id")
    rows = rows.loc[rows.index.intersection(asked.index)]
    new = rows.loc[rows.index.intersection(todo["clip_id"])]
    bad = rows[rows["status"] != "ok"]
    missing = asked.loc[asked.index.difference(rows.index)]
    return {
        "done": int((new["status"] == "ok").sum()),
        "skipped": len(asked) - len(todo),
        "rejected": bad["reason"].to_dict(),
        "missing": {str(label): sorted(clips.index) for label, clips in missing.groupby("label")},
        "seconds": round(float(new["seconds"].sum()), 3),
        "bytes": int(rows["n_bytes"].sum()),
    }
