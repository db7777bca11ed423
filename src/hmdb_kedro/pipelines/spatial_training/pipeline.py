"""Wiring of the spatial_training pipeline."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.pipelines.spatial_training.nodes import compute_features, train_spatial
from hmdb_kedro.reporting.curves import plot_curves
from hmdb_kedro.training.wiring import score_node, train_node


def create_pipeline() -> Pipeline:
    """Compute the features that are new, train the spatial stream in two phases, score it."""
    features = Node(
        compute_features,
        inputs=[
            "clip_index",
            "frames",
            "features_progress",
            "pretrained_weights",
            "params:spatial",
            "params:seed",
        ],
        outputs="features",
        name="compute_features",
        confirms="features",
    )
    train = train_node(train_spatial, "spatial", "frames", "features")
    curves = Node(plot_curves, inputs="history", outputs="curves", name="plot_curves")
    return Pipeline(
        [features, train, curves, score_node("frames")],
        namespace="spatial",
        inputs={"clip_index", "frames", "pretrained_weights", "epoch_log"},
        parameters={"params:spatial", "params:seed", "params:split", "params:data_prep"},
        tags=["rgb"],
    )
