"""Runs over several splits and seeds, each a `kedro run` in a process of its own, and resumable.

What is finished is read from what is stored: scores whose protocol carries the key of all that they
depend on. Nothing else is kept, so that a command killed at any moment goes on where it was.
"""

import ctypes
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import MODELS, RootParams
from hmdb_kedro.runs import read_stored
from hmdb_kedro.tracking.source import PICTURES

EXTRACTION = ("data_prep", "frames", "flow")
TRAINING = ("spatial_training", "temporal_training")
EVALUATION = "fusion_eval"
_TRAINED = ("model", "history", "val_scores")
# No evaluation reads them: a run from before there were any is as good.
_FOR_PEOPLE = {"onnx", "curves"}
_SECONDS_TO_STOP = 30
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steps:
    """The nodes of a model, and what they store.

    Attributes:
        train: Nodes that end with the model, its history and validation scores.
        score: Nodes that follow.
        results: Entries these store, without the model's name: protocol, scores, …
    """

    train: tuple[str, ...]
    score: tuple[str, ...]
    results: tuple[str, ...]


@dataclass(frozen=True)
class Work:
    """What the pipelines hold, as nodes.

    Attributes:
        index: Nodes that make the clip index of a split and seed.
        models: Of all models.
        asked: Models to train and score.
        evaluation: Nodes that need all models' scores; empty where they were not asked for.
        reports: Entries that the evaluation stores.
    """

    index: tuple[str, ...]
    models: Mapping[str, Steps]
    asked: tuple[str, ...]
    evaluation: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What is stored of a model under the settings asked for: versions, or None."""

    trained: str | None = None
    scored: str | None = None


@dataclass(frozen=True)
class Task:
    """What is left to do of a split and seed.

    Attributes:
        split: The split.
        seed: The seed.
        nodes: To run.
        load_versions: Of entries that stand already: the newest ones may be of another seed.
    """

    split: int
    seed: int
    nodes: tuple[str, ...]
    load_versions: Mapping[str, str] = field(default_factory=dict)


class Stored(Protocol):
    """Says what is stored."""

    def find(self, model: str, split: int, seed: int) -> Found:
        """Return what is stored of a model under the settings asked for."""

    def is_evaluated(self, split: int, seed: int) -> bool:
        """Say whether an evaluation of these very scores is stored."""


def describe_work(
    pipelines: Mapping[str, Any], asked: Sequence[str], models: Sequence[str]
) -> Work:
    """Sort the nodes of the pipelines asked for by what they do.

    Args:
        pipelines: All of them, by name.
        asked: Names of those asked for.
        models: Those to train, of those pipelines.
    """
    training = [node for name in TRAINING for node in pipelines[name].nodes]
    steps = {model: _steps([n for n in training if n.namespace == model]) for model in MODELS}
    here = {node.namespace for name in TRAINING if name in asked for node in pipelines[name].nodes}
    chosen = tuple(model for model in MODELS if model in here.intersection(models))
    index = tuple(node.name for node in pipelines["data_prep"].nodes)
    if EVALUATION not in asked:
        return Work(index, steps, chosen)
    beside = [node for node in training if not node.namespace]
    nodes = [*beside, *pipelines[EVALUATION].nodes]
    reports = sorted({entry for node in nodes for entry in node.outputs})
    return Work(index, steps, chosen, tuple(node.name for node in nodes), tuple(reports))


def plan_run(split: int, seed: int, work: Work, stored: Stored) -> Task | None:
    """Say what is left to do of a split and seed; None where nothing is.

    The evaluation runs where every model is scored, be it before or by these very nodes.
    """
    # Models that nothing here needs may lack their table.
    looked_at = MODELS if work.evaluation else work.asked
    found = {model: stored.find(model, split, seed) for model in looked_at}
    nodes: list[str] = []
    versions: dict[str, str] = {}
    for model in work.asked:
        steps = work.models[model]
        if found[model].scored:
            continue
        if found[model].trained:
            versions |= {f"{model}.{entry}": str(found[model].trained) for entry in _TRAINED}
        else:
            nodes += steps.train
        nodes += steps.score
    lacking = [m for m in looked_at if not found[m].scored and m not in work.asked]
    if work.evaluation and not lacking and (nodes or not stored.is_evaluated(split, seed)):
        nodes += work.evaluation
        versions |= _scored_versions(found, work.models)
    elif work.evaluation and lacking and nodes:
        logger.info("Split %d, seed %d: no evaluation without %s.", split, seed, ", ".join(lacking))
    return Task(split, seed, (*work.index, *nodes), versions) if nodes else None


def run_all(
    trials: Iterable[tuple[int, int]],
    plan: Callable[[int, int], Task | None],
    launch: Callable[[Task], int],
) -> int:
    """Do what is left of each split and seed, one after the other.

    Args:
        trials: Splits and seeds.
        plan: Says what is left of one.
        launch: Does it, and returns the exit status.

    Returns:
        How many were not finished before.

    Raises:
        UserError: One of them failed.
    """
    n_run = 0
    for split, seed in trials:
        task = plan(split, seed)
        if task is None:
            logger.info("Split %d, seed %d: finished before.", split, seed)
            continue
        logger.info("Split %d, seed %d: %d steps.", split, seed, len(task.nodes))
        _check(launch(task), f"The run of split {split}, seed {seed}")
        if plan(split, seed) is not None:
            raise UserError(
                f"Split {split}, seed {seed} ran, and is not finished for the settings asked for. "
                "Received: data or parameters that changed meanwhile. Run the command again."
            )
        n_run += 1
    return n_run


def extract(launch: Callable[[Sequence[str]], int], asked: Sequence[str]) -> None:
    """Run the extraction that all splits and seeds share.

    Args:
        launch: Runs pipelines, and returns the exit status.
        asked: Names of the pipelines asked for.

    Raises:
        UserError: It failed.
    """
    shared = [name for name in EXTRACTION if name in asked]
    if shared:
        _check(launch(shared), f"The run of {', '.join(shared)}")


@dataclass(frozen=True)
class KedroRuns:
    """Start `kedro run` in processes of their own.

    Attributes:
        project: The project's folder.
        options: `--env` and `--conf-source`, as they were given.
        params: What was given as `--params`, as it was given.
    """

    project: Path
    options: tuple[str, ...] = ()
    params: str = ""

    def task(self, task: Task) -> int:
        """Run what is left of a split and seed; return the exit status."""
        versions = ",".join(f"{entry}:{v}" for entry, v in sorted(task.load_versions.items()))
        chosen = ["--load-versions", versions] if versions else []
        return self.start(task.split, task.seed, "--nodes", ",".join(task.nodes), *chosen)

    def start(self, split: int, seed: int, *arguments: str) -> int:
        """Run with arguments; return the exit status."""
        given = ",".join([*filter(None, [self.params]), f"split={split}", f"seed={seed}"])
        command = [sys.executable, "-m", "kedro", "run", *arguments, *self.options]
        with subprocess.Popen(
            [*command, "--params", given],
            cwd=self.project,
            preexec_fn=_dying_with_parent(),  # noqa: PLW1509 - one system call, prepared before
        ) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:  # which the run has had too, unless it was for us alone
                try:
                    process.wait(_SECONDS_TO_STOP)
                except subprocess.TimeoutExpired:
                    process.terminate()
                    process.wait()
                raise
            except SystemExit:
                process.terminate()
                raise


@dataclass(frozen=True)
class Versions:
    """The versioned entries of the catalogs, one a split.

    Attributes:
        catalogs: By split.
    """

    catalogs: Mapping[int, Any]

    def newest_first(self, entry: str, split: int) -> list[str]:
        """Return the versions of an entry that are there."""
        folder = self._folder(entry, split)
        return sorted((file.parent.name for file in folder.glob(f"*/{folder.name}")), reverse=True)

    def has(self, entry: str, split: int, version: str) -> bool:
        """Say whether an entry is there in a version; one without versions counts as there."""
        if getattr(self.catalogs[split].get(entry), "_version", None) is None:
            return True
        folder = self._folder(entry, split)
        return (folder / version / folder.name).is_file()

    def find(self, entry: str, split: int, run_key: str) -> list[str]:
        """Return the versions of a JSON entry that carry a key, newest first."""
        folder = self._folder(entry, split)
        found = self.newest_first(entry, split)
        return [v for v in found if read_stored(folder / v / folder.name).get("run_key") == run_key]

    def _folder(self, entry: str, split: int) -> Path:
        return Path(str(self.catalogs[split].get(entry)._filepath))


@dataclass(frozen=True)
class StoredRuns:
    """What is stored under keys.

    Attributes:
        versions: Of the catalog's entries.
        work: What makes a model scored, and an evaluation whole.
        run_key: From model, split and seed to the key of what is asked for.
        evaluation_key: From split and seed to the key of its evaluation.
    """

    versions: Versions
    work: Work
    run_key: Callable[[str, int, int], str]
    evaluation_key: Callable[[int, int], str]

    def find(self, model: str, split: int, seed: int) -> Found:
        """Return what is stored of a model under its key."""
        key = self.run_key(model, split, seed)
        trained = [f"{model}.{entry}" for entry in _TRAINED]
        results = [f"{model}.{entry}" for entry in self.work.models[model].results]
        return Found(
            trained=self._whole(f"{model}.history", trained, split, key),
            scored=self._whole(f"{model}.protocol", results, split, key),
        )

    def is_evaluated(self, split: int, seed: int) -> bool:
        """Say whether all reports of these scores are stored."""
        key = self.evaluation_key(split, seed)
        return self._whole("two_stream.protocol", self.work.reports, split, key) is not None

    def _whole(self, entry: str, others: Sequence[str], split: int, key: str) -> str | None:
        """Return the newest version of an entry with the key, of which the others are there too."""
        return next(
            (
                version
                for version in self.versions.find(entry, split, key)
                if all(self.versions.has(other, split, version) for other in others)
            ),
            None,
        )


class RunKeys:
    """The keys of what is asked for, computed from the data as a training would find them."""

    def __init__(self, catalog: Any, params: RootParams):
        """Read what decides the clip index; tables are opened when a model asks for them.

        Args:
            catalog: Of any split.
            params: All parameters.
        """
        self._catalog, self._params = catalog, params
        entries = ("clip_scan", "clip_files", "raw_splits")
        self._clips = {entry: catalog.load(entry) for entry in entries}
        self._indices: dict[tuple[int, int], pd.DataFrame] = {}
        self._pictures: dict[str, Any] = {}

    def run(self, model: str, split: int, seed: int) -> str:
        """Return the key of a model's training and scores."""
        from hmdb_kedro.training.resume import run_key  # noqa: PLC0415 - imports Keras

        kind = PICTURES[model]
        if kind not in self._pictures:
            self._pictures[kind] = self._catalog.load(kind)
        index = self._index(split, seed)
        return run_key(getattr(self._params, model), seed, index, self._pictures[kind])

    def evaluation(self, split: int, seed: int) -> str:
        """Return the key of an evaluation."""
        from hmdb_kedro.pipelines.fusion_eval.fusing import evaluation_key  # noqa: PLC0415

        keys: dict[str, str | None] = {model: self.run(model, split, seed) for model in MODELS}
        return evaluation_key(self._params.two_stream, keys, self._external_scores)

    @cached_property
    def _external_scores(self) -> dict[str, pd.DataFrame]:
        tables: dict[str, pd.DataFrame] = self._catalog.load("external_scores")
        return tables

    def _index(self, split: int, seed: int) -> pd.DataFrame:
        from hmdb_kedro.pipelines.data_prep.index import build_clip_index  # noqa: PLC0415

        if (split, seed) not in self._indices:
            self._indices[split, seed] = build_clip_index(
                **self._clips, params=self._params.data_prep, split=split, seed=seed
            )
        return self._indices[split, seed]


def numbers(text: str, option: str, allowed: Sequence[int] | None = None) -> list[int]:
    """Return the whole numbers of an option, as `1,2,3`.

    Raises:
        UserError: They are none, or not allowed.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found = [int(part) for part in parts if part.isdecimal()]
    wrong = len(found) < len(parts) or not found
    if wrong or (allowed is not None and not set(found) <= set(allowed)):
        rule = f"of {', '.join(map(str, allowed))}" if allowed else "from 0 on, as 1,2,3"
        raise UserError(f"`{option}` must be whole numbers {rule}. Received: {text!r}.")
    return list(dict.fromkeys(found))


def _steps(nodes: Sequence[Any]) -> Steps:
    trained = {f"{node.namespace}.{entry}" for node in nodes for entry in _TRAINED}
    score = [node for node in nodes if trained.intersection(node.inputs)]
    train = [node.name for node in nodes if node not in score]
    results = {entry.partition(".")[2] for node in score for entry in node.outputs}
    results -= _FOR_PEOPLE
    return Steps(tuple(train), tuple(node.name for node in score), tuple(sorted(results)))


def _scored_versions(found: Mapping[str, Found], models: Mapping[str, Steps]) -> dict[str, str]:
    return {
        f"{model}.{entry}": state.scored
        for model, state in found.items()
        if state.scored
        for entry in models[model].results
    }


def _check(status: int, what: str) -> None:
    if status:
        raise UserError(
            f"{what} failed. Received: exit status {status}; its message stands above. What was "
            "finished is kept: mend it, and the same command goes on."
        )


def _dying_with_parent() -> Callable[[], None] | None:
    """Return what ties a run to this process: killed alone, it would leave one that writes on."""
    if sys.platform != "linux":
        return None
    return partial(ctypes.CDLL(None).prctl, _DIES_WITH_PARENT, signal.SIGKILL)
