"""Save a recogniser as an MLflow model."""

import base64
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array, Object, Property

import hmdb_kedro
from hmdb_kedro.inference import write_export
from hmdb_kedro.inference.exported import Exported
from hmdb_kedro.inference.logged import EXPORT
from hmdb_kedro.inference.recogniser import TOP_K
from hmdb_kedro.serving.scoring import MODEL_CONFIG, VIDEO

# What an answer takes; no Kedro, no Keras, no TensorFlow.
REQUIREMENTS = (
    "mlflow",
    "numpy",
    "onnxruntime",
    "opencv-contrib-python-headless",
    "pandas",
    "pydantic",
)


def log_scoring_model(
    client: mlflow.MlflowClient, run_id: str, exported: Exported, name: str
) -> str:
    """Log a recogniser as an MLflow model of a run.

    Step by step rather than by `mlflow.pyfunc.log_model`, which would load the model and answer the
    input example before it lets a run go on.

    Returns:
        The model's address: `models:/m-…`.
    """
    experiment_id = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    model = Model(
        artifact_path=logged.artifact_location,
        model_uuid=logged.model_id,
        model_id=logged.model_id,
        run_id=run_id,
    )
    try:
        with TemporaryDirectory() as folder:
            save_scoring_model(exported, Path(folder) / "model", model)
            client.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
    except BaseException:
        with suppress(MlflowException):  # which may be what went wrong
            client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    outputs = [mlflow.entities.LoggedModelOutput(logged.model_id, step=0)]
    client.log_outputs(run_id, outputs)
    return f"models:/{logged.model_id}"


def save_scoring_model(exported: Exported, folder: Path, model: Model | None = None) -> None:
    """Save a recogniser as an MLflow model that brings its code, and needs no Kedro.

    Args:
        exported: What an export is made of.
        folder: Is made.
        model: What is known of it already: its run, its identity.
    """
    with TemporaryDirectory() as work:
        write_export(exported, Path(work) / EXPORT.name)
        mlflow.pyfunc.save_model(
            folder,
            loader_module="hmdb_kedro.serving.scoring",
            data_path=str(Path(work) / EXPORT.name),
            code_paths=[str(Path(hmdb_kedro.__file__).parent)],
            mlflow_model=model,
            signature=_signature(),
            input_example=pd.DataFrame({VIDEO: [_example(Path(work))]}),
            pip_requirements=[f"{package}=={version(package)}" for package in REQUIREMENTS],
            model_config=dict(MODEL_CONFIG),
        )


def _signature() -> ModelSignature:
    text, number = DataType.string, DataType.double
    ranked = Object([Property("label", text), Property("probability", number)])
    stream = Object(
        [
            Property("stream", text),
            Property("label", text),
            Property("probability", number),
            Property("weight", number),
        ]
    )
    action = Object(
        [
            Property("start_s", number),
            Property("end_s", number),
            Property("label", text),
            Property("probability", number),
        ]
    )
    answer: list[tuple[str, Any]] = [
        ("name", text),
        ("label", text),
        ("probability", number),
        ("threshold", number),
        ("seconds", number),
        ("top", Array(ranked)),
        ("streams", Array(stream)),
        ("timeline", Array(action)),
    ]
    outputs: list[Any] = [
        ColSpec(type=kind, name=name, required=name != "threshold") for name, kind in answer
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(type=text, name=VIDEO)]),
        outputs=Schema(outputs),
        params=ParamSchema([ParamSpec("top_k", DataType.long, TOP_K)]),
    )


def _example(folder: Path) -> str:
    """Return a second of a square that moves, in base64."""
    file = folder / "example.avi"
    size, fourcc = 96, cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(file), cv2.CAP_OPENCV_MJPEG, fourcc, 30.0, (size, size))
    for left in range(30):
        frame = np.full((size, size, 3), 96, np.uint8)
        frame[32:64, left : left + 32] = 224
        writer.write(frame)
    writer.release()
    return base64.b64encode(file.read_bytes()).decode()
