"""A training killed again and again ends with the scores of one that was left in peace."""

import random
import shutil
import signal
import time

import mlflow
import numpy as np
import pandas as pd
import pytest
from clips import moving_clip, write_clip
from integration_run import kedro, start_kedro

pytestmark = pytest.mark.extended
N_KILLS, N_CLIPS, EPOCHS = 4, 24, 12
DATA = "data_prep.splits=auto,frames.short_side=48,flow.short_side=48,split=1"
TRAINING = (
    f"temporal.epochs={EPOCHS},temporal.image_size=32,temporal.window=4,temporal.samples_per_clip=8,"
    "temporal.loader_threads=1,temporal.refit=true,temporal.patience=5"
)


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """Clips of two motions, and their flow."""
    root = tmp_path_factory.mktemp("killed_training")
    for number in range(N_CLIPS):
        motion = ((1, 0), (0, 1))[number % 2]
        clip = moving_clip(*motion, n_frames=12, height=48, width=64, seed=number)
        write_clip(root / "videos" / ("wave", "sit")[number % 2] / f"{number}.avi", clip)
    done = kedro(root, *arguments(root, root / "data", "--pipelines", "data_prep,frames,flow"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root


def arguments(root, data_root, *which):
    given = f"data_root={data_root},raw_videos_dir={root / 'videos'},{DATA},{TRAINING}"
    return ["run", "--env", "small", *which, "--params", given]


def model_folder(data_root):
    return data_root / "06_models" / "split1"


def newest(folder, name):
    (file,) = folder.glob(f"{name}/*/{name}")
    return file


def states(data_root):
    return sorted(model_folder(data_root).glob("temporal_checkpoint/*/*/epoch*.npz"))


def test_kills_change_neither_history_nor_scores(extracted, tmp_path):
    which = ("--nodes", "temporal.train,temporal.score")
    roots = {name: tmp_path / name / "data" for name in ("killed", "left")}
    for data_root in roots.values():
        shutil.copytree(extracted / "data", data_root)
    done = kedro(roots["left"].parent, *arguments(extracted, roots["left"], *which))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    killed, draw, reached = roots["killed"], random.Random(2), []
    for _ in range(N_KILLS):
        before = states(killed)
        process = start_kedro(killed.parent, *arguments(extracted, killed, *which))
        deadline = time.monotonic() + 120
        while states(killed) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        reached.append([str(state.relative_to(killed)) for state in states(killed)])
    assert reached[0], "the first kill came before the first epoch's end"
    done = kedro(killed.parent, *arguments(extracted, killed, *which))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "going on after epoch" in done.stdout + done.stderr
    assert not states(killed), "checkpoints were left"

    histories, scores = {}, {}
    for name, data_root in roots.items():
        histories[name] = pd.read_json(
            newest(model_folder(data_root), "temporal_history.json"), typ="series"
        )
        output = data_root / "07_model_output" / "split1"
        scores[name] = pd.read_parquet(newest(output, "temporal_scores.parquet"))
    assert histories["killed"]["epochs"] == histories["left"]["epochs"]
    assert histories["killed"]["chosen_epoch"] == histories["left"]["chosen_epoch"]
    probabilities = [table[["sit", "wave"]].to_numpy() for table in scores.values()]
    np.testing.assert_allclose(*probabilities, atol=1e-6)

    client = mlflow.MlflowClient(f"sqlite:///{killed.parent / 'mlflow.db'}")
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.model = 'temporal'")
    assert [run.info.status for run in runs] == ["FINISHED"]
    assert runs[0].info.run_id == histories["killed"]["run_id"]
    steps = {point.step for point in client.get_metric_history(runs[0].info.run_id, "val_loss")}
    assert steps == set(range(len(histories["left"]["epochs"])))
    parent = client.get_run(runs[0].data.tags["mlflow.parentRunId"])
    assert parent.info.status == "FINISHED"
