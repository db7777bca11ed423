"""The wiring of data_prep."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.pipelines.data_prep.eda import (
    plot_annotations_by_class,
    plot_clips_by_class,
    plot_duration_by_class,
    plot_measures_by_class,
    summarise_clips,
)
from hmdb_kedro.pipelines.data_prep.index import build_clip_index
from hmdb_kedro.pipelines.data_prep.nodes import list_clips, report_data_prep, scan_clips


def create_pipeline(**_: Any) -> Pipeline:
    """List the clips, scan the new ones, index all, report and explore."""
    nodes = [
        Node(
            list_clips,
            ["raw_videos", "clip_index_progress", "raw_splits", "params:data_prep"],
            "clip_files",
            name="list",
        ),
        Node(
            scan_clips,
            ["raw_videos", "clip_files", "params:data_prep"],
            "clip_scan",
            name="scan",
            confirms="clip_scan",
        ),
        Node(
            build_clip_index,
            {
                "clip_scan": "clip_scan",
                "clip_files": "clip_files",
                "raw_splits": "raw_splits",
                "params": "params:data_prep",
                "split": "params:split",
                "seed": "params:seed",
            },
            "clip_index",
            name="index",
        ),
        Node(
            report_data_prep,
            [
                "clip_index",
                "clip_files",
                "clip_scan",
                "raw_splits",
                "params:data_prep",
                "params:split",
            ],
            "data_prep_report",
            name="report_data_prep",
        ),
        Node(summarise_clips, "clip_index", "eda_summary", name="summarise"),
        Node(plot_duration_by_class, "clip_index", "duration_by_class", name="plot_durations"),
        Node(plot_clips_by_class, "clip_index", "clips_by_class", name="plot_clips"),
        Node(plot_measures_by_class, "clip_index", "measures_by_class", name="plot_measures"),
        Node(
            plot_annotations_by_class,
            "clip_index",
            "annotations_by_class",
            name="plot_annotations",
        ),
    ]
    return Pipeline(nodes, tags="data")
