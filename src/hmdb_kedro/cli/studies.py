"""Commands that train more than once: a search, and the protocol over splits and seeds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import split_string
from kedro.framework.project import pipelines

from hmdb_kedro.cli.base import (
    GIVEN_PARAMS,
    CleanCommand,
    check_options,
    data_root,
    open_context,
    project_folder,
    project_options,
)
from hmdb_kedro.cli.group import hmdb
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import MODELS, RootParams, check_parameters
from hmdb_kedro.pipeline_registry import pipeline_names
from hmdb_kedro.terminal import comparisons_table, protocol_table, show, sweep_table

if TYPE_CHECKING:
    from hmdb_kedro.runs import ScoredRun


@hmdb.command(cls=CleanCommand)
@project_options
@click.argument("model", type=click.Choice(MODELS))
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1), help="How many.")
def sweep(
    env: str | None, conf_source: str | None, params: dict[str, Any], model: str, trials: int
) -> None:
    """Search a model's learning rate, dropout and width, judged by validation.

    The data must be extracted. Trials are child runs in MLflow; a stopped search goes on.
    """
    from hmdb_kedro.jobs import sweep as sweeping  # noqa: PLC0415 - imports MLflow and Optuna

    context = open_context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    pipelines.set_requested(["spatial_training", "temporal_training"])
    node = next(
        node
        for name in ("spatial_training", "temporal_training")
        for node in pipelines[name].nodes
        if node.name == f"{model}.train"
    )
    params_of_model = getattr(known, model)
    key = sweeping.study_key(context.catalog, params_of_model, model, known.seed)
    folder = data_root(context) / "08_reporting" / f"split{known.split}"
    study = sweeping.search(
        sweeping.trainer(node, context.catalog, model),
        params_of_model,
        model,
        trials=trials,
        seed=known.seed,
        file=folder / f"sweep_{model}_{key}.db",
    )
    show(sweep_table(study))


@hmdb.command(cls=CleanCommand)
@project_options
@click.option("--splits", default="1,2,3", show_default=True, help="Splits to run.")
@click.option("--seeds", default="1", show_default=True, help="Seeds to run, of each split.")
@click.option("--pipelines", "asked", default="", callback=split_string, help="By default all.")
@click.option(
    "--models", default="", callback=split_string, help="Models to train; by default all."
)
def protocol(
    env: str | None,
    conf_source: str | None,
    params: dict[str, Any],
    splits: str,
    seeds: str,
    asked: list[str],
    models: list[str],
) -> None:
    """Run the pipelines for several splits and seeds, and show means, spreads and comparisons.

    Each split and seed is a `kedro run` of its own. What is finished under the same parameters and
    data is not run again, so that a stopped command goes on.
    """
    from hmdb_kedro.jobs import protocol as running  # noqa: PLC0415 - imports pandas

    check_options({"conf_source": conf_source, "env": env, "pipelines": asked})
    unknown = sorted(set(models) - set(MODELS))
    if unknown:
        raise UserError(f"There is no such model. Received: {', '.join(unknown)}.")
    wanted_splits = running.numbers(splits, "--splits", (1, 2, 3))
    wanted_seeds = running.numbers(seeds, "--seeds")
    names = asked or pipeline_names()
    given = [("--env", env), ("--conf-source", conf_source)]
    options = tuple(part for option in given if option[1] for part in option if part)
    raw = str(click.get_current_context().meta.get(GIVEN_PARAMS, ""))
    runs = running.KedroRuns(project_folder(), options, raw)
    running.extract(
        lambda shared: runs.start(
            wanted_splits[0], wanted_seeds[0], "--pipelines", ",".join(shared)
        ),
        names,
    )
    contexts = {
        split: open_context(env, conf_source, params | {"split": split}) for split in wanted_splits
    }
    first = contexts[wanted_splits[0]]
    known = check_parameters(dict(first.config_loader["parameters"]))
    pipelines.set_requested(pipeline_names())
    work = running.describe_work(pipelines, names, models or MODELS)
    keys = running.RunKeys(first.catalog, known)
    catalogs = {split: context.catalog for split, context in contexts.items()}
    stored = running.StoredRuns(running.Versions(catalogs), work, keys.run, keys.evaluation)
    n_run = running.run_all(
        [(split, seed) for seed in wanted_seeds for split in wanted_splits],
        lambda split, seed: running.plan_run(split, seed, work, stored),
        runs.task,
    )
    summary = _summarise(first.catalog.load("protocol_runs"), known)
    if n_run:
        first.catalog.save("protocol_summary", summary)
    _show_summary(summary)


@hmdb.command(cls=CleanCommand, name="protocol-summary")
@project_options
@click.argument("roots", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="A JSON file to write it to.")
def protocol_summary(
    env: str | None,
    conf_source: str | None,
    params: dict[str, Any],
    roots: tuple[Path, ...],
    output: Path | None,
) -> None:
    """Sum up what runs over splits and seeds have stored below ROOTS: data roots, pooled.

    Without ROOTS, that of the environment.
    """
    context = open_context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    found = _stored_runs(roots or (data_root(context),))
    summary = _summarise([run for runs in found.values() for run in runs], known)
    if output is not None:
        output.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    _show_summary(summary)


def _stored_runs(roots: tuple[Path, ...]) -> "dict[Path, list[ScoredRun]]":
    from hmdb_kedro.datasets import ProtocolRuns  # noqa: PLC0415 - imports pandas

    runs = {
        root: ProtocolRuns(path=str(root), name=str(root) if len(roots) > 1 else "").load()
        for root in roots
    }
    empty = [str(root) for root, found in runs.items() if not found]
    if empty:
        raise UserError(
            "A data root must hold runs that have stored scores (07_model_output). Received: "
            f"{', '.join(empty)} with none. Name another, or do: kedro hmdb protocol"
        )
    return runs


def _summarise(runs: "list[ScoredRun]", params: RootParams) -> dict[str, Any]:
    from hmdb_kedro.evaluation.protocol import newest_runs, summarise_runs  # noqa: PLC0415 - slow

    two_stream = params.two_stream
    summary = summarise_runs(
        newest_runs(runs), two_stream.comparisons, draws=two_stream.draws, seed=params.seed
    )
    if not summary["models"]:
        raise UserError(f"{summary['reason']} Received: none. Do: kedro hmdb protocol")
    return summary


def _show_summary(summary: dict[str, Any]) -> None:
    show(protocol_table(summary))
    if summary["comparisons"]["pairs"]:
        show(comparisons_table(summary["comparisons"]["pairs"]))
