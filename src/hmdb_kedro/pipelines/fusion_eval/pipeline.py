"""The wiring of fusion_eval."""

from typing import Any

from kedro.pipeline import Node, Pipeline

from hmdb_kedro.params import FUSED, MODELS, StackParams, models_of
from hmdb_kedro.pipelines.fusion_eval.checking import check_evaluation
from hmdb_kedro.pipelines.fusion_eval.contributing import (
    measure_ablations,
    measure_contribution,
    measure_gains,
)
from hmdb_kedro.pipelines.fusion_eval.drawing import (
    plot_classes,
    plot_confusions,
    plot_contribution,
    plot_reliability,
)
from hmdb_kedro.pipelines.fusion_eval.evaluating import (
    compare_pairs,
    evaluate_models,
    measure_calibration,
    summarise_protocol,
    tabulate_models,
)
from hmdb_kedro.pipelines.fusion_eval.fusing import (
    add_costs,
    describe_fusion,
    fit_fusion,
    fuse_streams,
    judge_rules,
)
from hmdb_kedro.pipelines.fusion_eval.gathering import gather_scores
from hmdb_kedro.pipelines.fusion_eval.hardest import show_hardest_clips
from hmdb_kedro.pipelines.fusion_eval.writing import write_report

ALL = (*MODELS, FUSED)
ABLATED = models_of(StackParams)
_FUSION = "two_stream.fusion"
# What the report is written from: entries of a finished run, by the name the node knows them by.
_REPORTED = (
    "eda_summary",
    "data_prep_report",
    "frames_report",
    "flow_report",
    "scores_report",
    "evaluation_checks",
    "metrics",
    "comparisons",
    "calibration",
    "model_comparison",
    "published_figures",
    "fusion_rules",
    "stream_contribution",
    "ablations",
    "hardest_clips",
    "clips_by_class",
    "confusion_matrices",
)
_REPORTED_FIGURES = (
    "accuracy_by_class",
    "reliability",
    "stream_overlap",
    "fusion_weight",
    "gain_by_group",
)
_SEED, _PARAMS = "params:seed", "params:two_stream"


def create_pipeline(**_: Any) -> Pipeline:
    """Fuse the streams; judge and compare all models, say what each stream brings, report it."""
    parts = [_fusion(), _evaluation(), _contribution(), _figures(), _report()]
    return Pipeline(parts, tags="evaluation")


def _fusion() -> Pipeline:
    scores, costs = _entries(MODELS, "scores"), _entries(MODELS, "cost")
    protocols = _entries(MODELS, "protocol", "_protocol")
    params, external = {"params": _PARAMS}, "external_scores"
    nodes = [
        Node(
            fit_fusion,
            {"clip_index": "clip_index", **params, **scores},
            ["fusion", "rules"],
            name="fit",
        ),
        Node(fuse_streams, {"fusion": "fusion", **scores}, "scores", name="fuse"),
        Node(
            describe_fusion,
            {"scores": "scores", external: external, **params, **protocols},
            "protocol",
            name="describe",
        ),
        Node(add_costs, {**params, **costs}, "cost", name="add_costs"),
    ]
    return Pipeline(
        nodes,
        namespace=FUSED,
        inputs={"clip_index", external, *scores.values(), *costs.values(), *protocols.values()},
        parameters={_PARAMS},
    )


def _evaluation() -> Pipeline:
    given = {"clip_index": "clip_index", "external_scores": "external_scores"}
    stored = _entries(ALL, "cost", "_cost") | _entries(MODELS, "protocol", "_protocol")
    nodes = [
        Node(
            gather_scores,
            {**given, **_entries(ALL, "scores")},
            ["compared_scores", "scores_report"],
            name="gather_scores",
        ),
        Node(
            judge_rules,
            ["two_stream.rules", _FUSION, "compared_scores"],
            "fusion_rules",
            name="judge_rules",
        ),
        Node(
            evaluate_models,
            ["compared_scores", "scores_report", _FUSION],
            "metrics",
            name="evaluate",
        ),
        Node(
            compare_pairs,
            ["compared_scores", "metrics", _PARAMS, _SEED],
            "comparisons",
            name="compare_pairs",
        ),
        Node(
            tabulate_models,
            {
                "metrics": "metrics",
                "comparisons": "comparisons",
                "data_prep": "params:data_prep",
                **stored,
            },
            ["model_comparison", "model_comparison_figure", "published_figures"],
            name="compare",
        ),
        Node(
            summarise_protocol,
            ["protocol_runs", "two_stream.protocol", _PARAMS, _SEED],
            "protocol_summary",
            name="summarise_protocol",
        ),
        Node(
            check_evaluation,
            ["compared_scores", "clip_index", "data_prep_report", _SEED],
            "evaluation_checks",
            name="check_evaluation",
        ),
        Node(
            measure_calibration,
            ["compared_scores", _SEED],
            "calibration",
            name="measure_calibration",
        ),
    ]
    return Pipeline(nodes)


def _contribution() -> Pipeline:
    shared = {"compared_scores": "compared_scores", "fusion": _FUSION}
    nodes = [
        Node(
            measure_contribution,
            ["compared_scores", _FUSION, "clip_index"],
            "stream_contribution",
            name="measure_contribution",
        ),
        Node(
            measure_ablations,
            {**shared, "seed": _SEED, **_entries(ABLATED, "ablation_scores")},
            "ablations",
            name="measure_ablations",
        ),
        Node(
            measure_gains,
            ["compared_scores", _FUSION, "clip_index", "motion_by_clip", _PARAMS, _SEED],
            "contribution_by_group",
            name="measure_gains",
        ),
    ]
    return Pipeline(nodes)


def _figures() -> Pipeline:
    nodes = [
        Node(
            plot_confusions,
            "compared_scores",
            "confusion_matrices",
            name="plot_confusions",
        ),
        Node(plot_classes, "compared_scores", "accuracy_by_class_figure", name="plot_classes"),
        Node(plot_reliability, "calibration", "reliability_figure", name="plot_reliability"),
        Node(
            plot_contribution,
            ["stream_contribution", "contribution_by_group"],
            ["stream_overlap_figure", "fusion_weight_figure", "gain_by_group_figure"],
            name="plot_contribution",
        ),
        Node(
            show_hardest_clips,
            ["frames_if_any", "compared_scores"],
            ["hardest_clips", "hardest_clips_figure"],
            name="show_hardest_clips",
        ),
    ]
    return Pipeline(nodes)


def _report() -> Pipeline:
    written_from = {
        "fusion": _FUSION,
        **{name: name for name in _REPORTED},
        **{name: f"{name}_figure" for name in _REPORTED_FIGURES},
        **_entries(MODELS, "protocol", "_protocol"),
    }
    node = Node(write_report, written_from, ["report", "model_card"], name="write_report")
    return Pipeline([node])


def _entries(models: tuple[str, ...], entry: str, suffix: str = "") -> dict[str, str]:
    return {f"{model}{suffix}": f"{model}.{entry}" for model in models}
