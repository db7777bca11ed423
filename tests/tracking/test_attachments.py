"""What hangs on a model's run: data, figures, documents, signature and sample."""

import json
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from kedro.pipeline import Node

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.tracking.attachments import Attachments, clips_digest
from hmdb_kedro.tracking.model_runs import ModelRuns

# The store takes seconds to make, and a model imports TensorFlow.
pytestmark = pytest.mark.slow


def index(**changes):
    columns = {
        "clip_id": ["kick/a.avi", "kick/b.avi", "wave/c.avi"],
        "label": ["kick", "kick", "wave"],
        "label_id": [0, 0, 1],
        "source_video": ["a", "b", "c"],
        "content_hash": ["1", "2", None],
        "partition": ["train", "val", "test"],
        "path": ["/x/a.avi", "/x/b.avi", "/x/c.avi"],
    }
    return pd.DataFrame(columns | changes)


class Source:
    """What a session knows of places and versions."""

    def place(self, entry):
        return f"/data/{entry}"

    def data_version(self):
        return {"data_version": "today"}

    def tables(self, model):
        return {"flow": "yesterday"}


class Table:
    """One clip's flow fields, all alike."""

    clip_ids = ("kick/b.avi", "wave/c.avi")

    def shape(self, clip_id):
        return 9, 24, 32

    def take(self, clip_id, indices, reduce=1):
        return np.ones((len(indices), 24, 32, 2), np.float32)


def trained():
    inputs = keras.Input((4, 16, 16, 2), name="flow_stack")
    pooled = keras.layers.GlobalAveragePooling3D()(inputs)
    outputs = keras.layers.Dense(2, activation="softmax", name="probabilities")(pooled)
    sampler = {"modality": "flow", "window": 4, "window_stride": 1, "image_size": 16}
    how = {"sampler": sampler, "test_views": 1, "test_crops": "centre"}
    return TrainedModel(keras.Model(inputs, outputs), ("kick", "wave"), how)


@pytest.fixture
def session(store_address, tmp_path):
    """A parent run, what is attached below it, and a node of the temporal stream."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store_address)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(tmp_path.name, artifact_location=tmp_path.as_uri())
    mlflow.set_experiment(tmp_path.name)
    runs = ModelRuns(
        client.create_run(experiment), describe=lambda _: ({}, {}), find_earlier=lambda _: None
    )
    runs.open("temporal", anew=True)
    yield runs, Attachments(runs, Source())
    runs.end("FINISHED")
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(before)


def node(*tags):
    return Node(print, "clip_index", "x", name="n", tags=tags)


def artifact(runs, model, path):
    file = mlflow.artifacts.download_artifacts(run_id=runs.run_id(model), artifact_path=path)
    return Path(file)


def test_the_parts_and_the_tables_of_a_model_are_datasets_of_its_run(session):
    runs, attachments = session
    attachments.take_inputs({"clip_index": index()}, "temporal")
    attachments.take_inputs({"clip_index": index()}, "temporal")
    run = runs.client.get_run(runs.run_id("temporal"))
    noted = {seen.tags[0].value: seen.dataset for seen in run.inputs.dataset_inputs}
    assert set(noted) == {"training", "validation", "test", "pictures"}
    assert len(run.inputs.dataset_inputs) == 4
    assert json.loads(noted["training"].profile)["num_rows"] == 1
    assert noted["training"].digest == clips_digest(index().iloc[:1])
    assert (noted["pictures"].name, noted["pictures"].digest) == ("flow", "yesterday")
    (whole,) = runs.client.get_run(runs.run_id(None)).inputs.dataset_inputs
    assert whole.dataset.digest == run.data.tags["data_digest"] == clips_digest(index())
    assert run.data.tags["data_version"] == "today"


def test_a_digest_tells_clips_labels_and_parts_but_not_places_or_order():
    digest = clips_digest(index())
    assert clips_digest(index(path=["a", "b", "c"]).iloc[::-1]) == digest
    assert clips_digest(index(partition=["train", "test", "test"])) != digest
    assert clips_digest(index(content_hash=["1", "3", None])) != digest


def test_a_model_tells_its_signature_and_shows_an_input(session):
    runs, attachments = session
    model = trained()
    attachments.take_output("temporal.model", model, node(), "temporal")
    inputs = {"clip_index": index(), "temporal.model": model, "flow": Table()}
    attachments.take_inputs(inputs, "temporal")
    told = json.loads(artifact(runs, "temporal", "model/signature.json").read_text())
    signature = mlflow.models.ModelSignature.from_dict(told)
    assert signature.inputs.inputs[0].shape == (-1, 4, 16, 16, 2)
    assert signature.outputs.inputs[0].shape == (-1, 2)
    sample = np.load(artifact(runs, "temporal", "model/input_sample.npz"))
    assert sample["inputs"].shape == (1, 4, 16, 16, 2)
    assert sample["clip_id"] == ["kick/b.avi"]
    assert model.model(sample["inputs"]).shape == (1, 2)


def test_figures_and_documents_go_where_they_belong(session):
    runs, attachments = session
    attachments.take_output("temporal.curves", go.Figure(), node("flow"), "temporal")
    attachments.take_output("clips_by_class", go.Figure(), node("data"), None)
    runs.close()
    runs.open("two_stream", anew=True)
    attachments.take_output("report", "<html></html>", node("evaluation"), None)
    attachments.take_output("metrics", {"a": 1}, node("evaluation"), None)
    assert artifact(runs, "temporal", "figures/temporal.curves.json").stat().st_size
    assert artifact(runs, None, "figures/clips_by_class.json").stat().st_size
    assert artifact(runs, "two_stream", "report.html").read_text() == "<html></html>"
    assert [f.path for f in runs.client.list_artifacts(runs.run_id("two_stream"))] == [
        "report.html"
    ]


def test_a_store_that_takes_no_files_does_not_stop_a_run(session, monkeypatch, caplog):
    runs, attachments = session

    def refuse(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(runs.client, "log_text", refuse)
    attachments.take_output("report", "x", node("evaluation"), None)
    assert "MLflow did not take report.html: No space left" in caplog.text
