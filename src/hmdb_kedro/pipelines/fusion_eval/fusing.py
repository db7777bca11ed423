"""Combine the streams by a rule that validation clips fit, and choose where asked to."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.fitting import choose, fit_candidates
from hmdb_kedro.evaluation.fusion import FusionRule, acceptance_threshold, fuse
from hmdb_kedro.evaluation.intervals import share_intervals
from hmdb_kedro.evaluation.metrics import classification_metrics, top_k_hits
from hmdb_kedro.evaluation.scores import (
    KEYS,
    aligned,
    class_names,
    part,
    sources_of,
    sources_of_test,
    unstacked,
)
from hmdb_kedro.params import TwoStreamParams, hash_values
from hmdb_kedro.runs import fused_settings_key

logger = logging.getLogger(__name__)


def fit_fusion(
    clip_index: pd.DataFrame, params: TwoStreamParams, **scores: pd.DataFrame
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit every rule on validation clips, and take the one asked for or the one they choose.

    Args:
        clip_index: Says which source a clip was cut from.
        params: The streams, the rule asked for, and whether streams get temperatures.
        **scores: By model; those of `params.streams` are looked at.

    Returns:
        The rule at work as plain values, with the names of the streams in its order and the
        threshold that 95 % of validation clips reach, or null without any; and all rules, each with
        its log loss and accuracy on validation clips it was not fitted on.
    """
    tables = aligned({stream: scores[stream] for stream in params.streams})
    parts = [part(table, "val") for table in tables.values()]
    first = next(iter(tables.values()))
    sources = sources_of(first[first["partition"] == "val"], clip_index)
    probabilities, labels = [found for found, _ in parts], parts[0][1]
    candidates = fit_candidates(probabilities, labels, sources)
    rule = choose(candidates, params.rule, temperature=params.temperature, n_val=len(labels))
    if rule.fallback:
        logger.warning("Fusion by %s: %s.", rule.name, rule.fallback)
    about = {
        "streams": list(params.streams),
        "requested": params.rule,
        "classes": class_names(first),
        "n_val": len(labels),
    }
    threshold = acceptance_threshold(fuse(rule, probabilities))
    fusion = about | rule.to_json() | {"threshold": threshold}
    return fusion, about | {"rules": [found.to_json() for found in candidates]}


def fuse_streams(fusion: dict[str, Any], **scores: pd.DataFrame) -> pd.DataFrame:
    """Combine the streams' scores by a stored rule.

    Returns:
        A table like theirs, of the clips that every stream has scored.
    """
    tables = aligned({stream: scores[stream] for stream in fusion["streams"]})
    return fused_table(FusionRule.from_json(fusion), list(tables.values()))


def describe_fusion(
    scores: pd.DataFrame,
    external_scores: dict[str, pd.DataFrame],
    params: TwoStreamParams,
    **protocols: dict[str, Any],
) -> dict[str, Any]:
    """Return what the fused scores were made of, so that runs over splits and seeds are told apart.

    Args:
        scores: The fused scores.
        external_scores: What the evaluation compares with, by model.
        params: The streams and the rule asked for.
        **protocols: `<model>_protocol` of all models.

    Returns:
        As a stream's protocol: split, seed; streams, rule, temperature, n_val, n_test; run_key (of
        all models' runs and external scores) and settings_key, both only where the streams are of
        one split and seed.
    """
    streams = [protocols[f"{stream}_protocol"] for stream in params.streams]
    first = streams[0]
    found = {
        "split": first["split"],
        "seed": first["seed"],
        **params.model_dump(mode="json", include={"streams", "rule", "temperature"}),
        "n_val": int((scores["partition"] == "val").sum()),
        "n_test": int((scores["partition"] == "test").sum()),
    }
    of_one_run = all((p["split"], p["seed"]) == (first["split"], first["seed"]) for p in streams)
    if not of_one_run:
        logger.warning("The streams' scores are of several splits or seeds: no part of a protocol.")
    if not of_one_run or any("run_key" not in protocol for protocol in streams):
        return found
    keys = {name.removesuffix("_protocol"): p.get("run_key") for name, p in protocols.items()}
    return found | {
        "run_key": evaluation_key(params, keys, external_scores),
        "settings_key": fused_settings_key(found, streams),
    }


def evaluation_key(
    params: TwoStreamParams,
    run_keys: Mapping[str, str | None],
    external_scores: Mapping[str, pd.DataFrame],
) -> str:
    """Return 16 hex digits that change with all that an evaluation depends on.

    Args:
        params: Fusion and comparisons.
        run_keys: Of all models' scores.
        external_scores: Score tables of other tools, by model.
    """
    tables = {model: table.to_csv(index=False) for model, table in external_scores.items()}
    values = [params.model_dump(mode="json"), dict(run_keys)]
    # Without any, evaluations from before they counted are as good.
    return hash_values([*values, tables] if tables else values)


def fused_table(rule: FusionRule, tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the fused scores of aligned tables: their keys, one float32 column a class."""
    classes = class_names(tables[0])
    fused = fuse(rule, [table[classes].to_numpy() for table in tables]).astype(np.float32)
    return tables[0][KEYS].join(pd.DataFrame(fused, columns=classes))


def add_costs(params: TwoStreamParams, **costs: dict[str, float]) -> dict[str, float]:
    """Return what the streams cost together: sums, but of memory the largest.

    A figure that one of them lacks is left out.
    """
    found = [costs[stream] for stream in params.streams]
    common = [name for name in found[0] if all(name in cost for cost in found)]
    return {
        name: (max if "memory" in name else sum)(cost[name] for cost in found) for name in common
    }


def judge_rules(
    rules: dict[str, Any], fusion: dict[str, Any], compared_scores: pd.DataFrame
) -> pd.DataFrame:
    """Return how every rule does on test clips; the one at work was chosen before.

    Returns:
        A row a rule, with and without temperatures: rule (asked for), at_work (another where it
        fell back), temperature, is_chosen, val_log_loss and val_top1 (on folds it was not fitted
        on), top1 with top1_low and top1_high, mean_class_accuracy, log_loss, ece, fallback.
    """
    tables = unstacked(compared_scores)
    parts = [part(tables[stream], "test") for stream in rules["streams"]]
    probabilities, labels = [found for found, _ in parts], parts[0][1]
    clusters = Clusters.of(sources_of_test(compared_scores))
    chosen = replace(FusionRule.from_json(fusion), fallback=None)
    rows: list[dict[str, Any]] = []
    for found in rules["rules"]:
        rule = FusionRule.from_json(found["rule"])
        fused = fuse(rule, probabilities)
        metrics = classification_metrics(fused, labels)
        (top1,) = share_intervals(top_k_hits(fused, labels, 1)[:, None], clusters)
        is_first = not any(row["is_chosen"] for row in rows)
        rows.append(
            {
                "rule": found["asked"],
                "at_work": rule.name,
                "temperature": found["with_temperature"],
                "is_chosen": is_first and replace(rule, fallback=None) == chosen,
                "val_log_loss": found["val_log_loss"],
                "val_top1": found["val_top1"],
                "top1": top1.estimate,
                "top1_low": top1.low,
                "top1_high": top1.high,
                **{name: metrics[name] for name in ("mean_class_accuracy", "log_loss", "ece")},
                "fallback": rule.fallback,
            }
        )
    return pd.DataFrame(rows)
