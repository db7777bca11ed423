"""Commands that use a trained recogniser."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from hmdb_kedro.cli.base import CleanCommand, open_context, project_options
from hmdb_kedro.cli.group import hmdb
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import FUSED


@hmdb.command(cls=CleanCommand)
@project_options
@click.argument("videos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV.")
@click.option("--top", default=5, show_default=True, type=click.IntRange(1), help="Classes shown.")
@click.option(
    "--overlay",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the video with labels, bars and its flow to this .mp4; one video only.",
)
@click.option(
    "--model-uri",
    help="The MLflow model that answers, instead of the last run: models:/two_stream@best, say.",
)
@click.option(
    "--explain",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the frames and regions that counted to this folder, a picture a video and stream.",
)
def predict(
    env: str | None,
    conf_source: str | None,
    params: dict[str, Any],
    videos: tuple[Path, ...],
    form: str | None,
    **wanted: Any,
) -> None:
    """Say which action VIDEOS (or folders of them) show, by the last finished run."""
    from hmdb_kedro.jobs import predicting  # noqa: PLC0415

    context = open_context(env, conf_source, params)
    asked = predicting.Wanted(videos, form or "text", **wanted)
    if not predicting.predict(context.catalog, asked, env):
        click.get_current_context().exit(1)


@hmdb.command(cls=CleanCommand)
@project_options
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(env: str | None, conf_source: str | None, params: dict[str, Any], folder: Path) -> None:
    """Write the recogniser to FOLDER, for `hmdb-predict`: ONNX files, and all else as JSON."""
    from hmdb_kedro.jobs import predicting  # noqa: PLC0415

    context = open_context(env, conf_source, params)
    streams = predicting.export(context.catalog, folder, env)
    click.echo(f"{', '.join(streams)} and their fusion: {folder}. Use: hmdb-predict {folder} VIDEO")


@hmdb.command(cls=CleanCommand)
@project_options
@click.option("--port", type=click.IntRange(1, 65535), help="Of the page; by default a free one.")
def demo(
    env: str | None, conf_source: str | None, params: dict[str, Any], port: int | None
) -> None:
    """Open a page on this machine: drop a clip, and see what the last finished run says."""
    from hmdb_kedro.page.serving import serve  # noqa: PLC0415

    context = open_context(env, conf_source, params)
    chosen = f" --env {env}" if env else ""
    serve(
        context.catalog, port, "make run" if env == "sample" else f"kedro run{chosen}", click.echo
    )


@hmdb.command(cls=CleanCommand, name="serve")
@project_options
@click.option("--port", default=5001, show_default=True, type=click.IntRange(1, 65535))
def serve_best(env: str | None, conf_source: str | None, params: dict[str, Any], port: int) -> None:
    """Serve the best two-stream model on this machine, by MLflow's own server."""
    from mlflow import MlflowClient  # noqa: PLC0415 - seconds

    from hmdb_kedro.tracking.hooks import choose_store  # noqa: PLC0415
    from hmdb_kedro.tracking.registry import BEST  # noqa: PLC0415

    store = choose_store(open_context(env, conf_source, params))
    known = MlflowClient(store).search_registered_models(f"name = '{FUSED}'")
    if not any(BEST in model.aliases for model in known):
        command = "make run" if env == "sample" else f"kedro run{f' --env {env}' if env else ''}"
        raise UserError(f"There is no model to serve yet. Received: {store}. Do: {command}")
    serving = ["models", "serve", "-m", f"models:/{FUSED}@{BEST}", "--env-manager", "local"]
    os.execve(  # in place of this process, so that signals reach the server
        sys.executable,
        [sys.executable, "-m", "mlflow", *serving, "-h", "127.0.0.1", "-p", str(port)],
        os.environ | {"MLFLOW_TRACKING_URI": store},
    )
