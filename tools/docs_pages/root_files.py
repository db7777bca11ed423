"""Pages that stand elsewhere in the repository: their links are turned to where the pages are."""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
_LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?P<anchor>#[^)]*)?\)")


def pages(repository: Path) -> dict[str, str]:
    """Return the pages by where they stand."""
    return {
        page: relinked((repository / file).read_text(encoding="utf-8"), file, page)
        for file, page in _PAGES.items()
    }


def relinked(text: str, file: str, page: str) -> str:
    """Turn links that hold in the repository to links that hold in the documentation.

    Args:
        text: Markdown.
        file: Where it stands in the repository.
        page: Where it stands in the documentation.
    """

    def turned(found: re.Match[str]) -> str:
        target = normpath(PurePosixPath(file).parent / found["target"])
        known = {**_PAGES, "notebooks/README.md": "notebooks/index.md"}
        here = known.get(target, target.removeprefix("docs/"))
        return f"]({relpath(here, PurePosixPath(page).parent)}{found['anchor'] or ''})"

    return _LINK.sub(turned, text)
