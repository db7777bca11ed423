"""Wiring of the temporal_training pipeline: a namespace a model, all wired alike."""

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.params import Cnn3dParams, TemporalParams, models_of
from hmdb_kedro.pipelines.temporal_training.motion import measure_motion
from hmdb_kedro.pipelines.temporal_training.nodes import (
    score_on_one_frame,
    score_without_motion,
    train_on_flow,
    train_on_frames,
)
from hmdb_kedro.reporting.curves import plot_curves
from hmdb_kedro.training.wiring import score_node, train_node


def create_pipeline() -> Pipeline:
    """Train and score the 3D CNNs on RGB frames and the temporal stream on flow."""
    on_frames = [_on_frames(model) for model in models_of(Cnn3dParams)]
    on_flow = [_on_flow(model) for model in models_of(TemporalParams)]
    return Pipeline([*on_frames, *on_flow, _motion()])


def _on_frames(model: str) -> Pipeline:
    train = train_node(train_on_frames, model, "frames")
    ablate = Node(
        score_on_one_frame,
        inputs=["model", "clip_index", "frames"],
        outputs="ablation_scores",
        name="ablate",
    )
    return Pipeline(
        [train, _curves(), score_node("frames"), ablate],
        namespace=model,
        inputs={"clip_index", "frames", "pretrained_weights", "epoch_log"},
        parameters={f"params:{model}", "params:seed", "params:split", "params:data_prep"},
        tags=["rgb"],
    )


def _on_flow(model: str) -> Pipeline:
    train = train_node(train_on_flow, model, "flow")
    ablate = Node(
        score_without_motion,
        inputs=["model", "clip_index", "flow", "raw_videos", "params:flow", "params:seed"],
        outputs="ablation_scores",
        name="ablate",
    )
    return Pipeline(
        [train, _curves(), score_node("flow"), ablate],
        namespace=model,
        inputs={"clip_index", "flow", "raw_videos", "pretrained_weights", "epoch_log"},
        parameters={
            f"params:{model}",
            "params:flow",
            "params:seed",
            "params:split",
            "params:data_prep",
        },
        tags=["flow"],
    )


def _curves() -> Node:
    return Node(plot_curves, inputs="history", outputs="curves", name="plot_curves")


def _motion() -> Pipeline:
    measure = Node(
        measure_motion,
        inputs=["clip_index", "flow"],
        outputs="motion_by_clip",
        name="measure_motion",
    )
    return Pipeline([measure], tags=["flow"])
