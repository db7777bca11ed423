"""What hangs on a run beside numbers: the data it saw, figures, report, signature, a sample.

Nothing of it is worth a training: where the store refuses, the log says so and the run goes on.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from kedro.io import DatasetError
from kedro.pipeline.node import Node
from mlflow.data.dataset import Dataset
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.data.pandas_dataset import PandasDataset
from mlflow.entities import DatasetInput, InputTag
from mlflow.exceptions import MlflowException
from mlflow.models.signature import ModelSignature
from mlflow.types import Schema, TensorSpec

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import FUSED
from hmdb_kedro.tracking.model_runs import ModelRuns, tag_run
from hmdb_kedro.tracking.registry import register
from hmdb_kedro.tracking.source import PICTURES, RunSource

logger = logging.getLogger(__name__)

# What a person opens: attached as it is.
DOCUMENTS = {"report": "report.html", "model_card": "model_card.md"}
_EVALUATION = "evaluation"
_INDEX = "clip_index"
# What a clip is to a model: not where its file lies, which differs between machines.
_TELLING = ["clip_id", "label", "source_video", "content_hash", "partition"]
_PARTS = {"train": "training", "val": "validation", "test": "test"}
_CONTEXT_TAG = "mlflow.data.context"
_DIGEST_LENGTH = 16


class _Table(MetaDataset):
    """A table of pictures, known by its version."""

    profile = None


class Attachments:
    """Attach what nodes take and make to the runs it belongs to."""

    def __init__(self, runs: ModelRuns, source: RunSource):
        """Take the runs of a session, and what tells places and versions."""
        self._runs, self._source, self._client = runs, source, runs.client
        self._noted: set[str] = set()

    def take_inputs(self, inputs: Mapping[str, Any], model: str | None) -> None:
        """Note the clips that a node sees, and a model's tables; attach a sample of its input.

        Args:
            inputs: Of the node, by entry.
            model: The one it works for.
        """
        index = inputs.get(_INDEX)
        if not isinstance(index, pd.DataFrame) or not set(_TELLING) <= set(index):
            return
        self._note_data(index, None)
        if model is None:
            return
        self._note_data(index, model)
        trained, pictures = inputs.get(f"{model}.model"), inputs.get(PICTURES.get(model, ""))
        sampled = f"{model}.model"
        if trained is not None and pictures is not None and sampled not in self._noted:
            self._noted.add(sampled)
            log_sample(self._client, self._runs.run_id(model), trained, index, pictures)

    def take_output(self, entry: str, data: Any, node: Node, model: str | None) -> None:
        """Attach a figure, a document, or the signature of a model.

        Args:
            entry: What has been saved.
            data: What was saved as it.
            node: What made it; all that evaluation makes is about the fused model.
            model: The one it works for.
        """
        run_id = self._runs.run_id(FUSED if _EVALUATION in node.tags else model)
        if entry in DOCUMENTS:
            log_text(self._client, run_id, data, DOCUMENTS[entry])
        elif type(data).__module__.startswith("plotly."):
            log_text(self._client, run_id, data.to_json(), f"figures/{entry}.json")
        elif isinstance(data, TrainedModel):
            log_signature(self._client, run_id, data)

    def publish(self) -> None:
        """Log the fused model as one that MLflow can serve, and register it.

        Its run has its figures by now, which say whether it is the best.
        """
        try:
            exported = self._source.exported()
        except (UserError, DatasetError) as error:
            logger.info("No model is logged to MLflow: %s", error)
            return
        from hmdb_kedro.serving.saving import log_scoring_model  # noqa: PLC0415 - imports OpenCV

        run_id = self._runs.run_id(FUSED)
        with _attaching("the model"):
            uri = log_scoring_model(self._client, run_id, exported, FUSED)
            register(self._client, uri, run_id)

    def _note_data(self, index: pd.DataFrame, model: str | None) -> None:
        run_id = self._runs.run_id(model)
        if run_id in self._noted:
            return
        self._noted.add(run_id)
        tags = {"data_digest": clips_digest(index), **self._source.data_version()}
        place = self._source.place(_INDEX)
        with _attaching("the data"):
            tag_run(self._client.get_run(run_id), tags)
            self._client.log_inputs(run_id, _clips(index, place, whole=model is None))
            if model is not None:
                self._client.log_inputs(run_id, self._tables(model))

    def _tables(self, model: str) -> list[DatasetInput]:
        return [
            _input(_Table(_source(self._source.place(table)), table, version), "pictures")
            for table, version in self._source.tables(model).items()
        ]


def clips_digest(clip_index: pd.DataFrame) -> str:
    """Return what tells these clips, with their labels and parts, from any others."""
    known = clip_index[_TELLING].sort_values("clip_id").astype(object)
    rows = known.where(known.notna(), None).to_numpy().tolist()
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:_DIGEST_LENGTH]


def log_text(client: mlflow.MlflowClient, run_id: str, text: str, path: str) -> None:
    """Attach a text under a path."""
    with _attaching(path):
        client.log_text(run_id, text, path)


def log_signature(client: mlflow.MlflowClient, run_id: str, trained: TrainedModel) -> None:
    """Attach what a model takes and gives, and how a clip becomes its input."""
    model = trained.model
    signature = ModelSignature(
        inputs=_tensor(model.inputs[0]),
        outputs=_tensor(model.outputs[0]),
    )
    told = {"classes": list(trained.classes), "preprocessing": trained.preprocessing}
    with _attaching("the signature"):
        client.log_dict(run_id, signature.to_dict(), "model/signature.json")
        client.log_dict(run_id, told, "model/preprocessing.json")


def log_sample(
    client: mlflow.MlflowClient,
    run_id: str,
    trained: TrainedModel,
    index: pd.DataFrame,
    pictures: Any,
) -> None:
    """Attach one input of a model, as it comes out of the preprocessing, and its clip's name."""
    from hmdb_kedro.training.scoring import input_sample  # noqa: PLC0415 - Keras is loaded by now
    from hmdb_kedro.training.streams import clips_of  # noqa: PLC0415

    clips = clips_of({"val", "test"}, index, pictures).iloc[:1]
    if clips.empty:
        return
    with _attaching("an input sample"), TemporaryDirectory() as folder:
        file = Path(folder) / "input_sample.npz"
        sample = input_sample(trained, clips, pictures)
        np.savez_compressed(file, inputs=sample, clip_id=clips["clip_id"].to_numpy(dtype=str))
        client.log_artifact(run_id, str(file), "model")


def _clips(index: pd.DataFrame, place: str, *, whole: bool) -> list[DatasetInput]:
    """Return all clips as one dataset, or one each of the parts that a model sees."""
    if whole:
        return [_input(_clip_table(index, place), "all clips")]
    parts = {context: index[index["partition"] == part] for part, context in _PARTS.items()}
    return [
        _input(_clip_table(rows, place), context) for context, rows in parts.items() if len(rows)
    ]


def _clip_table(rows: pd.DataFrame, place: str) -> Dataset:
    digest = clips_digest(rows)
    return PandasDataset(rows[_TELLING], _source(place), name=_INDEX, digest=digest)


def _source(place: str) -> DatasetSource:
    with warnings.catch_warnings():  # of MLflow's two kinds of local files, which are one
        warnings.simplefilter("ignore")
        return resolve_dataset_source(place)


def _input(dataset: Dataset, context: str) -> DatasetInput:
    return DatasetInput(dataset._to_mlflow_entity(), [InputTag(_CONTEXT_TAG, context)])


def _tensor(tensor: Any) -> Schema:
    """Return the schema of one of Keras' symbolic tensors; -1 stands for the batch."""
    shape = tuple(-1 if size is None else int(size) for size in tensor.shape)
    return Schema([TensorSpec(np.dtype(np.float32), shape, tensor.name)])


@contextmanager
def _attaching(what: str) -> Iterator[None]:
    try:
        yield
    except (MlflowException, OSError) as error:
        logger.warning("MLflow did not take %s: %s", what, " ".join(str(error).split()))
