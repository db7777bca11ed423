"""Judge all models on the same clips, and say which differences are real."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.calibration import calibration
from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.intervals import LEVEL, share_intervals
from hmdb_kedro.evaluation.metrics import classification_metrics, top_k_hits
from hmdb_kedro.evaluation.protocol import newest_runs, summarise_runs
from hmdb_kedro.evaluation.scores import (
    BASELINE,
    EXTERNAL,
    MEASURED,
    part,
    sources_of_test,
    unstacked,
)
from hmdb_kedro.evaluation.significance import ALPHA, compare_models
from hmdb_kedro.params import FUSED, DataPrepParams, TwoStreamParams
from hmdb_kedro.reporting.figures import comparison_figure
from hmdb_kedro.reporting.published import published_figures
from hmdb_kedro.reporting.tables import comparison_table
from hmdb_kedro.runs import ScoredRun

V1, V2 = "cnn3d_v1", "cnn3d_v2"
_UNDECLARED = (
    f"{FUSED} against its best stream: left out. Without validation clips, the test clips alone "
    "could choose that stream. Name a pair in two_stream.comparisons before you look."
)


def evaluate_models(
    compared_scores: pd.DataFrame,
    scores_report: dict[str, Any],
    fusion: dict[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the metrics of every model on test clips, and as val_… on validation clips.

    `intervals` holds those of top1 and mean_class_accuracy, by source video. `two_stream` also
    tells its gain in top1 over its best stream, which is chosen on validation clips (top1, then
    log loss), or where there are none by log loss on test clips. `not_scored` names the clips
    that a model lacks and that are therefore left out for all; a model of another tool is marked
    `external`.
    """
    clusters = Clusters.of(sources_of_test(compared_scores))
    outside = set(unstacked(compared_scores, [EXTERNAL]))
    metrics = {}
    for model, table in unstacked(compared_scores).items():
        found = _model_metrics(table) | {"not_scored": scores_report["not_scored"].get(model, [])}
        found["intervals"] = _intervals(table, clusters)
        metrics[model] = found | ({"external": True} if model in outside else {})
    metrics[FUSED] |= _gain(metrics, fusion["streams"])
    return metrics


def compare_pairs(
    compared_scores: pd.DataFrame,
    metrics: dict[str, dict[str, Any]],
    params: TwoStreamParams,
    seed: int,
) -> dict[str, Any]:
    """Test the declared pairs: fusion against its best stream, v2 against v1, and the user's.

    Without validation clips, only the test clips could say which stream is best: a pair chosen by
    what it is tested on is no declared one, and is left out.

    Returns:
        alpha, level, draws, correction, best_stream_chosen_by, `pairs`, each with its gain,
        interval, p values, clips_needed and a sentence; and `left_out`, sentences.

    Raises:
        UserError: A pair names a model that has no scores.
    """
    tables = unstacked(compared_scores, [MEASURED, EXTERNAL, BASELINE])
    is_declared = metrics[FUSED]["val_n"] > 0
    always = [(FUSED, metrics[FUSED]["best_stream"])] if is_declared else []
    pairs = [*always, (V2, V1), *params.comparisons]
    unknown = sorted({model for pair in pairs for model in pair} - set(tables))
    if unknown:
        raise UserError(
            f"`two_stream.comparisons` names models without scores. Received: "
            f"{', '.join(unknown)}. Known: {', '.join(tables)}."
        )
    hits = {model: top_k_hits(*part(table, "test"), 1) for model, table in tables.items()}
    sources = sources_of_test(compared_scores)
    unique = list(dict.fromkeys(pairs))
    found = compare_models(hits, unique, sources, draws=params.draws, seed=seed)
    return {
        "alpha": ALPHA,
        "level": LEVEL,
        "draws": params.draws,
        "correction": "Holm",
        "primary_test": "sign-flip permutation by source video",
        "best_stream_chosen_by": metrics[FUSED]["best_stream_chosen_by"],
        "pairs": [comparison.to_json() for comparison in found],
        "left_out": [] if is_declared else [_UNDECLARED],
    }


def tabulate_models(
    metrics: dict[str, dict[str, Any]],
    comparisons: dict[str, Any],
    data_prep: DataPrepParams,
    **entries: dict[str, Any],
) -> tuple[pd.DataFrame, go.Figure, pd.DataFrame]:
    """Return all that tells the models apart as a table and a figure, and published figures.

    Args:
        metrics: What `evaluate_models` returned.
        comparisons: What `compare_pairs` returned.
        data_prep: Says whether the set is HMDB51, which the published figures are about.
        **entries: `<model>_cost` and `<model>_protocol`.
    """
    costs = {model: entries.get(f"{model}_cost", {}) for model in metrics}
    protocols = {model: entries.get(f"{model}_protocol", {}) for model in metrics}
    table = comparison_table(metrics, costs, protocols, comparisons["pairs"])
    published = published_figures()
    shown = published if data_prep.expect == "hmdb51" else published.head(0)
    return table, comparison_figure(table, shown), published


def summarise_protocol(
    protocol_runs: list[ScoredRun],
    _fused: dict[str, Any],
    params: TwoStreamParams,
    seed: int,
) -> dict[str, Any]:
    """Sum up all runs over splits and seeds under the settings of the newest ones.

    Args:
        protocol_runs: All that is stored.
        _fused: The protocol of this run's fusion: it must be stored before the runs are read.
        params: The declared comparisons, and the draws.
        seed: Of the draws.

    Returns:
        See `summarise_runs`.
    """
    runs = newest_runs(protocol_runs)
    return summarise_runs(runs, params.comparisons, draws=params.draws, seed=seed)


def measure_calibration(compared_scores: pd.DataFrame, seed: int) -> dict[str, Any]:
    """Return by model what tells how well it knows its own doubt on test clips."""
    return {
        model: calibration(*part(table, "test"), seed=seed)
        for model, table in unstacked(compared_scores).items()
    }


def _model_metrics(scores: pd.DataFrame) -> dict[str, Any]:
    test, val = part(scores, "test"), part(scores, "val")
    if not len(val[1]):
        return classification_metrics(*test) | {"val_n": 0}
    val_metrics = classification_metrics(*val)
    return classification_metrics(*test) | {f"val_{key}": v for key, v in val_metrics.items()}


def _intervals(table: pd.DataFrame, clusters: Clusters) -> dict[str, Any]:
    probabilities, labels = part(table, "test")
    hits = top_k_hits(probabilities, labels, 1)
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.bincount(classes)
    # Weights that make the mean over clips the mean over classes.
    weights = len(hits) / (len(counts) * counts[classes])
    top1, class_mean = share_intervals(
        np.stack([hits, hits], axis=1), clusters, np.stack([np.ones(len(hits)), weights], axis=1)
    )
    return {"top1": top1.to_json(), "mean_class_accuracy": class_mean.to_json()}


def _gain(metrics: dict[str, dict[str, Any]], streams: list[str]) -> dict[str, Any]:
    by_validation = metrics[FUSED]["val_n"] > 0

    def rank(stream: str) -> tuple[float, float]:
        found = metrics[stream]
        if by_validation:
            return found["val_top1"], -found["val_log_loss"]
        return -found["log_loss"], 0.0

    best = max(streams, key=rank)
    return {
        "best_stream": best,
        "best_stream_chosen_by": "val_top1" if by_validation else "log_loss",
        "gain_over_best_stream": metrics[FUSED]["top1"] - metrics[best]["top1"],
    }
