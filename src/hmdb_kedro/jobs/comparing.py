"""Compare MLflow runs: what was set otherwise, and by how much their figures differ.

Intervals come from the score tables that the runs stored, not from MLflow's figures: two
accuracies alone do not say which clips were right.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from kedro.io import DatasetError
from mlflow.entities import Run

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.intervals import mean_intervals
from hmdb_kedro.evaluation.metrics import log_losses, top_k_hits
from hmdb_kedro.evaluation.scores import aligned, list_some, part, sources_of
from hmdb_kedro.evaluation.significance import holm, sign_flip_p
from hmdb_kedro.tracking.source import SCORES_VERSION

# From a catalog entry, the split of a run and a version to what is stored.
Load = Callable[[str, str, str], Any]

FIGURES = (
    *("test_top1", "test_top5", "test_mean_class_accuracy", "test_log_loss", "test_ece"),
    *("val_top1", "val_log_loss"),
    *("parameters", "gflops", "train_seconds", "ms_per_clip", "memory_mb"),
)
# Means over clips, hence with an interval where both runs' scores are found.
_BY_CLIP = ("test_top1", "test_top5", "test_log_loss")
_PARENT = "mlflow.parentRunId"
_VERSION = "run_id"  # kedro-mlflow's tag of the parent: the version that Kedro saved under
_TAGS = ("split", "seed", "env", "git_commit", "dirty")
_DATA_TAG = "data_version."
_SHORT_ID = 8
_PAGE = 1000


@dataclass(frozen=True)
class ModelRun:
    """The MLflow run of one model.

    Attributes:
        run_id: MLflow's.
        model: What it trained, or `two_stream`.
        settings: Parameters, and the tags that say what it was made of.
        figures: Final metrics and costs.
        scores: clip_id, partition, label, then a column a class; None where not found.
        sources: Source video of each of `scores`' rows.
        lack: Why there are no scores, or None.
    """

    run_id: str
    model: str
    settings: Mapping[str, str]
    figures: Mapping[str, float]
    scores: pd.DataFrame | None = None
    sources: np.ndarray | None = None
    lack: str | None = None

    @property
    def name(self) -> str:
        """The model and the first digits of the id."""
        return f"{self.model} {self.run_id[:_SHORT_ID]}"


@dataclass(frozen=True)
class Difference:
    """By how much a figure of one run differs from that of another.

    Attributes:
        run: Name of the run.
        against: Name of the one it is held to.
        figure: One of `FIGURES`.
        difference: `run` less `against`.
        low: Lower end of the 95 % interval by source video, or None.
        high: Upper end, or None.
        n_clips: Test clips both have scored, or None where scores were not looked at.
        p_value: Of the sign-flip test by source; top-1 alone.
        p_holm: The same, corrected for all pairs.
        note: Why there is no interval, or None.
    """

    run: str
    against: str
    figure: str
    difference: float
    low: float | None = None
    high: float | None = None
    n_clips: int | None = None
    p_value: float | None = None
    p_holm: float | None = None
    note: str | None = None


def find_runs(client: mlflow.MlflowClient, wanted: Sequence[str]) -> list[Run]:
    """Return the models' runs that are meant, each once, in the order asked for.

    Args:
        client: Of the store.
        wanted: Ids, beginnings of ids, names or models; the run of a whole `kedro run` stands for
            the models below it.

    Raises:
        UserError: One of them is no run, or may be several; or there are not two runs.
    """
    known = _all_runs(client)
    chosen: dict[str, Run] = {}
    for asked in wanted:
        run = _the_run(asked, known)
        chosen |= {found.info.run_id: found for found in _models_of(run, known)}
    if len(chosen) < 2:
        raise UserError(
            f"It takes two runs of models to compare. Received: {', '.join(wanted)}. "
            "`kedro mlflow ui` lists them."
        )
    return list(chosen.values())


def read_run(client: mlflow.MlflowClient, run: Run, load: Load) -> ModelRun:
    """Return a run with the scores that its `kedro run` stored, where they can be found."""
    tags = run.data.tags
    settings = dict(run.data.params) | {
        key: value for key, value in tags.items() if key in _TAGS or key.startswith(_DATA_TAG)
    }
    figures = {name: run.data.metrics[name] for name in FIGURES if name in run.data.metrics}
    read = ModelRun(run.info.run_id, tags["model"], settings, figures)
    version = _scores_version(client, tags)
    if version is None:
        return replace(read, lack="its run does not say which scores are its own")
    try:
        scores, sources = _stored_scores(read, version, load)
    except (DatasetError, FileNotFoundError):
        return replace(read, lack=f"no scores of version {version} below this data_root")
    except UserError as error:
        return replace(read, lack=str(error))
    return replace(read, scores=scores, sources=sources)


def settings_that_differ(runs: Sequence[ModelRun]) -> pd.DataFrame:
    """Return a row a parameter or tag that is not the same in all runs, one column a run."""
    table = pd.DataFrame({run.name: pd.Series(dict(run.settings), dtype=object) for run in runs})
    differs = table.nunique(axis=1, dropna=False) > 1
    return table[differs].sort_index()


def figures_side_by_side(runs: Sequence[ModelRun]) -> pd.DataFrame:
    """Return a row a final figure that any run has, one column a run."""
    table = pd.DataFrame(
        {run.name: pd.Series(dict(run.figures), dtype=float) for run in runs}, index=list(FIGURES)
    )
    return table.dropna(how="all")


def differences(runs: Sequence[ModelRun], *, draws: int, seed: int) -> list[Difference]:
    """Hold each run to the first of its model, or to the first of all.

    Args:
        runs: At least two.
        draws: Of the bootstrap and the permutation test.
        seed: Of both.
    """
    found = [
        difference
        for position, run in enumerate(runs[1:], start=1)
        for difference in _differences(run, _reference(run, runs[:position]), draws, seed)
    ]
    tested = [difference.p_value for difference in found if difference.p_value is not None]
    corrected = iter(holm(tested))
    return [
        difference if difference.p_value is None else replace(difference, p_holm=next(corrected))
        for difference in found
    ]


def as_rows(runs: Sequence[ModelRun], found: Sequence[Difference]) -> pd.DataFrame:
    """Return all of a comparison as one long table.

    Returns:
        kind (setting, figure or difference), name, run, value, then of differences: against, low,
        high, n_clips, p_value, p_holm, note.
    """
    parts = [("setting", settings_that_differ(runs)), ("figure", figures_side_by_side(runs))]
    rows: list[dict[str, Any]] = [
        {"kind": kind, "name": name, "run": run, "value": value}
        for kind, table in parts
        for run, column in table.items()
        for name, value in column.items()
    ]
    for difference in found:
        row = {**vars(difference)}
        rows.append(
            {"kind": "difference", "name": row.pop("figure"), "value": row.pop("difference"), **row}
        )
    return pd.DataFrame(rows)


def _all_runs(client: mlflow.MlflowClient) -> list[Run]:
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs: list[Run] = []
    token: str | None = None
    while True:
        page = client.search_runs(experiments, max_results=_PAGE, page_token=token)
        runs += page
        token = page.token
        if not token:
            return runs


def _the_run(asked: str, known: Sequence[Run]) -> Run:
    found = [
        run
        for run in known
        if asked in (run.info.run_id, run.info.run_name, run.data.tags.get("model"))
    ]
    found = found or [run for run in known if run.info.run_id.startswith(asked)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"There is no such run in MLflow. Received: {asked}. `kedro mlflow ui` lists them; an "
            "id, its beginning, a name or a model will do."
        )
    ids = list_some([run.info.run_id[:_SHORT_ID] for run in found])
    raise UserError(f"Several runs are meant. Received: {asked}. Give one id of: {ids}.")


def _models_of(run: Run, known: Sequence[Run]) -> list[Run]:
    if "model" in run.data.tags:
        return [run]
    below = [child for child in known if child.data.tags.get(_PARENT) == run.info.run_id]
    return sorted((r for r in below if "model" in r.data.tags), key=lambda r: r.info.start_time)


def _scores_version(client: mlflow.MlflowClient, tags: Mapping[str, str]) -> str | None:
    """Return the version of a run's scores: tagged, else that of the session which trained it."""
    if SCORES_VERSION in tags:
        return tags[SCORES_VERSION]
    parent = client.get_run(tags[_PARENT]) if _PARENT in tags else None
    return parent.data.tags.get(_VERSION) if parent else None


def _stored_scores(run: ModelRun, version: str, load: Load) -> tuple[pd.DataFrame, np.ndarray]:
    split = run.settings.get("split", "")
    scores = load(f"{run.model}.scores", split, version)
    index = load("clip_index", split, run.settings.get(f"{_DATA_TAG}clip_index", version))
    return scores, sources_of(scores, index)


def _reference(run: ModelRun, earlier: Sequence[ModelRun]) -> ModelRun:
    return next((other for other in earlier if other.model == run.model), earlier[0])


def _differences(run: ModelRun, against: ModelRun, draws: int, seed: int) -> list[Difference]:
    shared = [name for name in FIGURES if name in run.figures and name in against.figures]
    plain = {
        name: Difference(run.name, against.name, name, run.figures[name] - against.figures[name])
        for name in shared
    }
    try:
        judged = _judged(run, against, draws, seed)
    except UserError as error:
        judged = {name: {"note": str(error)} for name in _BY_CLIP}
    return [replace(plain[name], **judged.get(name, {})) for name in shared]


def _judged(run: ModelRun, against: ModelRun, draws: int, seed: int) -> dict[str, dict[str, Any]]:
    """Return what the scores say about the figures that are means over clips.

    Raises:
        UserError: Scores are lacking, or are of other classes or parts.
    """
    for one in (run, against):
        if one.scores is None:
            raise UserError(f"{one.name}: {one.lack}")
    tables = aligned({one.name: one.scores for one in (against, run) if one.scores is not None})
    test = [table["partition"] == "test" for table in tables.values()]
    if not test[0].any():
        raise UserError("the runs share no test clip")
    by_clip = [_by_clip(table) for table in tables.values()]
    difference = by_clip[1] - by_clip[0]
    clusters = Clusters.of(_sources(run, next(iter(tables.values()))))
    intervals = mean_intervals(difference, clusters, draws=draws, seed=seed)
    judged: dict[str, dict[str, Any]] = {
        name: {
            "difference": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "n_clips": interval.n_clips,
            "note": interval.reason,
        }
        for name, interval in zip(_BY_CLIP, intervals, strict=True)
    }
    hits = clusters.sums(difference[:, :1])[:, 0]
    judged["test_top1"]["p_value"] = sign_flip_p(hits, draws=draws, seed=seed)
    return judged


def _by_clip(scores: pd.DataFrame) -> np.ndarray:
    """Return the figures of `_BY_CLIP` of each test clip, shape (N, 3)."""
    probabilities, labels = part(scores, "test")
    hits = [top_k_hits(probabilities, labels, k) for k in (1, 5)]
    return np.stack([*hits, log_losses(probabilities, labels)], axis=1)


def _sources(run: ModelRun, table: pd.DataFrame) -> np.ndarray:
    """Return the source video of a table's test clips."""
    if run.scores is None or run.sources is None:
        return np.array([])
    by_clip = dict(zip(run.scores["clip_id"], run.sources, strict=True))
    return np.array([by_clip[clip] for clip in table.loc[table["partition"] == "test", "clip_id"]])
