"""The code blocks of the documentation."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clips import REPOSITORY
from markdown_it import MarkdownIt

PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "notebooks" / "README.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        page: Where it stands.
        line: Where it begins, from 1.
        language: `sh`, `python`, `yaml` …; empty for an indented one.
        text: What it holds.
    """

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            yield Block(page, token.map[0] + 1, token.info.strip(), token.content)


ALL = [block for page in PAGES for block in blocks(page)]
