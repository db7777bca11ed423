"""From archives as they are published to verified tables; targets that refuse; what is imported."""

import json
import os
import subprocess
import zipfile
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from clips import moving_clip, write_clip
from integration_run import kedro
from rar import rar_bytes, write_rar

from hmdb_kedro.datasets import LanceTable

pytestmark = pytest.mark.slow
LABELS = ("sit", "wave")
N_FILMS = 6
N_CLIPS = len(LABELS) * N_FILMS
STAGES = "data_prep,frames,flow"


def clip(label, film):
    return moving_clip(1, film % 3, n_frames=6, seed=film + 10 * LABELS.index(label))


def name(label, film):
    return f"film{film}_{label}_f_nm_np1_fr_med_{film}.avi"


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intake") / "videos"
    for label in LABELS:
        for film in range(N_FILMS):
            write_clip(folder / label / name(label, film), clip(label, film))
    return folder


def lists():
    """The official lists: the films 0 to 3 are to train on, 4 and 5 to test."""
    return {
        f"lists/{label}_test_split{split}.txt": "".join(
            f"{name(label, film)} {1 if film < 4 else 2} \n" for film in range(N_FILMS)
        ).encode()
        for label in LABELS
        for split in (1, 2, 3)
    }


def files_of(videos, label):
    return {f"{label}/{file.name}": file.read_bytes() for file in (videos / label).iterdir()}


def zipped(videos, folder):
    """The clips in one ZIP, the lists in another."""
    for stem, files in (
        ("clips", {key: data for label in LABELS for key, data in files_of(videos, label).items()}),
        ("splits", lists()),
    ):
        with zipfile.ZipFile(folder / f"{stem}.zip", "w") as archive:
            for key, data in files.items():
                archive.writestr(key, data)
    return folder / "clips.zip", folder / "splits.zip"


def rarred(videos, folder):
    """HMDB51 as it is published: a RAR of one RAR a class, and a RAR of lists."""
    classes = {f"{label}.rar": rar_bytes(folder, files_of(videos, label)) for label in LABELS}
    return write_rar(folder / "hmdb51_org.rar", classes), write_rar(folder / "s.rar", lists())


@pytest.mark.parametrize(
    "pack", [pytest.param(zipped, marks=pytest.mark.extended), rarred], ids=["zip", "rar of rars"]
)
def test_archives_become_verified_tables(videos, tmp_path, pack):
    clips, splits = pack(videos, tmp_path)
    given = f"data_root={tmp_path / 'out'},raw_videos_dir={clips},raw_splits_dir={splits}"
    result = kedro(tmp_path, "run", "--env", "small", "--pipelines", STAGES, "--params", given)
    shown = result.stdout + result.stderr
    assert result.returncode == 0, shown[-3000:]
    assert "Traceback" not in shown
    for stage in STAGES.split(","):
        report = json.loads(newest(tmp_path / "out", f"{stage}_report.json").read_text("utf-8"))
        assert (report["done"], report["rejected"], report["missing"]) == (N_CLIPS, {}, {})
    index = pd.read_parquet(newest(tmp_path / "out", "clip_index.parquet"))
    parts = Counter(index["partition"])
    assert (parts["test"], parts["train"] + parts["val"]) == (4, 8)
    frames, flow = (
        LanceTable(path=str(tmp_path / "out" / "04_feature" / f"{kind}.lance")).load()
        for kind in ("frames", "flow")
    )
    assert len(frames) == len(flow) == N_CLIPS
    for label in LABELS:
        for film in range(N_FILMS):
            drawn, clip_id = clip(label, film), f"{label}/{name(label, film)}"
            assert np.abs(frames[clip_id].astype(int) - drawn).mean() < 5
            inner = flow[clip_id][:, 16:-16, 16:-16]
            assert np.median(inner, axis=(0, 1, 2)) == pytest.approx([1, film % 3], abs=0.3)


@pytest.fixture
def read_only(tmp_path):
    """A folder that nobody can write: permissions do not stop root, a read-only mount does."""
    folder = tmp_path / "read_only"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mount.returncode != 0:
        pytest.skip(f"NO READ-ONLY FOLDER: root may not mount here ({mount.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_target_that_cannot_be_written_is_one_line(videos, tmp_path, read_only):
    given = f"data_root={read_only / 'out'},raw_videos_dir={videos},data_prep.splits=auto"
    result = kedro(tmp_path, "run", "--env", "small", "--pipelines", STAGES, "--params", given)
    shown = result.stdout + result.stderr
    assert result.returncode != 0
    assert "Traceback" not in shown
    _, _, message = result.stderr.partition("Error: ")
    assert message.count("\n") == 1, shown[-3000:]
    assert "cannot be written" in message
    assert str(read_only) in message
    assert "--params data_root=" in message


def test_data_prep_imports_no_tensorflow(videos, tmp_path):
    given = f"data_root={tmp_path / 'out'},raw_videos_dir={videos},data_prep.splits=auto"
    result = kedro(
        tmp_path,
        *("run", "--env", "small", "--pipeline", "data_prep", "--params", given),
        PYTHONPROFILEIMPORTTIME="1",
    )
    assert result.returncode == 0, result.stdout[-3000:]
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "hmdb_kedro.pipelines.data_prep.nodes" in imported
    assert not imported & {"tensorflow", "keras", "jax", "torch"}


def newest(root, file):
    return max(root.rglob(f"{file}/*/{file}"))
