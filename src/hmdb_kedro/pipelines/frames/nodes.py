"""Nodes of the frames pipeline."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa

from hmdb_kedro.params import FramesParams, settings_hash
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.extract import FRAMES_SETTINGS, frames_row, frames_schema
from hmdb_kedro.video.increments import clips_to_do, extract_rows, rows_table


def list_new_clips(
    clip_index: pd.DataFrame, progress: pd.DataFrame, params: FramesParams
) -> pd.DataFrame:
    """List the clips whose frames are not stored yet with these settings."""
    return clips_to_do(clip_index, progress, settings_hash(params, FRAMES_SETTINGS))


def extract_frames(
    raw_videos: ClipFolder, todo: pd.DataFrame, params: FramesParams
) -> Iterator[pa.Table]:
    """Extract the RGB frames of every new clip, one committed batch at a time."""
    extract = partial(frames_row, params=params)
    for rows in extract_rows(todo, raw_videos, extract, params):
        yield rows_table(rows, frames_schema(params))
