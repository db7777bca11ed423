"""What people really have: broken clips, odd names and lists that do not match."""

import json

import numpy as np
import pytest
from clips import moving_clip, write_clip
from integration_run import kedro

pytestmark = pytest.mark.slow
ODD = "Ünïcode [a]+b!, c#d & e=f%20 (1) 'q'.avi"
N_GOOD = 12


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    """Run the extraction over two classes with every fault, and lists to match none of it."""
    root = tmp_path_factory.mktemp("messy")
    videos, splits = root / "my videos", root / "lists"
    splits.mkdir()
    good = []
    for label in ("wave", "sit & stand"):
        for number in range(N_GOOD // 2):
            name = f"film{number}_{label.replace(' ', '')}_f_nm_np1_fr_med_{number}.avi"
            clip = moving_clip(1, number % 3, n_frames=6, seed=number + len(label))
            write_clip(videos / label / name, clip)
            good.append((label, name))
    write_clip(videos / "wave" / ODD, moving_clip(2, 1, n_frames=6, seed=99))
    whole = (videos / "wave" / good[0][1]).read_bytes()
    broken = {
        "twin.avi": whole,
        "truncated.avi": whole[: len(whole) // 3],
        "empty.avi": b"",
        "text.avi": b"This is no video.\n" * 50,
    }
    for name, content in broken.items():
        (videos / "wave" / name).write_bytes(content)
    write_clip(videos / "wave" / "single.avi", moving_clip(0, 0, n_frames=1))
    write_clip(videos / "wave" / "unlisted.avi", moving_clip(1, 1, n_frames=6, seed=50))
    for label in ("wave", "sit & stand"):
        names = [name for of, name in good if of == label]
        lines = [f"{name} {1 if i < 4 else 2} " for i, name in enumerate(names)]
        lines.append("nobody_has_this.avi 1 ")
        if label == "wave":
            lines += [f"{name} 1 " for name in (ODD, *broken, "single.avi")]
        for split in (1, 2, 3):
            (splits / f"{label}_test_split{split}.txt").write_text("\n".join(lines), "utf-8")
    # Odd names in a path need an environment: `--params` splits at commas.
    given = f"data_root={root / 'out'},raw_videos_dir={videos},raw_splits_dir={splits}"
    result = kedro(
        root, "run", "--env", "small", "--pipelines", "data_prep,frames,flow", "--params", given
    )
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert "Traceback" not in result.stdout + result.stderr
    return root / "out"


def report(root, stage):
    found = max(root.rglob(f"{stage}_report.json/*/{stage}_report.json"))
    return json.loads(found.read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated.avi", ""),
        ("empty.avi", "the file is empty"),
        ("text.avi", "no video that OpenCV can open"),
        ("single.avi", "1 frame"),
        ("twin.avi", "wave/film0_wave"),
    ],
)
def test_a_broken_clip_is_listed_with_its_reason(messy, name, reason):
    assert reason in report(messy, "data_prep")["rejected"][f"wave/{name}"]


def test_nothing_is_lost_or_counted_twice(messy):
    found = report(messy, "data_prep")
    assert len(found["rejected"]) == 5
    assert found["done"] == N_GOOD + 2 + 5
    assert found["unlisted"] == 1
    assert found["missing"] == {
        "sit & stand": ["nobody_has_this.avi"],
        "wave": ["nobody_has_this.avi"],
    }


@pytest.mark.parametrize("stage", ["frames", "flow"])
def test_every_good_clip_is_extracted(messy, stage):
    found = report(messy, stage)
    assert (found["done"], found["rejected"], found["missing"]) == (N_GOOD + 2, {}, {})


def test_an_odd_name_leads_to_its_pictures(messy):
    from hmdb_kedro.datasets import LanceTable  # noqa: PLC0415

    flow = LanceTable(path=str(messy / "04_feature" / "flow.lance")).load()
    inner = flow[f"wave/{ODD}"][:, 16:-16, 16:-16]
    assert np.median(inner, axis=(0, 1, 2)) == pytest.approx([2, 1], abs=0.3)
