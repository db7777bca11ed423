"""What several splits and seeds say together: means, spreads, and paired comparisons.

The test parts of the splits may share clips, so splits are never taken for independent: the
correctness of a clip is averaged over the seeds first, then the clips of all splits are pooled and
drawn by source video.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.intervals import LEVEL, share_intervals
from hmdb_kedro.evaluation.metrics import log_loss, mean_class_accuracy, top_k_hits
from hmdb_kedro.evaluation.scores import part
from hmdb_kedro.evaluation.significance import ALPHA, TRAINED_MODEL, compare_models
from hmdb_kedro.params import FUSED
from hmdb_kedro.runs import ScoredRun, fused_settings_key

logger = logging.getLogger(__name__)
BEST = "best_stream"
NO_RUNS = "No run has stored scores of test clips beside the settings they were made under."
# Fusion against the best of its streams, v2 against v1.
PAIRS = ((FUSED, BEST), ("cnn3d_v2", "cnn3d_v1"))
_PART, _RUN = ["data_set", "split"], ["data_set", "split", "seed"]
_CLIP = [*_PART, "clip_id"]


def newest_runs(runs: Iterable[ScoredRun]) -> list[ScoredRun]:
    """Return the runs that go together: of each split and seed the newest, under the same settings.

    The settings are those of a model's newest run; runs of others are left out.

    Args:
        runs: All that is stored.
    """
    ordered = sorted(runs, key=lambda run: run.version)
    current = {(run.data_set, run.model): run.protocol["settings_key"] for run in ordered}
    newest = {
        (run.model, run.data_set, run.split, run.seed): run
        for run in ordered
        if run.protocol["settings_key"] == current[run.data_set, run.model]
    }
    return [newest[key] for key in sorted(newest)]


def summarise_runs(
    runs: Sequence[ScoredRun], pairs: Iterable[tuple[str, str]], *, draws: int, seed: int
) -> dict[str, Any]:
    """Sum up the runs of several splits and seeds under the same settings.

    Args:
        runs: At most one for each model, data set, split and seed; see `newest_runs`. Those without
            a test clip are left out.
        pairs: What is compared beside `PAIRS`; pairs of which a model has no runs are left out.
        draws: Of the bootstrap and the permutation test.
        seed: Of both.

    Returns:
        about (one trained model a split, or a design), splits, seeds and data_sets; `models`, each
        with the mean of the splits (top1, mean_class_accuracy), sd_over_splits, sd_over_seeds (in
        a split), `pooled` (top1 over all clips with its interval by source), by_split and runs;
        `comparisons` (as those of one run, with gain_by_run); best_stream: how often each stream
        was the best of validation, of the runs that have validation clips.

    Raises:
        UserError: Scores hold a clip that the index does not know.
    """
    runs = [run for run in runs if _has_test_clips(run)]
    if not runs:
        return {"models": {}, "reason": NO_RUNS}
    hits = pd.concat([_hits(run) for run in runs], ignore_index=True)
    best = _best_streams(runs)
    streams = [hits[_matches(hits, run)].assign(model=BEST) for run in best]
    figures = pd.DataFrame([_figures(run) for run in runs])
    models = {
        str(model): _summary(hits[hits["model"] == model], rows)
        for model, rows in figures.groupby("model", sort=True)
    }
    return {
        "about": _about(figures),
        "splits": sorted({run.split for run in runs}),
        "seeds": sorted({run.seed for run in runs}),
        "data_sets": sorted({run.data_set for run in runs}),
        "models": models,
        "best_stream": {
            name: sum(run.model == name for run in best)
            for name in sorted({run.model for run in best})
        },
        "comparisons": _comparisons(
            pd.concat([hits, *streams], ignore_index=True), pairs, draws, seed
        ),
    }


def _has_test_clips(run: ScoredRun) -> bool:
    found = bool((run.load_scores()["partition"] == "test").any())
    if not found:
        logger.warning(
            "%s (split %d, seed %d) has no test clip: left out.", run.model, run.split, run.seed
        )
    return found


def _hits(run: ScoredRun) -> pd.DataFrame:
    """Return one row a test clip: what it is, its source, and how right the model was."""
    scores = run.load_scores()
    probabilities, labels = part(scores, "test")
    clips = scores.loc[scores["partition"] == "test", "clip_id"]
    sources = clips.map(run.sources)
    if sources.isna().any():
        raise UserError(
            f"Scores of `{run.model}` (split {run.split}, seed {run.seed}) hold clips that "
            f"`clip_index` does not know. Received: {clips[sources.isna()].iloc[0]}. Run again."
        )
    return pd.DataFrame(
        {
            "model": run.model,
            "data_set": run.data_set,
            "split": run.split,
            "seed": run.seed,
            "clip_id": clips.to_numpy(),
            "source": (run.data_set + "/" + sources).to_numpy(),
            "hit": top_k_hits(probabilities, labels, 1),
        }
    )


def _figures(run: ScoredRun) -> dict[str, Any]:
    probabilities, labels = part(run.load_scores(), "test")
    return {
        "model": run.model,
        "data_set": run.data_set,
        "split": run.split,
        "seed": run.seed,
        "version": run.version,
        "n": len(labels),
        "top1": float(top_k_hits(probabilities, labels, 1).mean()),
        "mean_class_accuracy": mean_class_accuracy(probabilities, labels),
    }


def _summary(hits: pd.DataFrame, figures: pd.DataFrame) -> dict[str, Any]:
    by_split = figures.groupby(_PART)[["top1", "mean_class_accuracy"]].mean()
    clips = hits.groupby(_CLIP).agg(hit=("hit", "mean"), source=("source", "first"))
    clusters = Clusters.of(clips["source"].to_numpy(dtype=str))
    (pooled,) = share_intervals(clips["hit"].to_numpy()[:, None], clusters)
    return {
        "top1": float(by_split["top1"].mean()),
        "mean_class_accuracy": float(by_split["mean_class_accuracy"].mean()),
        "sd_over_splits": _deviation(by_split["top1"]),
        "sd_over_seeds": _deviation_within(figures, "top1"),
        "pooled": pooled.to_json(),
        "n_splits": len(by_split),
        "n_seeds": _fewest_seeds(figures, _PART),
        "by_split": by_split.reset_index().to_dict("records"),
        "runs": figures.drop(columns="model").to_dict("records"),
    }


def _comparisons(
    hits: pd.DataFrame, pairs: Iterable[tuple[str, str]], draws: int, seed: int
) -> dict[str, Any]:
    known = set(hits["model"])
    declared = list(dict.fromkeys((*PAIRS, *pairs)))
    asked = [pair for pair in declared if known.issuperset(pair)]
    shared = hits[hits["model"].isin({model for pair in asked for model in pair})]
    # One row a clip, split and seed that all of them have scored; a column a model.
    table = shared.pivot(index=[*_RUN, "clip_id", "source"], columns="model", values="hit")
    table = table.dropna().reset_index()
    found = []
    if len(table):
        clips = table.groupby([*_CLIP, "source"]).mean(numeric_only=True).reset_index()
        compared = compare_models(
            {model: clips[model].to_numpy() for pair in asked for model in pair},
            asked,
            clips["source"].to_numpy(dtype=str),
            draws=draws,
            seed=seed,
            about=_claim(table),
        )
        found = [c.to_json() | _gain_by_run(table, c.model, c.against) for c in compared]
    return {
        "alpha": ALPHA,
        "level": LEVEL,
        "draws": draws,
        "correction": "Holm",
        "n_runs": len(table[_RUN].drop_duplicates()),
        "left_out": [list(pair) for pair in declared if pair not in asked],
        "pairs": found,
    }


def _gain_by_run(table: pd.DataFrame, model: str, against: str) -> dict[str, Any]:
    gains = (table[model] - table[against]).groupby([table[name] for name in _RUN]).mean()
    runs = gains.rename("gain").reset_index()
    return {
        "gain_by_run": runs.to_dict("records"),
        "sd_over_splits": _deviation(runs.groupby(_PART)["gain"].mean()),
        "sd_over_seeds": _deviation_within(runs, "gain"),
    }


def _best_streams(runs: Sequence[ScoredRun]) -> list[ScoredRun]:
    """Return for each fused run the stream that validation chose, as in a run of its own.

    A run without validation clips has none: only the test part could choose. Nor has one that was
    made of streams under other settings than these.
    """
    by_key = {(run.model, run.data_set, run.split, run.seed): run for run in runs}
    best: list[ScoredRun] = []
    for fused in (run for run in runs if run.model == FUSED):
        keys = [
            (name, fused.data_set, fused.split, fused.seed) for name in fused.protocol["streams"]
        ]
        if all(key in by_key for key in keys):
            best += _best_of(fused, [by_key[key] for key in keys])
    return best


def _best_of(fused: ScoredRun, streams: Sequence[ScoredRun]) -> list[ScoredRun]:
    made_of = fused_settings_key(fused.protocol, [stream.protocol for stream in streams])
    parts = [part(stream.load_scores(), "val") for stream in streams]
    if fused.protocol["settings_key"] != made_of or not all(len(labels) for _, labels in parts):
        return []
    ranks = [_rank(*val) for val in parts]
    return [streams[ranks.index(max(ranks))]]


def _rank(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    right = top_k_hits(probabilities, labels, 1).mean()
    return float(right), -log_loss(probabilities, labels)


def _matches(rows: pd.DataFrame, run: ScoredRun) -> "pd.Series[bool]":
    given = {name: getattr(run, name) for name in ("model", *_RUN)}
    found: pd.Series[bool] = (rows[list(given)] == pd.Series(given)).all(axis=1)
    return found


def _about(runs: pd.DataFrame) -> str:
    # By model: seeds of another model say nothing of how this one varies.
    seeds = _fewest_seeds(runs, ["model", *_PART])
    return "design" if seeds > 1 else "one trained model a split"


def _claim(runs: pd.DataFrame) -> str:
    seeds = _fewest_seeds(runs, _PART)  # a row is of all the models compared
    if seeds < 2:
        return TRAINED_MODEL
    return (
        f"For the design: {seeds} trainings a split, averaged clip by clip; how they vary stands "
        "beside it (sd_over_seeds)."
    )


def _fewest_seeds(runs: pd.DataFrame, by: list[str]) -> int:
    return int(runs.groupby(by)["seed"].nunique().min())


def _deviation(values: "pd.Series[float]") -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _deviation_within(runs: pd.DataFrame, name: str) -> float | None:
    """Return the standard deviation over the seeds of a split, pooled over splits."""
    variances = runs.groupby(_PART)[name].var(ddof=1).dropna()
    return float(np.sqrt(variances.mean())) if len(variances) else None
