"""The API's pages: one a package, with the docstrings of its modules."""

import ast
from pathlib import Path

_ROOT = "hmdb_kedro"
_FOLDER = "reference/api"
_OWN = "own modules"  # those that stand beside the packages


def nav(repository: Path) -> list[dict[str, str]]:
    """Return a line a page."""
    return [{title: f"{_FOLDER}/{_file(title)}"} for title in _packages(repository)]


def pages(repository: Path) -> dict[str, str]:
    """Return the pages by where they stand."""
    return {
        f"{_FOLDER}/{_file(title)}": _page(title, modules, repository)
        for title, modules in _packages(repository).items()
    }


def _file(title: str) -> str:
    return f"{title.replace(' ', '-')}.md"


def _packages(repository: Path) -> dict[str, list[str]]:
    """Return the modules that hold something, by package; each pipeline is a package."""
    source = repository / "src"
    found: dict[str, list[str]] = {}
    for file in sorted((source / _ROOT).rglob("*.py")):
        parts = file.relative_to(source).with_suffix("").parts[1:]
        if not parts[-1].startswith("__") and _defines_something(file):
            package = ".".join(parts[:-1]) or _OWN
            found.setdefault(package, []).append(".".join((_ROOT, *parts)))
    return dict(sorted(found.items(), key=lambda item: item[0] != _OWN))


def _defines_something(file: Path) -> bool:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(
        isinstance(node, kinds) and not node.name.startswith("_")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
    )


def _page(title: str, modules: list[str], repository: Path) -> str:
    blocks = [f"::: {module}\n" for module in modules]
    return "\n".join([f"# {title}\n", *_introduction(title, repository), *blocks])


def _introduction(title: str, repository: Path) -> list[str]:
    if title == _OWN:
        return [f"Modules of `{_ROOT}` that stand beside its packages.\n"]
    file = repository.joinpath("src", _ROOT, *title.split("."), "__init__.py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return [f"{text}\n"] if text else []
