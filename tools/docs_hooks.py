"""What mkdocs asks while it builds the documentation: the pages that are generated.

None of them is kept in git: each is read off the code, the configuration or a finished run.
"""

import re
from pathlib import Path
from typing import Any

from docs_pages import (
    api,
    catalog,
    commands,
    notebooks,
    parameters,
    pictures,
    published,
    root_files,
)
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

REPOSITORY = Path(__file__).parents[1]
_API, _NOTEBOOKS = "API", "Notebooks"
_MODULE_NAME = re.compile(r'(?:doc-module-name"|<h1 [^>]*)>[\w.]+')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the parts of the navigation that are lists of what there is."""
    _fill(config.nav, _API, api.nav(REPOSITORY))
    _fill(config.nav, _NOTEBOOKS, notebooks.nav(REPOSITORY))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and pictures."""
    pages = {
        "reference/catalog.md": catalog.page(REPOSITORY),
        "reference/parameters.md": parameters.page(REPOSITORY),
        "reference/commands.md": commands.page(REPOSITORY),
        **api.pages(REPOSITORY),
        **notebooks.pages(REPOSITORY),
        **root_files.pages(REPOSITORY),
    }
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    for name, data in (pictures.files() | notebooks.assets()).items():
        files.append(File.generated(config, name, content=data))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the published figures where a page asks for them."""
    return markdown.replace("{{ published }}", published.table())


def on_page_content(html: str, **_: Any) -> str:
    """Let the names of modules break at their dots on a phone, not within a word."""
    return _MODULE_NAME.sub(lambda name: name.group().replace(".", ".<wbr>"), html)


def _fill(nav: Any, title: str, entries: list[Any]) -> None:
    """Put entries in place of the text that stands below a title, at any depth."""
    for item in nav:
        for name, below in item.items() if isinstance(item, dict) else ():
            if name == title:
                item[name] = entries
            elif isinstance(below, list):
                _fill(below, title, entries)
