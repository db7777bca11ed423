"""Nodes of the frames pipeline."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa

from hmdb_kedro.extraction.increments import clips_to_do, extract_rows
from hmdb_kedro.extraction.rows import frames_row, frames_schema
from hmdb_kedro.params import FramesParams
from hmdb_kedro.video.clips import ClipFolder


def list_new_clips(
    clip_index: pd.DataFrame, progress: pd.DataFrame, params: FramesParams
) -> pd.DataFrame:
    """List the clips whose RGB frames are not stored yet with these settings."""
    return clips_to_do(clip_index, progress, params)


def extract_frames(
    raw_videos: ClipFolder, todo: pd.DataFrame, params: FramesParams
) -> Iterator[pa.Table]:
    """Extract the RGB frames of every new clip, one committed batch at a time."""
    extract = partial(frames_row, params=params)
    yield from extract_rows(todo, raw_videos, extract, frames_schema(params), params, "frames")
