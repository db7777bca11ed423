"""The pipelines' graph as kedro-viz shows it: a colour a modality; and as files, without Kedro.

python -m hmdb_kedro.graph colour            # writes .viz/styles.json, which `kedro viz` reads
python -m hmdb_kedro.graph build FOLDER      # writes all of it, previews included
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import CONTEXT_SETTINGS, _split_params, env_option
from kedro.framework.project import pipelines
from kedro.framework.startup import bootstrap_project

from hmdb_kedro.cli.base import CleanCommand

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

# By tag: Okabe and Ito's colours, as in the figures; dark ones on light ground, light on dark.
COLOURS = {
    "rgb": {"light": "#F6D79A", "dark": "#8A5F00"},
    "flow": {"light": "#A9D5F2", "dark": "#00507D"},
    "evaluation": {"light": "#A6DFCB", "dark": "#006B4E"},
    "data": {"light": "#DDDDDD", "dark": "#555555"},
}
_STYLES = Path(".viz/styles.json")
# Templates of kedro-viz's server, one of which names a host that counts visits.
_NO_PAGES = ("autoreload.html", "telemetry.html")
_OTHER_HOSTS = re.compile(r"\s*<link[^>]*https?://[^>]*>")
# kedro-viz opens with a tour over the graph; who has closed it once does not see it again.
_NO_TOUR = """<script>
      localStorage.getItem("KedroViz") ||
        localStorage.setItem("KedroViz", '{"featureHintStep": 0, "showFeatureHints": false}');
    </script>
    </head>"""


def styles(pipeline: "Pipeline") -> dict[str, Any]:
    """Return how kedro-viz draws nodes and entries: in the colour of the modality they belong to.

    An entry has that of the node that makes it; what is brought, that of data. kedro-viz knows
    a node without its namespace: where several modalities have one of a name, it has no colour.
    """
    found: dict[str, set[str]] = {name: {"data"} for name in pipeline.inputs()}
    for node in pipeline.nodes:
        for name in (node.name.rpartition(".")[2], *node.outputs):
            found.setdefault(name, set()).add(_modality(node.tags))
    return {
        name: {"themes": {theme: {"fill": fill} for theme, fill in COLOURS[only].items()}}
        for name, modalities in sorted(found.items())
        for only in modalities
        if len(modalities) == 1 and not name.startswith("params:")
    }


def build(folder: Path, env: str | None, params: dict[str, Any]) -> None:
    """Write the graph with all previews as files that any server of files can show.

    Args:
        folder: Made where it is missing; what stands in it under the same names is replaced.
        env: The environment whose data are previewed.
        params: Parameters as for `kedro run`.
    """
    from kedro_viz.api.rest.responses.metadata import (  # noqa: PLC0415 - kedro-viz takes seconds
        get_package_compatibilities,
    )
    from kedro_viz.integrations.deployment.local_deployer import LocalDeployer  # noqa: PLC0415
    from kedro_viz.server import load_and_populate_data  # noqa: PLC0415

    load_and_populate_data(Path.cwd(), env, include_hooks=True, extra_params=params)

    class Deployer(LocalDeployer):
        def __init__(self) -> None:
            super().__init__()
            self._path = folder
            folder.mkdir(parents=True, exist_ok=True)

    Deployer().deploy(is_all_previews_enabled=True)
    # The page asks for it, and kedro-viz's own build leaves it out.
    known = [package.model_dump() for package in get_package_compatibilities()]
    metadata = {"has_missing_dependencies": False, "package_compatibilities": known}
    (folder / "api/metadata").write_text(json.dumps(metadata), encoding="utf-8")
    for page in folder.glob("*.html"):
        page.write_text(_offline(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name in _NO_PAGES:
        (folder / name).unlink(missing_ok=True)


def _modality(tags: Iterable[str]) -> str:
    return next((tag for tag in COLOURS if tag in tags), "data")


def _offline(page: str) -> str:
    return _OTHER_HOSTS.sub("", page).replace("</head>", _NO_TOUR)


def _colour() -> None:
    _STYLES.parent.mkdir(exist_ok=True)
    _STYLES.write_text(json.dumps(styles(pipelines["__default__"]), indent=1), encoding="utf-8")


@click.group(context_settings=CONTEXT_SETTINGS)
def main() -> None:
    """Colour the graph of the pipelines, or write it as files."""
    if not Path("pyproject.toml").is_file():
        raise click.ClickException("This is no project folder: there is no pyproject.toml.")
    bootstrap_project(Path.cwd())


@main.command("colour", cls=CleanCommand)
def colour_command() -> None:
    """Write the colours that `kedro viz` reads."""
    _colour()


@main.command("build", cls=CleanCommand)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--params", default="", callback=_split_params, help="As for `kedro run`.")
@env_option
def build_command(folder: Path, params: dict[str, Any], env: str | None) -> None:
    """Write the graph with its previews below FOLDER."""
    _colour()
    build(folder, env, params)
    click.echo(f"{folder}/index.html: to be opened through a server, as python -m http.server is.")


if __name__ == "__main__":
    main()
