"""Fixtures of all tests."""

import os
from pathlib import Path

import pytest
from clips import REPOSITORY
from hypothesis import settings


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the project; a test that needs it says that it skips."""
    folder = REPOSITORY.parent / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip(f"REAL CLIPS MISSING: there is no folder {folder}")
    return folder


# A third of the usual examples in the quick round, all of them and more in `make test-all`.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=200, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the extended tests among the slow ones, so that `-m "not slow"` stays quick."""
    for item in items:
        if item.get_closest_marker("extended"):
            item.add_marker(pytest.mark.slow)
