"""What the 3D CNNs compute, before they have learnt anything."""

from typing import get_args

import keras
import numpy as np
import pytest
from params import TYPES, make

from hmdb_kedro.models.cnn3d import build_cnn3d

pytestmark = pytest.mark.slow
SMALL = {"filters": [4, 8], "image_size": 16, "window": 4, "dense_units": 8}


def histograms(model, flow):
    """Return what `oriented` sees of flow (T, S, S, 2): (T / 2, S / 4, S / 4, 8)."""
    seen = keras.Model(model.input, model.get_layer("cells").output)
    return seen.predict(flow[None], verbose=0)[0]


@pytest.fixture(scope="module")
def oriented():
    params = make("temporal", architecture="oriented", **SMALL)
    return build_cnn3d(params, num_classes=3, channels=2, seed=1)


@pytest.mark.parametrize(
    ("branch", "architecture"),
    [
        (branch, architecture)
        for branch in ("cnn3d_v2", "temporal")
        for architecture in get_args(TYPES[branch].model_fields["architecture"].annotation)
        if architecture != "resnet50"  # a 2D network: tests/models/test_stacked_flow.py
    ],
)
def test_every_architecture_is_built(branch, architecture):
    params = make(branch, architecture=architecture, **SMALL)
    channels = 2 if branch == "temporal" else 3
    model = build_cnn3d(params, num_classes=3, channels=channels, seed=1)
    assert model.name == f"cnn3d_{architecture}"
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("degrees", [0, 45, 90, 225])
def test_flow_in_one_direction_is_strongest_in_its_bin(oriented, degrees):
    direction = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    flow = np.broadcast_to(2 * direction, (4, 16, 16, 2)).astype(np.float32)
    found = histograms(oriented, flow)
    assert np.allclose(found[..., degrees // 45], 2, atol=1e-5)
    assert np.allclose(found[..., (degrees // 45 + 4) % 8], 0, atol=1e-5)


def test_mirrored_flow_mirrors_the_histograms(oriented):
    flow = np.random.default_rng(1).normal(size=(4, 16, 16, 2)).astype(np.float32)
    mirrored = flow[:, :, ::-1] * np.array([-1, 1], np.float32)
    bins = [(4 - bin_) % 8 for bin_ in range(8)]
    expected = histograms(oriented, flow)[:, :, ::-1][..., bins]
    assert np.allclose(histograms(oriented, mirrored), expected, atol=1e-5)


def test_the_directions_are_not_trained(oriented):
    assert "orientations" not in {
        weight.path.split("/")[0] for weight in oriented.trainable_weights
    }


@pytest.mark.parametrize("architecture", ["plain", "compact", "oriented"])
def test_a_saved_model_computes_the_same(architecture, tmp_path):
    params = make("temporal", architecture=architecture, **SMALL)
    model = build_cnn3d(params, num_classes=3, channels=2, seed=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    flow = np.random.default_rng(2).normal(size=(2, 4, 16, 16, 2)).astype(np.float32)
    assert np.array_equal(loaded.predict(flow, verbose=0), model.predict(flow, verbose=0))


@pytest.mark.parametrize(
    ("branch", "changes", "value", "seen"),
    [
        ("cnn3d_v2", {}, 255, 1),
        ("cnn3d_v2", {}, 0, -1),
        ("cnn3d_v2", {"rgb_difference": True}, 0, 0),
        ("cnn3d_v2", {"rgb_difference": True}, -255, -2),
        ("temporal", {}, 3, 3),
    ],
)
def test_inputs_are_brought_to_a_range_about_zero(branch, changes, value, seen):
    params = make(branch, image_size=16, window=2, filters=[4, 4], **changes)
    channels = 2 if branch == "temporal" else 3
    model = build_cnn3d(params, num_classes=2, channels=channels, seed=1)
    rescaled = keras.Model(model.input, model.get_layer("rescale").output)
    stack = np.full((1, 2, 16, 16, channels), value, np.float32)
    assert rescaled.predict_on_batch(stack) == pytest.approx(np.full_like(stack, seen))
