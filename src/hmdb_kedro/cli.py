"""The project's command line: `kedro run` with calm errors, and `kedro hmdb …`."""

import json
import logging
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import CONTEXT_SETTINGS, _split_params, env_option, split_string
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.io import DatasetError
from kedro.runner import SequentialRunner
from kedro.utils import find_kedro_project

from hmdb_kedro.errors import UserError
from hmdb_kedro.failures import explain
from hmdb_kedro.params import MODELS, RootParams, check_parameters
from hmdb_kedro.pipeline_registry import pipeline_names
from hmdb_kedro.terminal import (
    VERBOSE,
    comparisons_table,
    differences_table,
    plan_table,
    protocol_table,
    results_table,
    show,
    side_by_side_table,
    stale_table,
    sweep_table,
)

if TYPE_CHECKING:
    from hmdb_kedro.runs import ScoredRun

_TERMINATED = 128 + signal.SIGTERM
_GIVEN_PARAMS = "hmdb_kedro.given_params"

logger = logging.getLogger(__name__)


class CleanCommand(click.Command):
    """A command that says in one line what a user can mend, and ends calmly when stopped."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            click.ClickException: In place of an error that is the user's to mend.
        """
        try:
            check_options(ctx.params)
            with _terminated_like_interrupted():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            _say_stopped()
            ctx.exit(128 + signal.SIGINT)
        except SystemExit as stop:
            if stop.code == _TERMINATED:
                _say_stopped()
            raise
        except Exception as error:
            line = explain(error)
            if line is None:
                raise
            logger.debug("What stopped the command:", exc_info=error)
            raise click.ClickException(line) from None


def check_options(options: dict[str, Any]) -> None:
    """Check that the configuration, environment and pipelines named by options exist.

    Raises:
        UserError: One line that says which of them does not.
    """
    source = options.get("conf_source") or _project_folder() / settings.CONF_SOURCE
    _check_configuration(str(source), options.get("env") or os.environ.get("KEDRO_ENV"))
    known = ["__default__", *pipeline_names()]
    asked = [options["pipeline"]] if options.get("pipeline") else options.get("pipelines") or []
    for name in asked:
        if name not in known:
            raise UserError(f"There is no such pipeline. Received: {name}. Known: {_list(known)}.")


@click.group(context_settings=CONTEXT_SETTINGS, name=__file__)
def cli() -> None:
    """Commands of this project beside Kedro's own."""


# Every option stays Kedro's own; one is added.
run = CleanCommand(
    name="run",
    callback=kedro_run.callback,
    params=[*kedro_run.params, VERBOSE],
    help=kedro_run.help,
)
cli.add_command(run)


@cli.group(name="hmdb")
def hmdb() -> None:
    """Look at what this project has made."""


def _split_and_keep(ctx: click.Context, option: click.Parameter, given: str) -> Any:
    """Return parameters as Kedro reads them, and keep them as they were given."""
    ctx.meta[_GIVEN_PARAMS] = given
    return _split_params(ctx, option, given)


def _project_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what says which project's data are meant: the options of `kedro run`."""
    for option in (
        click.option("--params", default="", callback=_split_and_keep, help="As for `kedro run`."),
        click.option("--conf-source", help="Folder or archive of configuration."),
        env_option,
    ):
        command = option(command)
    return command


@hmdb.command(cls=CleanCommand)
@_project_options
def results(env: str | None, conf_source: str | None, params: dict[str, Any]) -> None:
    """Show the table of the last stored metrics."""
    context = _context(env, conf_source, params)
    try:
        metrics = context.catalog.load("metrics")
    except DatasetError:
        chosen = f" --env {env}" if env else ""
        raise UserError(f"There are no metrics yet. Do: kedro run{chosen}") from None
    show(results_table(metrics))


@hmdb.command(cls=CleanCommand)
@_project_options
def report(env: str | None, conf_source: str | None, params: dict[str, Any]) -> None:
    """Write the report and the model card anew from a finished run, and say where they are."""
    context = _context(env, conf_source, params)
    pipelines.set_requested(["fusion_eval"])
    writing = pipelines["fusion_eval"].only_nodes("write_report")
    missing = sorted(name for name in writing.inputs() if not context.catalog.exists(name))
    if missing:
        chosen = f" --env {env}" if env else ""
        raise UserError(
            f"A report needs the results of a finished run. Received: {len(missing)} entries are "
            f"missing, {missing[0]} for one. Do: kedro run{chosen}"
        )
    SequentialRunner().run(writing, context.catalog)
    for name in sorted(writing.outputs()):
        click.echo(f"{name}: {context.catalog[name]._get_load_path()}")


@hmdb.command(cls=CleanCommand)
@_project_options
@click.option("--clips", default=5, show_default=True, type=click.IntRange(1), help="Clips to try.")
def plan(env: str | None, conf_source: str | None, params: dict[str, Any], clips: int) -> None:
    """Time every step on a few clips, and say what the whole set will take."""
    from hmdb_kedro.extraction import planning  # noqa: PLC0415 - seconds, and this command alone

    context = _context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    found = list(context.catalog.load("raw_videos").values())
    work, estimates = planning.plan(found, known.frames, known.flow, clips)
    free = shutil.disk_usage(_existing(_data_root(context)))
    show(plan_table(work, estimates, free.free / 1e9))


@hmdb.command(cls=CleanCommand)
@_project_options
@click.option("--keep", required=True, type=click.IntRange(1), help="Versions that stay, of each.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def prune(
    env: str | None, conf_source: str | None, params: dict[str, Any], keep: int, yes: bool
) -> None:
    """Drop old versions of tables, models and reports, and compact the tables."""
    from hmdb_kedro import maintenance  # noqa: PLC0415

    data_root = _data_root(_context(env, conf_source, params))
    stale = maintenance.find_stale(data_root, keep)
    show(stale_table(stale, data_root))
    if not stale or not (yes or click.confirm("Remove them?")):
        return
    for entry in stale:
        maintenance.remove(entry)


@hmdb.command(cls=CleanCommand)
@_project_options
@click.argument("model", type=click.Choice(MODELS))
@click.option("--trials", default=20, show_default=True, type=click.IntRange(1), help="How many.")
def sweep(
    env: str | None, conf_source: str | None, params: dict[str, Any], model: str, trials: int
) -> None:
    """Search a model's learning rate, dropout and width, judged by validation.

    The data must be extracted. Trials are child runs in MLflow; a stopped search goes on.
    """
    from hmdb_kedro import sweep as sweeping  # noqa: PLC0415 - imports MLflow and Optuna

    context = _context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    pipelines.set_requested(["spatial_training", "temporal_training"])
    node = next(
        node
        for name in ("spatial_training", "temporal_training")
        for node in pipelines[name].nodes
        if node.name == f"{model}.train"
    )
    file = _data_root(context) / "08_reporting" / f"split{known.split}" / f"sweep_{model}.db"
    study = sweeping.search(
        sweeping.trainer(node, context.catalog, model),
        getattr(known, model),
        model,
        trials=trials,
        seed=known.seed,
        file=file,
    )
    show(sweep_table(study))


@hmdb.command(cls=CleanCommand)
@_project_options
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
    from hmdb_kedro import protocol as running  # noqa: PLC0415 - imports pandas

    check_options({"conf_source": conf_source, "env": env, "pipelines": asked})
    unknown = sorted(set(models) - set(MODELS))
    if unknown:
        raise UserError(f"There is no such model. Received: {', '.join(unknown)}.")
    wanted_splits = running.numbers(splits, "--splits", (1, 2, 3))
    wanted_seeds = running.numbers(seeds, "--seeds")
    names = asked or pipeline_names()
    given = [("--env", env), ("--conf-source", conf_source)]
    options = tuple(part for option in given if option[1] for part in option if part)
    raw = str(click.get_current_context().meta.get(_GIVEN_PARAMS, ""))
    runs = running.KedroRuns(_project_folder(), options, raw)
    running.extract(
        lambda shared: runs.start(
            wanted_splits[0], wanted_seeds[0], "--pipelines", ",".join(shared)
        ),
        names,
    )
    contexts = {
        split: _context(env, conf_source, params | {"split": split}) for split in wanted_splits
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
@_project_options
@click.argument("roots", nargs=-1, type=click.Path(path_type=Path))
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
    from hmdb_kedro.datasets import ProtocolRuns  # noqa: PLC0415 - imports pandas

    context = _context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    found = [
        run
        for root in roots or (_data_root(context),)
        for run in ProtocolRuns(path=str(root), name=str(root) if len(roots) > 1 else "").load()
    ]
    summary = _summarise(found, known)
    if output is not None:
        output.write_text(json.dumps(summary, indent=2), encoding="utf-8")
    _show_summary(summary)


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


@hmdb.command(cls=CleanCommand)
@_project_options
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN …")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it as CSV too."
)
def compare(
    env: str | None,
    conf_source: str | None,
    params: dict[str, Any],
    runs: tuple[str, ...],
    out: Path | None,
) -> None:
    """Compare MLflow runs: settings and figures that differ, with intervals.

    A RUN is an id, its beginning or a name; the run of a whole `kedro run` stands for its models.
    Each is held to the first of its model, or to the first of all.
    """
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds, and this command alone

    from hmdb_kedro import comparing  # noqa: PLC0415
    from hmdb_kedro.tracking.hooks import choose_store  # noqa: PLC0415

    context = _context(env, conf_source, params)
    known = check_parameters(dict(context.config_loader["parameters"]))
    client = MlflowClient(choose_store(context))

    @cache
    def catalog_of(split: str) -> Any:
        own = params | {"split": int(split)} if split else params
        return _context(env, conf_source, own).catalog

    def load(entry: str, split: str, version: str) -> Any:
        return catalog_of(split).load(entry, version=version)

    chosen = comparing.find_runs(client, runs)
    found = [comparing.read_run(client, run, load) for run in chosen]
    apart = comparing.differences(found, draws=known.two_stream.draws, seed=known.seed)
    show(side_by_side_table(comparing.settings_that_differ(found), "Settings that differ"))
    show(side_by_side_table(comparing.figures_side_by_side(found), "Final figures"))
    for _, pair in groupby(apart, key=lambda difference: (difference.run, difference.against)):
        show(differences_table(list(pair)))
    if out is not None:
        comparing.as_rows(found, apart).to_csv(out, index=False)


def _context(env: str | None, conf_source: str | None, params: dict[str, Any]) -> KedroContext:
    pipelines.set_requested([])  # none runs, so none is imported
    with settings.SESSION_CLASS.create(
        env=env, conf_source=conf_source, runtime_params=params
    ) as session:
        context: KedroContext = session.load_context()
        return context


def _data_root(context: KedroContext) -> Path:
    given = context._runtime_params or {}
    root = given.get("data_root") or context.config_loader["globals"]["data_root"]
    return context.project_path / Path(str(root)).expanduser()


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Unwind on SIGTERM as on Ctrl-C, so that runs are closed and files are whole."""
    is_free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_free or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _raise_terminated(number: int, frame: Any) -> None:
    raise SystemExit(_TERMINATED)


def _say_stopped() -> None:
    click.echo("Stopped. What was finished is kept; the same command goes on from there.", err=True)


def _check_configuration(source: str, env: str | None) -> None:
    if "://" in source or Path(source).is_file():  # an archive, or somewhere else
        return
    folder = Path(source)
    if not folder.is_dir():
        raise UserError(
            f"There is no configuration here. Received: {source}. "
            "Name its folder or archive with --conf-source."
        )
    known = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if env and env not in known:
        raise UserError(f"There is no such environment. Received: {env}. Known: {_list(known)}.")


def _project_folder() -> Path:
    return find_kedro_project(Path.cwd()) or Path.cwd()


def _list(names: list[str]) -> str:
    return ", ".join(names)
