"""Wiring of the flow pipeline."""

from kedro.pipeline import Pipeline

from hmdb_kedro.extraction.wiring import extraction_nodes
from hmdb_kedro.pipelines.flow.nodes import extract_flow, list_new_clips


def create_pipeline() -> Pipeline:
    """Extract the optical flow of the clips that are new, then account for all."""
    return Pipeline(extraction_nodes("flow", list_new_clips, extract_flow), tags=["flow"])
