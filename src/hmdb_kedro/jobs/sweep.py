"""A small search over a model's recipe, by Optuna: learning rate, dropout and width.

A trial trains as `kedro run` does and is judged by validation alone, at the epoch that `kedro run`
would keep; nothing of it is kept but its figures. The study is a file for each recipe, data and
seed: an interrupted search goes on, and a later one adds trials.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import optuna
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import StackParams, TrainParams
from hmdb_kedro.tracking.provenance import process_tags
from hmdb_kedro.tracking.source import PICTURES

# Around what is configured: a decade of rates either way, half to one and a half as wide.
_RATE_FACTORS = (0.1, 10.0)
_DROPOUTS = (0.0, 0.8)
_WIDTHS = (0.5, 0.75, 1.0, 1.5)
_FIRST_TRIALS = 5  # never cut short: what others are compared with

logger = logging.getLogger(__name__)

Train = Callable[[TrainParams, "TrialLog"], Mapping[str, Any]]


@dataclass
class TrialLog:
    """Takes the figures of a trial's epochs: into MLflow, and to Optuna, which may cut it short."""

    trial: optuna.Trial

    @property
    def run_id(self) -> str | None:
        """The MLflow run of the trial."""
        run = mlflow.active_run()
        return None if run is None else str(run.info.run_id)

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        """Log one epoch.

        Raises:
            optuna.TrialPruned: Others stood better at this epoch.
            UserError: There is nothing to judge by.
        """
        if "val_loss" not in metrics:
            raise UserError(
                "A search is judged by validation, and this split has no validation clips. "
                "Raise `data_prep.val_fraction`, or bring more sources."
            )
        mlflow.log_metrics(dict(metrics), step=epoch)
        self.trial.report(metrics["val_loss"], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def trainer(node: Node, catalog: CatalogProtocol[Any, Any], model: str) -> Train:
    """Return a model's training node as a function of its parameters; data are loaded once.

    Nothing is trained once more on training and validation clips: no trial is judged by that.
    """
    own = {f"params:{model}", "epoch_log", f"{model}.checkpoint"}
    data = {name: catalog.load(name) for name in node.inputs if name not in own}

    def train(params: TrainParams, log: TrialLog) -> Mapping[str, Any]:
        params = params.model_copy(update={"refit": False})
        given = {**data, f"params:{model}": params, "epoch_log": log, f"{model}.checkpoint": None}
        made = node.func(*(given[name] for name in node.inputs))
        history: Mapping[str, Any] = dict(zip(node.outputs, made, strict=True))[f"{model}.history"]
        return history

    return train


def study_key(
    catalog: CatalogProtocol[Any, Any], params: TrainParams, model: str, seed: int
) -> str:
    """Return what tells searches apart whose trials cannot be compared: see `run_key`."""
    from hmdb_kedro.training.resume import run_key  # noqa: PLC0415 - imports Keras

    return run_key(params, seed, catalog.load("clip_index"), catalog.load(PICTURES[model]))


def search(
    train: Train, params: TrainParams, model: str, *, trials: int, seed: int, file: Path
) -> optuna.Study:
    """Try recipes around the configured one, which is the first trial.

    Args:
        train: Trains once; see `trainer`.
        params: The configured recipe.
        model: Its name, which is the study's.
        trials: How many more to try.
        seed: Of Optuna's sampler (TPE).
        file: The study's SQLite file.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=model,
        storage=f"sqlite:///{file.as_posix()}",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_FIRST_TRIALS),
    )
    # A sampler begins with its seed: with the same one, a later search would try the same again.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    if not study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)):
        study.enqueue_trial(_as_configured(params))
    with mlflow.start_run(run_name=f"sweep {model}", tags={"model": model, **process_tags()}):
        study.optimize(lambda trial: _try(trial, train, params, model), n_trials=trials)
    return study


def changed(params: TrainParams, trial: optuna.Trial) -> TrainParams:
    """Return the recipe with the values of a trial."""
    rate = params.learning_rate
    low, high = (factor * rate for factor in _RATE_FACTORS)
    values: dict[str, Any] = {
        "learning_rate": trial.suggest_float("learning_rate", low, high, log=True),
        "dropout": trial.suggest_float("dropout", *_DROPOUTS),
    }
    if isinstance(params, StackParams):
        width = trial.suggest_categorical("width", _WIDTHS)
        values["filters"] = tuple(max(1, round(width * n)) for n in params.filters)
    return params.model_copy(update=values)


def _as_configured(params: TrainParams) -> dict[str, float]:
    width = {"width": 1.0} if isinstance(params, StackParams) else {}
    return {"learning_rate": params.learning_rate, "dropout": params.dropout, **width}


def _try(trial: optuna.Trial, train: Train, params: TrainParams, model: str) -> float:
    chosen = changed(params, trial)
    tags = {"model": model, **process_tags()}
    with mlflow.start_run(run_name=f"trial {trial.number}", nested=True, tags=tags):
        mlflow.log_params(trial.params)
        try:
            history: Mapping[str, Any] | optuna.TrialPruned = train(chosen, TrialLog(trial))
        except optuna.TrialPruned as pruned:  # no failure: MLflow shall not call it one
            mlflow.set_tag("pruned", "true")
            history = pruned
    if isinstance(history, optuna.TrialPruned):
        raise history
    loss = float(history["epochs"][history["chosen_epoch"] - 1]["val_loss"])
    logger.info("Trial %d: validation loss %.4f  %s", trial.number, loss, trial.params)
    return loss
