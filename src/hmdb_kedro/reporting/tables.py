"""Tables of results."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

METRICS = [
    "top1",
    "top5",
    "mean_class_accuracy",
    "log_loss",
    "ece",
    "n",
    "val_top1",
    "val_log_loss",
    "val_n",
]
COSTS = ["parameters", "gflops", "train_seconds", "ms_per_clip"]


def comparison_table(
    metrics: Mapping[str, Mapping[str, Any]], costs: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Put the models below one another, in the order of `metrics`.

    Returns:
        One row a model: model, the test metrics and n, those of validation that matter, then
        parameters, gflops (a view), train_seconds and ms_per_clip; null where unknown.
    """
    rows = [
        {"model": model}
        | {name: found.get(name) for name in METRICS}
        | {name: costs.get(model, {}).get(name) for name in COSTS}
        for model, found in metrics.items()
    ]
    table = pd.DataFrame(rows, columns=["model", *METRICS, *COSTS])
    counts = dict.fromkeys(["n", "val_n", "parameters"], "Int64")
    measures = dict.fromkeys([*METRICS, *COSTS], "float64")
    return table.astype(measures | counts)
