"""Nodes of the flow pipeline."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa

from hmdb_kedro.extraction.increments import clips_to_do, extract_rows
from hmdb_kedro.extraction.rows import flow_row, flow_schema
from hmdb_kedro.params import FlowParams
from hmdb_kedro.video.clips import ClipFolder


def list_new_clips(
    clip_index: pd.DataFrame, progress: pd.DataFrame, params: FlowParams
) -> pd.DataFrame:
    """List the clips whose optical flow is not stored yet with these settings."""
    return clips_to_do(clip_index, progress, params)


def extract_flow(
    raw_videos: ClipFolder, todo: pd.DataFrame, params: FlowParams
) -> Iterator[pa.Table]:
    """Extract the optical flow of every new clip, one committed batch at a time."""
    extract = partial(flow_row, params=params)
    yield from extract_rows(todo, raw_videos, extract, flow_schema(params), params, "flow")
