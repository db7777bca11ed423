"""Fixtures of all tests."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import chromium
from clips import REPOSITORY
from fingerprint import fingerprint
from hypothesis import settings


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the project; a test that needs it says that it skips."""
    folder = REPOSITORY.parent / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip(f"REAL CLIPS MISSING: there is no folder {folder}")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; no longer than a module, for its loop keeps asyncio from others."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def store_address(tmp_path_factory) -> str:
    """The one MLflow store that the tests of a process share: making it takes seconds."""
    from hmdb_kedro.tracking.hooks import make_store  # noqa: PLC0415 - imports Kedro

    address = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    make_store(address)
    return address


@pytest.fixture
def use_store():
    """Let a test choose MLflow's store, whatever a session of Kedro in this process has chosen."""
    import mlflow  # noqa: PLC0415 - takes seconds

    before = mlflow.get_tracking_uri()
    yield mlflow.set_tracking_uri
    mlflow.set_tracking_uri(before)


# A third of the usual examples in the quick round, all of them and more in `make test-all`.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


PASSED = REPOSITORY / ".cache" / "passed.json"
_passed: set[str] = set()
_failed: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make test-all` go on from `make test`."""
    parser.addoption(
        "--not-again",
        action="store_true",
        help="Leave out the slow tests that passed on this very tree before.",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module of slow tests alone where none of them is asked for: some bring Keras."""
    if collection_path.suffix != ".py" or config.option.markexpr != "not slow":
        return None
    source = collection_path.read_text(encoding="utf-8")
    return True if "\npytestmark = pytest.mark." in source else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Count extended tests among the slow ones; leave out what need not run again."""
    for item in items:
        if item.get_closest_marker("extended"):
            item.add_marker(pytest.mark.slow)
    if config.getoption("--not-again"):
        known = _passed_before()
        done = [i for i in items if i.nodeid in known and i.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in set(done)]
        config.hook.pytest_deselected(items=done)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what passes."""
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid)
    elif report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Keep it, beside what the tree is."""
    PASSED.parent.mkdir(exist_ok=True)
    kept = {"tree": _tree(), "tests": sorted((_passed | _passed_before()) - _failed)}
    PASSED.write_text(json.dumps(kept), encoding="utf-8")


def _passed_before() -> set[str]:
    known = json.loads(PASSED.read_text(encoding="utf-8")) if PASSED.is_file() else {}
    return set(known["tests"]) if known.get("tree") == _tree() else set()


def _tree() -> str:
    folders = ("src", "conf", "tests", "benchmarks", "notebooks")
    return fingerprint(*folders, "pyproject.toml", "requirements-dev.lock")
