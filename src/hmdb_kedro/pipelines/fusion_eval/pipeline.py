"""The wiring of fusion_eval."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.params import MODELS
from hmdb_kedro.pipelines.fusion_eval.fusing import add_costs, fit_fusion, fuse_streams
from hmdb_kedro.pipelines.fusion_eval.nodes import (
    FUSED,
    compare_models,
    evaluate_models,
    plot_confusions,
)


def create_pipeline(**_: Any) -> Pipeline:
    """Fuse the streams, then evaluate and compare all five models."""
    return Pipeline([_fusion(), _evaluation()], tags="evaluation")


def _fusion() -> Pipeline:
    scores, costs = _entries(MODELS, "scores"), _entries(MODELS, "cost")
    params = {"params": "params:two_stream"}
    nodes = [
        Node(
            fit_fusion,
            {"clip_index": "clip_index", **params, **scores},
            ["fusion", "rules"],
            name="fit",
        ),
        Node(fuse_streams, {"fusion": "fusion", **scores}, "scores", name="fuse"),
        Node(add_costs, {**params, **costs}, "cost", name="add_costs"),
    ]
    return Pipeline(
        nodes,
        namespace=FUSED,
        inputs={"clip_index", *scores.values(), *costs.values()},
        parameters={"params:two_stream"},
    )


def _evaluation() -> Pipeline:
    models = (*MODELS, FUSED)
    nodes = [
        Node(evaluate_models, _entries(models, "scores"), "metrics", name="evaluate"),
        Node(
            compare_models,
            {"metrics": "metrics", **_entries(models, "cost")},
            ["model_comparison", "model_comparison_figure"],
            name="compare",
        ),
        Node(
            plot_confusions,
            _entries(models, "scores"),
            "confusion_matrices",
            name="plot_confusions",
        ),
    ]
    return Pipeline(nodes)


def _entries(models: tuple[str, ...], entry: str) -> dict[str, str]:
    return {model: f"{model}.{entry}" for model in models}
