"""A trained model as an ONNX file, which runs without Keras."""

import logging
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kedro.io import DatasetError

from hmdb_kedro.artefacts import OnnxFile
from hmdb_kedro.backend import load_keras, stderr_held_back
from hmdb_kedro.datasets.model_file import ModelFile, read_sidecar

_CONVERT = (
    "import sys\n"
    "from hmdb_kedro.backend import load_keras\n"
    "from hmdb_kedro.datasets.onnx_model import write_onnx\n"
    "write_onnx(load_keras().saving.load_model(sys.argv[1], compile=False), sys.argv[2])\n"
)


class OnnxModel(ModelFile[OnnxFile]):
    """Save a TrainedModel as ONNX with a JSON sidecar of the same stem; load where it is.

    Only TensorFlow converts any batch size: under another Keras backend a process of its own does.

    Example catalog entry:
    ```yaml
    spatial.onnx:
      type: hmdb_kedro.datasets.OnnxModel
      filepath: data/06_models/split1/spatial.onnx
      versioned: true
    ```
    """

    def load(self) -> OnnxFile:
        """Return the file's place, the classes and the preprocessing.

        Raises:
            DatasetError: A file is absent or damaged.
        """
        path = Path(self._get_load_path())
        try:
            return OnnxFile(path, *read_sidecar(path), self.resolve_load_version())
        except (OSError, ValueError, KeyError) as error:
            raise DatasetError(f"{path} is no model that can be loaded: {error}") from error

    def _write(self, model: Any, path: Path) -> None:
        write_onnx(model, path)


def write_onnx(model: Any, path: Path | str) -> None:
    """Convert a Keras model to an ONNX file: float32, any batch size.

    Raises:
        DatasetError: The process that converts under TensorFlow failed.
    """
    if load_keras().backend.backend() != "tensorflow":
        _write_elsewhere(model, path)
        return
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with stderr_held_back(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = _plain(model)
        given = [load_keras().InputSpec("float32", plain.input_shape, name="inputs")]
        plain.export(path, format="onnx", verbose=False, input_signature=given)


def _write_elsewhere(model: Any, path: Path | str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "model.keras"
        model.save(saved)
        done = subprocess.run(
            [sys.executable, "-c", _CONVERT, str(saved), str(path)],
            env=os.environ | {"KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise DatasetError(f"{path} cannot be converted: {done.stderr[-1000:]}")


def _plain(model: Any) -> Any:
    """Return the model in float32 throughout, its constants in a form that tf2onnx takes.

    It makes inputs of the tensors that `Normalization` keeps, which nobody could feed.
    """
    keras = load_keras()

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if "dtype" in config:  # operations have none
            config["dtype"] = "float32"
        if not isinstance(layer, keras.layers.Normalization):
            return type(layer).from_config(config)
        deviation = keras.ops.maximum(keras.ops.sqrt(layer.variance), keras.config.epsilon())
        scale = keras.ops.convert_to_numpy(1 / deviation).ravel()
        offset = -keras.ops.convert_to_numpy(layer.mean).ravel() * scale
        return keras.layers.Rescaling(
            scale.tolist(), offset.tolist(), dtype="float32", name=layer.name
        )

    copy = keras.models.clone_model(model, clone_function=copied, recursive=True)
    _copy_weights(model, copy)
    return copy


def _copy_weights(model: Any, copy: Any) -> None:
    for layer, twin in zip(model.layers, copy.layers, strict=True):
        if hasattr(layer, "layers"):
            _copy_weights(layer, twin)
        elif type(layer) is type(twin):
            twin.set_weights(layer.get_weights())
