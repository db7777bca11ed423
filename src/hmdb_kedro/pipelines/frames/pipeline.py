"""Wiring of the frames pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.extraction.wiring import extraction_nodes
from hmdb_kedro.pipelines.frames.nodes import extract_frames, list_new_clips
from hmdb_kedro.pipelines.frames.sheet import draw_frames_sheet


def create_pipeline() -> Pipeline:
    """Extract the RGB frames of the clips that are new, account for all, show some."""
    nodes = [
        *extraction_nodes("frames", list_new_clips, extract_frames),
        Node(
            draw_frames_sheet,
            inputs=["frames", "clip_index"],
            outputs="frames_sheet",
            name="draw_frames_sheet",
        ),
    ]
    return Pipeline(nodes, tags=["rgb"])
