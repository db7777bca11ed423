"""Tables of results."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

METRICS = [
    "top1",
    "top1_low",
    "top1_high",
    "top5",
    "mean_class_accuracy",
    "mean_class_accuracy_low",
    "mean_class_accuracy_high",
    "log_loss",
    "brier",
    "ece",
    "n",
    "val_top1",
    "val_log_loss",
    "val_n",
]
COSTS = [
    "parameters",
    "gflops",
    "file_mb",
    "train_seconds",
    "ms_per_clip",
    "ms_per_clip_total",
    "memory_mb",
]
PROTOCOL = ["split", "seed", "views", "crops"]
VERDICT = ["compared_with", "gain", "gain_low", "gain_high", "p_holm", "verdict"]


def comparison_table(
    metrics: Mapping[str, Mapping[str, Any]],
    costs: Mapping[str, Mapping[str, Any]],
    protocols: Mapping[str, Mapping[str, Any]],
    pairs: Sequence[Mapping[str, Any]],
) -> pd.DataFrame:
    """Put the models below one another, in the order of `metrics`.

    Args:
        metrics: By model; `intervals` and `external` are looked at too.
        costs: By model; what is not known beforehand stands behind the known costs.
        protocols: By model.
        pairs: Comparisons as plain values; a model shows the first it is the better side of.

    Returns:
        One row a model: model, kind (measured or external), the test metrics with intervals and
        n, those of validation that matter, costs (gflops of a view), protocol, and what it was
        compared with; null where unknown.
    """
    further = sorted({name for cost in costs.values() for name in cost} - set(COSTS))
    verdicts: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        verdicts.setdefault(pair["model"], _verdict(pair))
    rows = [
        {"model": model, "kind": "external" if found.get("external") else "measured"}
        | {name: found.get(name) for name in METRICS}
        | _ends(found.get("intervals", {}))
        | {name: costs.get(model, {}).get(name) for name in [*COSTS, *further]}
        | {name: protocols.get(model, {}).get(name) for name in PROTOCOL}
        | verdicts.get(model, {})
        for model, found in metrics.items()
    ]
    columns = ["model", "kind", *METRICS, *COSTS, *further, *PROTOCOL, *VERDICT]
    table = pd.DataFrame(rows, columns=columns)
    counts = dict.fromkeys(["n", "val_n", "parameters", "split", "seed", "views"], "Int64")
    measures = dict.fromkeys([*METRICS, *COSTS, *VERDICT[1:-1]], "float64")
    return table.astype(measures | counts)


def _ends(intervals: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    return {
        f"{name}_{end}": interval[end]
        for name, interval in intervals.items()
        for end in ("low", "high")
    }


def _verdict(pair: Mapping[str, Any]) -> dict[str, Any]:
    gain = pair["gain"]
    return {
        "compared_with": pair["against"],
        "gain": gain["estimate"],
        "gain_low": gain["low"],
        "gain_high": gain["high"],
        "p_holm": pair["p_holm"],
        "verdict": pair["sentence"],
    }
