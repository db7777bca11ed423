"""Wiring of the frames pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.pipelines.frames.nodes import extract_frames, list_new_clips
from hmdb_kedro.video.increments import extraction_report


def create_pipeline() -> Pipeline:
    """Extract the RGB frames of the clips that are new, then account for all."""
    return Pipeline(
        [
            Node(
                list_new_clips,
                inputs=["clip_index", "frames_progress", "params:frames"],
                outputs="frames_todo",
                name="list_new_frames",
            ),
            Node(
                extract_frames,
                inputs=["raw_videos", "frames_todo", "params:frames"],
                outputs="frames",
                name="extract_frames",
                confirms="frames",
            ),
            Node(
                extraction_report,
                inputs=["frames", "clip_index", "frames_todo"],
                outputs="frames_report",
                name="report_frames",
            ),
        ],
        tags=["rgb"],
    )
