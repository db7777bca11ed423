"""Nothing of an upload stays."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from hmdb_kedro.errors import UserError
from hmdb_kedro.page.uploads import Uploads, private_uploads


@pytest.fixture
def uploads(tmp_path):
    (tmp_path / "uploads").mkdir()
    return Uploads(tmp_path / "uploads")


def arrived(uploads, name="clip.avi"):
    """Put a file where Gradio would, and return what Gradio hands on."""
    file = uploads.folder / "1a2b3c" / name
    file.parent.mkdir()
    file.write_bytes(b"a clip")
    return {"path": str(file), "orig_name": name}


def test_an_upload_is_gone_once_it_was_read(uploads):
    with uploads.taken(arrived(uploads)) as (name, file):
        assert (name, file.read_bytes()) == ("clip.avi", b"a clip")
    assert list(uploads.folder.iterdir()) == []


def test_an_upload_is_gone_where_reading_fails(uploads):
    with pytest.raises(ValueError, match="broken"), uploads.taken(arrived(uploads)):
        raise ValueError("broken")
    assert list(uploads.folder.iterdir()) == []


def test_two_visitors_with_the_same_clip_both_get_to_read_it(uploads):
    given = arrived(uploads)
    with uploads.taken(given) as (_, file):
        with uploads.taken(given):
            pass
        assert file.read_bytes() == b"a clip"
    assert list(uploads.folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../secret", None, ""])
def test_a_path_elsewhere_is_not_read(uploads, path):
    secret = uploads.folder.parent / "secret"
    secret.write_text("mine")
    given = {"path": path and str(uploads.folder / path), "orig_name": "clip.avi"}
    with pytest.raises(UserError, match="did not arrive"), uploads.taken(given):
        pass
    assert secret.exists()


def aged(file, seconds):
    os.utime(file, (time.time() - seconds,) * 2)
    return file


def test_what_was_cut_or_nobody_takes_is_swept_away(uploads):
    for name in ("cut", "coming"):
        (uploads.folder / name).write_bytes(b"half a clip")
    aged(uploads.folder / "cut", 60)
    waiting = aged(Path(arrived(uploads)["path"]), 60)
    uploads.sweep()
    assert sorted(uploads.folder.rglob("*.*")) == [waiting]
    assert not (uploads.folder / "cut").exists()
    assert (uploads.folder / "coming").exists()
    aged(waiting, 3600)
    uploads.sweep()
    assert [file.name for file in uploads.folder.iterdir()] == ["coming"]


def test_what_waits_long_for_its_turn_is_not_swept_away(uploads):
    with uploads.taken(arrived(uploads)) as (_, file):
        aged(file, 3600)
        uploads.sweep()
        assert file.read_bytes() == b"a clip"
    assert list(uploads.folder.iterdir()) == []


def test_the_folder_is_private_and_goes_with_the_page():
    before = os.environ.get("TMPDIR")
    with private_uploads() as uploads:
        assert uploads.folder.stat().st_mode & 0o077 == 0
        assert os.environ["GRADIO_TEMP_DIR"] == os.environ["TMPDIR"]
        assert os.environ["TMPDIR"] == str(Path(tempfile.gettempdir()) / uploads.folder.name)
        arrived(uploads)
    assert not uploads.folder.exists()
    assert os.environ.get("TMPDIR") == before
    assert "GRADIO_TEMP_DIR" not in os.environ
