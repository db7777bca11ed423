"""What a page leaves behind when it is killed goes with the next one."""

import os
import signal
import subprocess
import sys
import tempfile

import pytest

from hmdb_kedro.page.folders import own_folder

HOLDS = """
import time
from hmdb_kedro.page.folders import own_folder
with own_folder() as folder:
    (folder / "upload.avi").write_bytes(b"a clip")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_private_and_goes_at_the_end(temporary):
    with own_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "upload.avi").touch()
    assert list(temporary.iterdir()) == []


def test_folders_of_dead_pages_go_and_those_of_living_ones_stay(temporary):
    environment = os.environ | {"TMPDIR": str(temporary)}
    pages = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(2)
    ]
    dead, living = (temporary / page.stdout.readline().strip() for page in pages)
    pages[0].send_signal(signal.SIGKILL)
    pages[0].communicate()
    assert dead.exists()
    with own_folder():
        assert not dead.exists()
        assert (living / "upload.avi").exists()
    pages[1].send_signal(signal.SIGKILL)
    pages[1].communicate()
    with own_folder() as folder:
        assert {entry.stem for entry in temporary.iterdir()} == {folder.name}
