"""What every command shares: its options, its project, and how it ends."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import _split_params, env_option
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines, settings
from kedro.utils import find_kedro_project

from hmdb_kedro.errors import UserError
from hmdb_kedro.failures import explain
from hmdb_kedro.pipeline_registry import pipeline_names

_TERMINATED = 128 + signal.SIGTERM
GIVEN_PARAMS = "hmdb_kedro.given_params"

logger = logging.getLogger(__name__)


class CleanCommand(click.Command):
    """A command that says in one line what a user can mend, and ends calmly when stopped."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options.

        Raises:
            click.ClickException: Also in place of an error of what reads `--params` or `--config`.
        """
        given = " ".join(args)  # which click takes apart
        try:
            return super().make_context(info_name, args, parent, **extra)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            logger.debug("What stopped the command:", exc_info=error)
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise click.ClickException(
                f"`--params` or `--config` cannot be read: {reason}. Received: {given}. A file of "
                "--config begins with `run:`; values with brackets, quotes or backslashes belong "
                "into a parameters.yml of the environment."
            ) from None

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
    source = options.get("conf_source") or project_folder() / settings.CONF_SOURCE
    _check_configuration(str(source), options.get("env") or os.environ.get("KEDRO_ENV"))
    known = ["__default__", *pipeline_names()]
    asked = [options["pipeline"]] if options.get("pipeline") else options.get("pipelines") or []
    for name in asked:
        if name not in known:
            raise UserError(f"There is no such pipeline. Received: {name}. Known: {_list(known)}.")


def _split_and_keep(ctx: click.Context, option: click.Parameter, given: str) -> Any:
    """Return parameters as Kedro reads them, and keep them as they were given."""
    ctx.meta[GIVEN_PARAMS] = given
    return _split_params(ctx, option, given)


def project_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what says which project's data are meant: the options of `kedro run`."""
    for option in (
        click.option("--params", default="", callback=_split_and_keep, help="As for `kedro run`."),
        click.option("--conf-source", help="Folder or archive of configuration."),
        env_option,
    ):
        command = option(command)
    return command


def open_context(env: str | None, conf_source: str | None, params: dict[str, Any]) -> KedroContext:
    pipelines.set_requested([])  # none runs, so none is imported
    with settings.SESSION_CLASS.create(
        env=env, conf_source=conf_source, runtime_params=params
    ) as session:
        context: KedroContext = session.load_context()
        return context


def data_root(context: KedroContext) -> Path:
    given = context._runtime_params or {}
    root = given.get("data_root") or context.config_loader["globals"]["data_root"]
    return context.project_path / Path(str(root)).expanduser()


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


def project_folder() -> Path:
    return find_kedro_project(Path.cwd()) or Path.cwd()


def _list(names: list[str]) -> str:
    return ", ".join(names)
