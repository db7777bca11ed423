"""Models as ONNX: the same answers without Keras, for any batch."""

import json

import numpy as np
import pytest
from learning import small_params
from params import make

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets import OnnxModel
from hmdb_kedro.inference.streams import onnx_network

pytestmark = pytest.mark.slow


def models():
    """Yield a normalising 3D CNN, one in mixed precision, and a convolution with constants."""
    import keras  # noqa: PLC0415

    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
    from hmdb_kedro.training.devices import in_precision  # noqa: PLC0415

    yield build_cnn3d(small_params(), num_classes=3, channels=2, seed=1)
    with in_precision("mixed_bfloat16"):
        yield build_cnn3d(
            make("cnn3d_v2", image_size=16, window=4, filters=[4, 8]),
            num_classes=3,
            channels=3,
            seed=1,
        )
    picture = keras.Input((8, 8, 3))
    centred = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 9.0, 1.0])(picture)
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    flat = keras.layers.GlobalAveragePooling2D()(inner(centred))
    yield keras.Model(picture, keras.layers.Dense(3, activation="softmax")(flat))


def test_an_onnx_file_answers_as_the_model_does_in_float32(tmp_path, capfd):
    for number, model in enumerate(models()):
        dataset = OnnxModel(filepath=str(tmp_path / str(number) / "m.onnx"))
        dataset.save(TrainedModel(model, ("a", "b", "c"), {"test_views": 2}))
        loaded = dataset.load()
        assert (loaded.classes, loaded.preprocessing) == (("a", "b", "c"), {"test_views": 2})
        assert sorted(file.name for file in loaded.path.parent.iterdir()) == ["m.json", "m.onnx"]
        network = onnx_network(loaded.path)
        tolerance = 1e-4 if model.dtype_policy.name == "float32" else 2e-2
        for n_inputs in (1, 3):
            shape = (n_inputs, *model.input_shape[1:])
            inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            expected = model.predict_on_batch(inputs)
            np.testing.assert_allclose(network(inputs), expected, atol=tolerance)
    assert "tf2onnx" not in capfd.readouterr().err


@pytest.mark.extended
def test_a_model_of_another_backend_is_converted_by_a_process_of_its_own(tmp_path, monkeypatch):
    from hmdb_kedro.backend import load_keras  # noqa: PLC0415

    model = next(models())
    keras = load_keras()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    dataset = OnnxModel(filepath=str(tmp_path / "m.onnx"))
    dataset.save(TrainedModel(model, ("a", "b", "c"), {}))
    inputs = np.ones((2, *model.input_shape[1:]), np.float32)
    answers = onnx_network(dataset.load().path)(inputs)
    np.testing.assert_allclose(answers, model.predict_on_batch(inputs), atol=1e-4)


def test_without_its_sidecar_it_is_no_model(tmp_path):
    from kedro.io import DatasetError  # noqa: PLC0415

    (tmp_path / "m.onnx").write_bytes(b"x")
    with pytest.raises(DatasetError, match="no model"):
        OnnxModel(filepath=str(tmp_path / "m.onnx")).load()
    (tmp_path / "m.json").write_text(json.dumps({"classes": []}))
    with pytest.raises(DatasetError, match="no model"):
        OnnxModel(filepath=str(tmp_path / "m.onnx")).load()
