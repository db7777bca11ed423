"""A protocol killed between two runs goes on with the second, and sums both up."""

import json
import signal
import time

import pytest
from clips import moving_clip, write_clip
from integration_run import kedro, start_kedro

pytestmark = pytest.mark.extended
PARAMS = (
    "data_prep.splits=auto,frames.short_side=48,flow.short_side=48,temporal.epochs=1,"
    "temporal.image_size=32,temporal.window=4,temporal.samples_per_clip=1"
)


def versions(data_root, split, entry):
    return sorted(data_root.glob(f"0*/split{split}/{entry}/*/{entry}"))


def test_a_kill_between_two_runs_costs_neither(tmp_path):
    data_root = tmp_path / "data"
    for number in range(16):
        motion = ((1, 0), (0, 1))[number % 2]
        clip = moving_clip(*motion, n_frames=10, height=48, width=64, seed=number)
        write_clip(tmp_path / "videos" / ("wave", "sit")[number % 2] / f"{number}.avi", clip)
    given = f"data_root={data_root},raw_videos_dir={tmp_path / 'videos'},{PARAMS}"
    which = ("--pipelines", "data_prep,flow,temporal_training", "--models", "temporal")
    command = ("hmdb", "protocol", "--env", "small", "--splits", "1,2", *which, "--params", given)

    process = start_kedro(tmp_path, *command)
    deadline = time.monotonic() + 300
    ready = (
        "temporal_protocol.json",
        "temporal_scores.parquet",
        "temporal_ablation_scores.parquet",
    )
    while not all(versions(data_root, 1, entry) for entry in ready):
        assert process.poll() is None, "it ended before the first run did"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not versions(data_root, 2, "temporal_protocol.json")

    done = kedro(tmp_path, *command)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert [len(versions(data_root, split, "temporal_history.json")) for split in (1, 2)] == [1, 1]
    (file,) = data_root.glob("08_reporting/protocol_summary.json/*/protocol_summary.json")
    summary = json.loads(file.read_text(encoding="utf-8"))
    assert (summary["splits"], list(summary["models"])) == ([1, 2], ["temporal"])
    assert len(summary["models"]["temporal"]["runs"]) == 2
