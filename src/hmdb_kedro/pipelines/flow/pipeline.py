"""Wiring of the flow pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.extraction.wiring import extraction_nodes
from hmdb_kedro.pipelines.flow.motion import draw_flow_sheet, plot_motion_by_class
from hmdb_kedro.pipelines.flow.nodes import extract_flow, list_new_clips
from hmdb_kedro.pipelines.flow.quality import measure_flow_quality


def create_pipeline() -> Pipeline:
    """Extract the optical flow of the clips that are new, account for all, judge and show some."""
    nodes = [
        *extraction_nodes("flow", list_new_clips, extract_flow),
        Node(
            measure_flow_quality,
            inputs=["flow", "clip_index"],
            outputs="flow_quality",
            name="measure_flow_quality",
        ),
        Node(
            plot_motion_by_class,
            inputs=["flow", "clip_index"],
            outputs="motion_by_class",
            name="plot_motion",
        ),
        Node(
            draw_flow_sheet,
            inputs=["flow", "clip_index"],
            outputs="flow_sheet",
            name="draw_flow_sheet",
        ),
    ]
    return Pipeline(nodes, tags=["flow"])
