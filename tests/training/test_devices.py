"""Precisions and devices of a training."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from clips import REPOSITORY
from learning import small_params, train

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets import KerasModel
from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.errors import UserError

pytestmark = pytest.mark.slow
TWO_CPUS = """
import sys
import tensorflow as tf

cpu, = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)

from pathlib import Path
import numpy as np
from learning import small_params, train
from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets import KerasModel
from hmdb_kedro.datasets.checkpoint import CheckpointFiles

states = CheckpointFiles(Path(sys.argv[1]))
# Without batch norm and dropout, halves of a batch teach what the whole does.
plain = dict(architecture="plain", dense_units=8, dropout=0.0, optimizer="sgd", epochs=3)
_, one = train(small_params(devices="cpu", **plain))
params = small_params(devices="all", **plain)
model, both = train(params, checkpoint=states)
assert type(model.distribute_strategy).__name__ == "MirroredStrategy"
again, resumed = train(params, checkpoint=states)
assert resumed["epochs"] == both["epochs"]
# Of eight samples, seven to a batch leave one for two devices.
few, _ = train(small_params(devices="all", architecture="compact", batch_size=7, epochs=2))
assert all(np.isfinite(weights).all() for weights in few.get_weights())
KerasModel(filepath=sys.argv[1] + "/model.keras").save(TrainedModel(model, ("a", "b"), {}))
print("LOSSES", one["epochs"][-1]["loss"], both["epochs"][-1]["loss"])
"""


def test_a_precision_is_the_models_own_and_is_saved_with_it(tmp_path):
    import keras  # noqa: PLC0415

    before = keras.config.dtype_policy().name
    params, states = small_params(epochs=2, precision="mixed_bfloat16"), tmp_path / "states"
    model, history = train(params, checkpoint=CheckpointFiles(states))
    assert keras.config.dtype_policy().name == before
    layer = model.get_layer("stage1_conv")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    dataset = KerasModel(filepath=str(tmp_path / "model.keras"))
    dataset.save(TrainedModel(model, ("a", "b"), {}))
    loaded = dataset.load().model
    inputs = np.ones((2, *model.input_shape[1:]), np.float32)
    probabilities = loaded.predict_on_batch(inputs)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, model.predict_on_batch(inputs), atol=1e-3)
    again, same = train(params, checkpoint=CheckpointFiles(states))
    assert same["epochs"] == history["epochs"]
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


def test_float16_scales_its_loss(monkeypatch):
    import keras  # noqa: PLC0415

    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
    from hmdb_kedro.training.devices import in_precision  # noqa: PLC0415
    from hmdb_kedro.training.optimization import make_optimizer  # noqa: PLC0415

    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: ["gpu:0"])
    params = small_params(precision="float16")
    with in_precision("float16"):
        model = build_cnn3d(params, num_classes=2, channels=2, seed=1)
    assert keras.config.dtype_policy().name == "float32"
    assert model.get_layer("stage1_conv").compute_dtype == "float16"
    assert model.get_layer("probabilities").compute_dtype == "float32"
    optimizer = make_optimizer(model, params)
    assert type(optimizer).__name__ == "LossScaleOptimizer"
    optimizer.learning_rate = 0.25
    assert float(optimizer.inner_optimizer.learning_rate) == 0.25


def test_float16_without_a_gpu_is_refused():
    with pytest.raises(UserError, match="`precision: float16` needs a GPU"):
        train(small_params(epochs=1, precision="float16", devices="cpu"))


def test_one_cpu_trains_as_the_default_does():
    _, default = train(small_params(epochs=1, devices="auto"))
    _, on_cpu = train(small_params(epochs=1, devices="cpu"))
    assert on_cpu["epochs"][0]["loss"] == pytest.approx(default["epochs"][0]["loss"], abs=1e-5)


def test_a_gpu_that_is_not_there_is_told(monkeypatch):
    import keras  # noqa: PLC0415

    monkeypatch.setattr(keras.distribution, "list_devices", lambda kind: [])
    with pytest.raises(UserError, match=r"`devices: gpu`: .* sees none"):
        train(small_params(epochs=1, devices="gpu"))


def test_torch_is_asked_for_its_own_devices(monkeypatch):
    import keras  # noqa: PLC0415

    from hmdb_kedro.training.devices import list_devices  # noqa: PLC0415

    cuda = SimpleNamespace(device_count=lambda: 2)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert (list_devices("cpu"), list_devices("gpu")) == (["cpu"], ["cuda:0", "cuda:1"])


@pytest.mark.extended
def test_two_devices_share_a_batch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TWO_CPUS, str(tmp_path)],
        cwd=REPOSITORY / "tests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    _, one, both = done.stdout.splitlines()[-1].split()
    assert float(both) == pytest.approx(float(one), rel=1e-3)
    assert KerasModel(filepath=str(tmp_path / "model.keras")).load().classes == ("a", "b")
