"""Wiring of the flow pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.pipelines.flow.nodes import extract_flow, list_new_clips
from hmdb_kedro.video.increments import extraction_report


def create_pipeline() -> Pipeline:
    """Extract the optical flow of the clips that are new, then account for all."""
    return Pipeline(
        [
            Node(
                list_new_clips,
                inputs=["clip_index", "flow_progress", "params:flow"],
                outputs="flow_todo",
                name="list_new_flow",
            ),
            Node(
                extract_flow,
                inputs=["raw_videos", "flow_todo", "params:flow"],
                outputs="flow",
                name="extract_flow",
                confirms="flow",
            ),
            Node(
                extraction_report,
                inputs=["flow", "clip_index", "flow_todo"],
                outputs="flow_report",
                name="report_flow",
            ),
        ],
        tags=["flow"],
    )
