"""Fixtures of all tests."""

from pathlib import Path

import pytest
from clips import REPOSITORY


@pytest.fixture(scope="session")
def real_clips() -> Path:
    """The folder of real clips beside the project; a test that needs it says that it skips."""
    folder = REPOSITORY.parent / "shared" / "clips"
    if not folder.is_dir():
        pytest.skip(f"REAL CLIPS MISSING: there is no folder {folder}")
    return folder
