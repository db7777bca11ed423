"""Wiring of the frames pipeline."""

from kedro.pipeline import Pipeline

from hmdb_kedro.extraction.wiring import extraction_nodes
from hmdb_kedro.pipelines.frames.nodes import extract_frames, list_new_clips


def create_pipeline() -> Pipeline:
    """Extract the RGB frames of the clips that are new, then account for all."""
    return Pipeline(extraction_nodes("frames", list_new_clips, extract_frames), tags=["rgb"])
