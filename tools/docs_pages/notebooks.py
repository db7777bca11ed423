"""The notebooks' pages: as they were last executed, or their cells alone.

Executing them takes minutes, so that it is done once for each state of a notebook and each sample
run, and kept.
"""

import hashlib
import html
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docs_pages.root_files import relinked

_FOLDER = "notebooks"
_CACHE = Path(".cache", "notebooks")
_SAMPLE_RUN = Path("data", "sample", "08_reporting", "split1", "metrics.json")
_PLOTLY = "application/vnd.plotly.v1+json"
_CELL_TIMEOUT_S = 120
_RENDERED = (
    '!!! note ""\n    Executed on the sample set. The notebook itself: `notebooks/{name}.ipynb`.\n'
)
_BARE = (
    '!!! note "Without outputs"\n    This copy of the documentation was built without a finished '
    "sample run. `make run docs` shows the outputs here. The notebook itself: "
    "`notebooks/{name}.ipynb`.\n"
)
# Kedro's session prints with colours of a terminal.
_TERMINAL_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SCRIPTS = (
    '<script src="../assets/plotly.min.js"></script>\n'
    '<script src="../assets/figures.js"></script>\n'
)


def files(repository: Path) -> list[Path]:
    """Return the notebooks in their order."""
    return sorted((repository / _FOLDER).glob("*.ipynb"))


def nav(repository: Path) -> list[dict[str, str]]:
    """Return a line a page."""
    overview = [{"Overview": f"{_FOLDER}/index.md"}]
    return overview + [{_title(file): f"{_FOLDER}/{file.stem}.md"} for file in files(repository)]


def pages(repository: Path) -> dict[str, str]:
    """Return the pages by where they stand."""
    readme = (repository / _FOLDER / "README.md").read_text(encoding="utf-8")
    overview = relinked(readme, f"{_FOLDER}/README.md", f"{_FOLDER}/index.md")
    found = {f"{_FOLDER}/{file.stem}.md": _page(file, repository) for file in files(repository)}
    return {f"{_FOLDER}/index.md": overview, **found}


def assets() -> dict[str, str]:
    """Return what draws the figures, by where it stands."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - 5 MB

    return {"assets/plotly.min.js": get_plotlyjs()}


def has_sample_run(repository: Path) -> bool:
    """Whether there is what the notebooks show."""
    return (repository / _SAMPLE_RUN).is_dir()


def kept(file: Path, repository: Path) -> Path:
    """Name the executed copy of a notebook as it stands, of the newest sample run."""
    run = max((folder.name for folder in (repository / _SAMPLE_RUN).glob("*")), default="")
    digest = hashlib.sha256(file.read_bytes() + run.encode()).hexdigest()[:16]
    return repository / _CACHE / f"{file.stem}-{digest}.ipynb"


def execute(file: Path, *, first: str | None = None, allow_errors: bool = False) -> Any:
    """Run a notebook in its folder and return it with its outputs.

    Args:
        file: The notebook.
        first: Code to run after its first cell.
        allow_errors: Go on after a cell that fails.
    """
    import nbformat  # noqa: PLC0415 - seconds, and only where something is executed
    from nbclient import NotebookClient  # noqa: PLC0415

    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    if first is not None:
        position = next(k for k, cell in enumerate(notebook.cells) if cell.cell_type == "code")
        notebook.cells.insert(position + 1, nbformat.v4.new_code_cell(first))
    where = {"metadata": {"path": str(file.parent)}}
    client = NotebookClient(
        notebook, timeout=_CELL_TIMEOUT_S, allow_errors=allow_errors, resources=where
    )
    kernel = client.create_kernel_manager()
    with tempfile.TemporaryDirectory() as folder:
        # Through files, which are their owner's alone: of ports, open to all, a kernel warns.
        kernel.transport, kernel.ip = "ipc", f"{folder}/socket"
        client.execute()
    return notebook


def _title(file: Path) -> str:
    heading = json.loads(file.read_text(encoding="utf-8"))["cells"][0]["source"]
    return "".join(heading).splitlines()[0].removeprefix("# ")


def _page(file: Path, repository: Path) -> str:
    executed = kept(file, repository)
    is_rendered = executed.is_file()
    notebook = json.loads((executed if is_rendered else file).read_text(encoding="utf-8"))
    first, *others = notebook["cells"]
    note = (_RENDERED if is_rendered else _BARE).format(name=file.stem)
    parts = [_text(first["source"]), note]
    parts += [part for cell in others for part in _cell(cell)]
    text = "\n\n".join(parts)
    text = relinked(text, f"{_FOLDER}/{file.name}", f"{_FOLDER}/{file.stem}.md")
    return f"{text}\n\n{_SCRIPTS}" if is_rendered else text


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    if cell["cell_type"] == "markdown":
        yield _text(cell["source"])
        return
    yield f"```python\n{_text(cell['source'])}\n```"
    for output in cell["outputs"]:
        if "data" in output:
            yield _shown(output["data"])
        elif "text" in output:
            yield _plain(_text(output["text"]))


def _shown(data: dict[str, Any]) -> str:
    """Return an output as HTML: the richest of its kinds that needs no network."""
    if not _text(data.get("text/plain", "")).strip() and _PLOTLY not in data:
        return ""  # an empty line, or plotly's own code, of which the page has one copy
    if _PLOTLY in data:
        figure = json.dumps(data[_PLOTLY]).replace("</", "<\\/")
        return f'<div class="figure"><script type="application/json">{figure}</script></div>'
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{_text(data["image/png"]).strip()}">'
    if "text/html" in data:
        shown = _text(data["text/html"])
        return f'<div class="output">{" ".join(shown.split())}</div>'
    return _plain(_text(data["text/plain"]))


def _plain(text: str) -> str:
    plain = _TERMINAL_COLOUR.sub("", text.rstrip())
    lines = html.escape(plain).replace("\n", "&#10;")
    return f'<pre class="output">{lines}</pre>'


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
