"""The catalog's page: every entry of `conf/base`, with the comment that stands above it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ENTRY = re.compile(r'^"?(?P<name>[\w{}.]+)"?:\s*$')
_TITLES = {
    "data_prep": "Clips and their index",
    "frames": "Frames",
    "flow": "Optical flow",
    "training": "Models and their scores",
    "fusion_eval": "Fusion, evaluation, report",
}
_HEAD = """# Catalog

What the pipelines exchange, as it stands above each entry of `conf/base/catalog_*.yml`. `<model>`
is `spatial`, `cnn3d_v1`, `cnn3d_v2`, `temporal` or, where it makes sense, `two_stream`; `<name>` is
the name of a figure. Load one in a notebook or in `kedro ipython` by `catalog.load("metrics")`.
*Versioned*: every run keeps what it made, and `--load-versions NAME:VERSION` loads an older one.
Columns and keys in full: [Data](../data.md).
"""


@dataclass(frozen=True)
class Entry:
    """An entry of the catalog.

    Attributes:
        name: With `{model}` and the like where it is a pattern.
        comment: The lines above it, as one paragraph; empty where there are none.
        settings: What is below it.
    """

    name: str
    comment: str
    settings: dict[str, Any]

    @property
    def shown_name(self) -> str:
        """The name as people write it: `<model>.scores`."""
        return self.name.replace("{", "<").replace("}", ">")


def entries(file: Path) -> Iterator[Entry]:
    """Yield the entries of a catalog file in its order."""
    text = file.read_text(encoding="utf-8")
    settings = yaml.safe_load(text)
    comment: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif found := _ENTRY.match(line):
            yield Entry(found["name"], " ".join(comment), settings[found["name"]])
            comment = []
        elif not line.strip():
            comment = []


def page(repository: Path) -> str:
    """Return the page, a table a file."""
    folder = repository / "conf" / "base"
    parts = [_HEAD]
    for stage, title in _TITLES.items():
        rows = [_row(entry) for entry in entries(folder / f"catalog_{stage}.yml")]
        head = ["| entry | holds | kept as | versioned |", "|---|---|---|---|"]
        parts.append("\n".join([f"## {title}\n", *head, *rows, ""]))
    return "\n".join(parts)


def _row(entry: Entry) -> str:
    comment = re.sub(r"\bdocs/([\w.#-]+\w)", r"[Data](../\1)", entry.comment)
    cells = [
        f"`{entry.shown_name}`",
        comment.replace("|", "\\|").replace("<", "&lt;"),
        f"`{entry.settings['type'].removeprefix('hmdb_kedro.')}`",
        "yes" if entry.settings.get("versioned") else "–",
    ]
    return f"| {' | '.join(cells)} |"
