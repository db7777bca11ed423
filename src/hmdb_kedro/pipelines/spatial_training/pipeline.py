"""Wiring of the spatial_training pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.pipelines.spatial_training.nodes import train_spatial
from hmdb_kedro.training.wiring import score_node


def create_pipeline() -> Pipeline:
    """Train the spatial stream on single frames, then score it."""
    train = Node(
        train_spatial,
        inputs=[
            "clip_index",
            "frames",
            "pretrained_weights",
            "params:spatial",
            "params:seed",
            "epoch_log",
            "checkpoint",
        ],
        outputs=["model", "history"],
        confirms="checkpoint",
        name="train",
    )
    return Pipeline(
        [train, score_node("frames")],
        namespace="spatial",
        inputs={"clip_index", "frames", "pretrained_weights", "epoch_log"},
        parameters={"params:spatial", "params:seed", "params:split"},
        tags=["rgb"],
    )
