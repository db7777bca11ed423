"""The built documentation: every link leads somewhere, and a browser asks for nothing outside."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browsing import DESKTOP, PHONE, new_page
from clips import REPOSITORY

pytestmark = pytest.mark.extended


@dataclass
class Page(HTMLParser):
    """What a page links to, fetches, and can be linked to."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.anchors |= {known[name] for name in ("id", "name") if known.get(name)}
        if tag == "a" and known.get("href"):
            self.links.append(known["href"])
        elif tag == "link" and known.get("href") and known.get("rel") != "canonical":
            self.fetched.append(known["href"])
        elif known.get("src"):
            self.fetched.append(known["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the documentation, strictly, as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Return every page by its file."""
    found = {}
    for file in site.rglob("*.html"):
        page = Page()
        page.feed(file.read_text(encoding="utf-8"))
        found[file.resolve()] = page
    return found


def test_every_page_of_the_documentation_is_built(site):
    asked = {file.relative_to(REPOSITORY / "docs") for file in (REPOSITORY / "docs").rglob("*.md")}
    asked |= {Path("notebooks", f"{n.stem}.md") for n in (REPOSITORY / "notebooks").glob("*.ipynb")}
    asked |= {
        Path("contributing.md"),
        Path("reference/parameters.md"),
        Path("reference/api/video.md"),
    }
    assert [str(name) for name in asked if not (site / name.with_suffix(".html")).is_file()] == []


def test_every_link_leads_to_a_page_and_an_anchor_that_are_there(pages):
    broken = defaultdict(list)
    for file, page in pages.items():
        for link in [*page.links, *page.fetched]:
            target = urlsplit(link)
            if target.scheme or target.netloc:
                continue
            where = (file.parent / unquote(target.path)).resolve() if target.path else file
            if where.is_dir():
                where /= "index.html"
            is_there = where.is_file()
            if is_there and target.fragment and where in pages:
                is_there = unquote(target.fragment) in pages[where].anchors | {"__skip"}
            if not is_there:
                broken[file.name].append(link)
    # The page for what is not found stands at no fixed place, so its links begin at the root.
    broken.pop("404.html", None)
    assert dict(broken) == {}


def test_no_page_fetches_from_another_host(pages):
    elsewhere = {
        file.name: [link for link in page.fetched if urlsplit(link).netloc]
        for file, page in pages.items()
    }
    assert {name: links for name, links in elsewhere.items() if links} == {}


class TestInABrowser:
    @pytest.fixture
    def opened(self, browser, request):
        """Return a page of a size and scheme that asks no host for anything."""
        size, scheme = getattr(request, "param", (DESKTOP, "light"))
        with new_page(browser, viewport=size, color_scheme=scheme) as page:
            yield page

    @pytest.mark.parametrize(
        "opened", [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "dark")], indirect=True
    )
    def test_pages_fit_and_ask_for_nothing_outside(self, site, opened):
        for name in ("index", "tutorial", "reference/parameters", "notebooks/6_flow_extraction"):
            opened.goto(f"{(site / name).as_uri()}.html")
            wide, room = opened.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide <= room, name
        ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        is_dark = sum(map(int, ground.strip("rgb()").split(",")[:3])) < 3 * 128
        assert is_dark == opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")

    def test_search_works_without_a_server(self, site, opened):
        opened.goto((site / "index.html").as_uri())
        opened.click(".md-search__input")
        opened.keyboard.type("shapley")
        opened.wait_for_selector(".md-search-result__item", timeout=60_000)
        assert "Shapley" in opened.inner_text(".md-search-result__list")

    @pytest.mark.parametrize("opened", [(PHONE, "dark")], indirect=True)
    def test_a_figure_of_a_notebook_fits_a_phone(self, site, opened):
        title = {"text": "A title that is longer than a phone is wide, and then some words more"}
        figure = {"data": [{"y": [1, 2]}], "layout": {"width": 900, "height": 600, "title": title}}
        scripts = "".join(
            f'<script src="../assets/{name}"></script>' for name in ("plotly.min.js", "figures.js")
        )
        (site / "notebooks" / "figure.html").write_text(
            f'<meta charset="utf-8"><div class="figure"><script type="application/json">'
            f"{json.dumps(figure)}</script></div>{scripts}",
            encoding="utf-8",
        )
        opened.goto((site / "notebooks" / "figure.html").as_uri())
        rights = opened.locator(".main-svg, .gtitle").evaluate_all(
            "found => found.map(one => one.getBoundingClientRect().right)"
        )
        assert 0 < max(rights) <= PHONE["width"]
