"""Execute the notebooks on the sample run, for the documentation, where either is new."""

import sys
from pathlib import Path

from docs_pages import notebooks

REPOSITORY = Path(__file__).parents[1]


def main() -> None:
    """Execute what has changed since; without a sample run, say so."""
    if not notebooks.has_sample_run(REPOSITORY):
        _say("There is no sample run: the notebooks are shown without outputs. Do: make run")
        return
    for file in notebooks.files(REPOSITORY):
        kept = notebooks.kept(file, REPOSITORY)
        if not kept.is_file():
            _say(f"Executing {file.name} …")
            _execute(file, kept)


def _execute(file: Path, kept: Path) -> None:
    import nbformat  # noqa: PLC0415 - only where something is executed

    notebook = notebooks.execute(file)
    kept.parent.mkdir(parents=True, exist_ok=True)
    for older in kept.parent.glob(f"{file.stem}-*.ipynb"):
        older.unlink()
    nbformat.write(notebook, kept)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
