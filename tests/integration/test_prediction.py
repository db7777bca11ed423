"""Prediction gives the scores that the run has stored, by Keras and from an export."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow
SCORED = ("spatial", "temporal", "two_stream")
N_CLIPS = 6


@pytest.fixture(scope="module")
def catalog(sample_run):
    return sample_run.catalog()


@pytest.fixture(scope="module")
def export(sample_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "export"
    given = ("--env", "sample", "--params", f"data_root={sample_run.root}")
    result = sample_run.kedro("hmdb", "export", str(folder), *given)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def test_clips(catalog):
    index = catalog.load("clip_index")
    chosen = index[index["partition"] == "test"].iloc[:: 108 // N_CLIPS].head(N_CLIPS)
    videos = catalog.load("raw_videos")
    return {row.clip_id: videos[row.path].file for row in chosen.itertuples()}


def largest_difference(recogniser, catalog, test_clips):
    """Return how far fused scores and those of the streams are from the stored ones."""
    stored = {name: catalog.load(f"{name}.scores").set_index("clip_id") for name in SCORED}
    worst = 0.0
    for clip_id, file in test_clips.items():
        found = recogniser.predict(file)
        scores = {answer.stream: answer.probabilities for answer in found.streams}
        for name, probabilities in (scores | {"two_stream": found.probabilities}).items():
            row = stored[name].loc[clip_id, list(recogniser.classes)]
            worst = max(worst, float(np.abs(row.to_numpy(float) - probabilities).max()))
    return worst


def test_keras_gives_the_stored_scores(catalog, test_clips):
    from hmdb_kedro.jobs.predicting import recogniser_of  # noqa: PLC0415 - imports Kedro

    recogniser = recogniser_of(catalog)
    assert recogniser.streams == ("spatial", "temporal")
    assert largest_difference(recogniser, catalog, test_clips) <= 1e-5


def test_an_export_gives_the_stored_scores(catalog, test_clips, export):
    from hmdb_kedro.inference import Recogniser  # noqa: PLC0415

    assert largest_difference(Recogniser.from_export(export), catalog, test_clips) <= 1e-4


def test_95_percent_of_validation_clips_are_accepted(catalog):
    threshold = catalog.load("two_stream.fusion")["threshold"]
    scores: pd.DataFrame = catalog.load("two_stream.scores")
    validation = scores[scores["partition"] == "val"]
    surest = validation.drop(columns=["clip_id", "partition", "label"]).max(axis=1)
    assert (surest >= threshold - 1e-6).mean() >= 0.95


def test_the_command_of_an_export_answers_without_kedro_and_keras(export, test_clips):
    command = [sys.executable, "-X", "importtime", "-m", "hmdb_kedro.inference.command"]
    files = [str(file) for file in test_clips.values()]
    done = subprocess.run(
        [*command, str(export), *files, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert [answer["name"] for answer in json.loads(done.stdout)] == files
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "onnxruntime" in imported
    assert not imported & {"kedro", "keras", "tensorflow", "mlflow", "pandas", "pyarrow"}


@pytest.mark.extended
def test_kedro_predicts_and_writes_the_overlay(sample_run, test_clips, tmp_path):
    given = ("--env", "sample", "--params", f"data_root={sample_run.root}")
    file = next(iter(test_clips.values()))
    overlay = tmp_path / "out.mp4"
    result = sample_run.kedro("hmdb", "predict", str(file), "--overlay", str(overlay), *given)
    assert result.returncode == 0, result.stdout + result.stderr
    assert str(file) in result.stdout
    assert "spatial" in result.stdout
    assert overlay.stat().st_size > 10_000
    (tmp_path / "bad.avi").write_bytes(b"no video")
    result = sample_run.kedro("hmdb", "predict", str(tmp_path / "bad.avi"), *given)
    assert result.returncode == 1
    assert "no video that OpenCV can open" in result.stderr
    assert "Traceback" not in result.stderr
