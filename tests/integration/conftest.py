"""The one sample run that all integration tests share."""

import shutil

import pytest
from clips import REPOSITORY
from filelock import FileLock
from fingerprint import fingerprint
from integration_run import SAMPLE_RUN, Run, kedro


@pytest.fixture(scope="session")
def sample_run() -> Run:
    """Run the whole chain once; go on with that run while nothing it depends on has changed."""
    root = REPOSITORY / ".cache" / "sample_run" / fingerprint("src", "conf", "requirements.lock")
    log = root / "output.log"
    root.parent.parent.mkdir(exist_ok=True)
    with FileLock(root.parent.parent / "sample_run.lock"):  # tests run in two processes
        if not log.is_file():
            shutil.rmtree(root.parent, ignore_errors=True)
            root.mkdir(parents=True)
            result = kedro(root, *SAMPLE_RUN, "--params", f"data_root={root}")
            assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]
            log.write_text(result.stdout + result.stderr, encoding="utf-8")
    return Run(root, log.read_text(encoding="utf-8"))
