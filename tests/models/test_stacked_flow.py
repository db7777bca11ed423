"""A 2D network on stacked flow, initialised from RGB weights."""

import numpy as np
import pytest
from learning import Epochs
from params import make

from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.errors import UserError
from hmdb_kedro.models.backbones import backbone_of
from hmdb_kedro.models.stacked_flow import build_flow_resnet50

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.slow
PARAMS = make("temporal", architecture="resnet50", window=5, image_size=32)


@pytest.fixture(scope="module")
def rgb():
    """An RGB ResNet-50 whose weights stand for published ones."""
    return keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    )


@pytest.fixture(scope="module")
def weights(rgb, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "rgb.weights.h5"
    rgb.save_weights(file)
    return file


def test_the_first_kernel_is_the_channel_mean_of_the_rgb_kernel(rgb, weights):
    model = build_flow_resnet50(PARAMS, num_classes=3, weights=weights, seed=1)
    kernel, bias = backbone_of(model).get_layer("conv1_conv").get_weights()
    rgb_kernel, rgb_bias = rgb.get_layer("conv1_conv").get_weights()
    assert kernel.shape == (7, 7, 10, 64)
    for channel in range(10):
        assert kernel[:, :, channel] == pytest.approx(rgb_kernel.mean(axis=2), abs=1e-7)
    assert np.array_equal(bias, rgb_bias)
    deep, rgb_deep = (m.get_layer("conv4_block2_2_conv") for m in (backbone_of(model), rgb))
    assert np.array_equal(deep.kernel, rgb_deep.kernel)


def test_channels_are_x_and_y_of_the_first_field_then_of_the_next():
    model = build_flow_resnet50(PARAMS, num_classes=3, weights=None, seed=1)
    stack = np.zeros((1, 5, 32, 32, 2), np.float32)
    stack[0] += np.arange(10).reshape(5, 1, 1, 2)
    channels = keras.Model(model.input, model.get_layer("channels").output)
    seen = channels.predict_on_batch(stack)
    # 20 px at 224 pixels are 127.5; at 32 pixels, a seventh as many pixels are.
    assert seen[0, 0, 0] == pytest.approx(np.arange(10) * 127.5 / 20 * 7, rel=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(file)
    with pytest.raises(UserError, match=r"`temporal\.weights`.*does not hold weights of resnet50"):
        build_flow_resnet50(PARAMS, num_classes=3, weights=file, seed=1)


@pytest.mark.extended
def test_the_model_loads_in_safe_mode(tmp_path):
    model = build_flow_resnet50(PARAMS, num_classes=3, weights=None, seed=1)
    model.save(tmp_path / "temporal.keras")
    again = keras.saving.load_model(tmp_path / "temporal.keras", compile=False, safe_mode=True)
    stack = np.random.default_rng(0).normal(size=(1, 5, 32, 32, 2)).astype(np.float32)
    assert np.array_equal(again.predict_on_batch(stack), model.predict_on_batch(stack))


def test_partial_batch_norm_learns_the_first_one_alone():
    model = build_flow_resnet50(PARAMS, num_classes=3, weights=None, seed=1)
    norms = [
        layer
        for layer in backbone_of(model).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert [layer.name for layer in norms if layer.trainable_weights] == ["conv1_bn"]
    assert len(norms) > 50


@pytest.mark.extended
def test_a_stack_trains_from_the_flow_table(weights, tmp_path):
    import pandas as pd  # noqa: PLC0415

    from hmdb_kedro.datasets.weights_folder import Weights  # noqa: PLC0415
    from hmdb_kedro.pipelines.temporal_training.nodes import train_on_flow  # noqa: PLC0415

    class MemoryFlow:
        kind, settings, version = "flow", {}, None
        clip_ids = tuple(f"{'ab'[i % 2]}/{i}.avi" for i in range(6))

        def shape(self, clip_id):
            return 12, 36, 48

        def take(self, clip_id, indices, reduce=1):
            return np.full((len(indices), 36, 48, 2), 1 if clip_id[0] == "a" else -1, np.float32)

    clips = pd.DataFrame({"clip_id": MemoryFlow.clip_ids, "partition": "train"})
    clips["label"] = clips["clip_id"].str[0]
    clips["label_id"] = (clips["label"] == "b").astype(int)
    params = PARAMS.model_copy(update={"weights": str(weights), "epochs": 1, "batch_size": 6})
    log, states = Epochs(), CheckpointFiles(tmp_path / "states")
    inputs = (clips, MemoryFlow(), Weights(tmp_path), params, 1, log, states)
    trained, history, _ = train_on_flow(*inputs)
    assert np.isfinite(log[0][1]["loss"])
    assert trained.model.input_shape == (None, 5, 32, 32, 2)
    assert len(history["epochs"]) == 1
