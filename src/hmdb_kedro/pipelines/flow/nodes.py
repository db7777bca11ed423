"""Nodes of the flow pipeline."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa

from hmdb_kedro.params import FlowParams, settings_hash
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.extract import FLOW_SETTINGS, flow_row, flow_schema
from hmdb_kedro.video.increments import clips_to_do, extract_rows, rows_table


def list_new_clips(
    clip_index: pd.DataFrame, progress: pd.DataFrame, params: FlowParams
) -> pd.DataFrame:
    """List the clips whose flow are not stored yet with these settings."""
    return clips_to_do(clip_index, progress, settings_hash(params, FLOW_SETTINGS))


def extract_flow(
    raw_videos: ClipFolder, todo: pd.DataFrame, params: FlowParams
) -> Iterator[pa.Table]:
    """Extract the optical flow of every new clip, one committed batch at a time."""
    extract = partial(flow_row, params=params)
    for rows in extract_rows(todo, raw_videos, extract, params):
        yield rows_table(rows, flow_schema(params))
