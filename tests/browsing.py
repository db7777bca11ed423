"""A headless browser for the tests that look at pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
# What a page may ask for without a host.
INSIDE = ("file:", "data:", "blob:")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Debian's Chromium; skip, and say so, where there is none."""
    if not CHROMIUM.is_file():
        pytest.skip(f"BROWSER MISSING: there is no {CHROMIUM}")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - these tests alone

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Any, address: str = "", **how: Any) -> Iterator[Any]:
    """Lend a page that asks no host but that of the address, and logs no error.

    Args:
        browser: Chromium.
        address: Where requests may go beside what lies in the page or in files.
        how: Size and scheme, as Playwright takes them.
    """
    asked: list[str] = []
    wrong: list[str] = []
    page = browser.new_page(**how)
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    inside = (address, *INSIDE) if address else INSIDE
    assert [url for url in asked if not url.startswith(inside)] == []
    assert wrong == []
