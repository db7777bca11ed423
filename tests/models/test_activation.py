"""Maps of evidence, held to networks that are known to look at one thing."""

from typing import get_args

import keras
import numpy as np
import pytest
from params import TYPES, make
from watching import watching_channels

from hmdb_kedro.models.activation import activation_maps, has_activation_maps
from hmdb_kedro.models.cnn3d import build_cnn3d
from hmdb_kedro.models.spatial import build_spatial
from hmdb_kedro.models.stacked_flow import build_flow_resnet50

pytestmark = pytest.mark.slow
SMALL = {"filters": [4, 8], "image_size": 16, "window": 4, "dense_units": 8}


@pytest.mark.parametrize(("class_index", "cell"), [(0, (1, 6)), (1, (5, 2))])
def test_the_only_region_with_evidence_lights_up(class_index, cell):
    picture = np.zeros((1, 32, 32, 3), np.float32)
    picture[0, 4:8, 24:28, 0] = 1  # speaks for class 0
    picture[0, 20:24, 8:12, 1] = 1  # speaks for class 1
    maps, probabilities = activation_maps(watching_channels((32, 32, 3)), picture, class_index)
    assert maps.shape == (1, 8, 8)
    assert np.argwhere(maps[0] > 1e-6).tolist() == [list(cell)]
    assert probabilities == pytest.approx([0.5])


def test_the_only_moment_with_motion_lights_up():
    flow = np.zeros((1, 6, 16, 16, 2), np.float32)
    flow[0, 4, 8:12, 12:16, 0] = 2  # to the right, at the fifth of six moments
    maps, probabilities = activation_maps(watching_channels((6, 16, 16, 2)), flow, 0)
    assert maps.shape == (1, 6, 4, 4)
    assert np.argwhere(maps[0] > 1e-6).tolist() == [[4, 2, 3]]
    assert probabilities[0] > 0.5


def test_what_speaks_against_a_class_is_left_out():
    picture = np.zeros((1, 32, 32, 3), np.float32)
    picture[0, 4:8, 24:28, 0] = -1
    maps, probabilities = activation_maps(watching_channels((32, 32, 3)), picture, 0)
    assert not maps.any()
    assert probabilities[0] < 0.5


def test_the_mean_of_a_map_is_the_share_of_the_logit():
    """Where nothing speaks against a class, its map holds all that the dense layer adds up."""
    picture = np.random.default_rng(1).random((4, 32, 32, 3)).astype(np.float32)
    model = watching_channels((32, 32, 3))
    logits = np.stack([activation_maps(model, picture, c)[0].mean(axis=(1, 2)) for c in (0, 1)])
    expected = np.exp(logits) / np.exp(logits).sum(axis=0)
    found = model.predict_on_batch(picture)
    assert found == pytest.approx(expected.T, abs=1e-6)


@pytest.mark.parametrize(
    "architecture", get_args(TYPES["temporal"].model_fields["architecture"].annotation)
)
def test_every_temporal_architecture_but_the_plain_one_has_maps(architecture):
    params = make("temporal", architecture=architecture, **SMALL | {"image_size": 32})
    if architecture == "resnet50":
        model = build_flow_resnet50(params, num_classes=3, weights=None, seed=1)
    else:
        model = build_cnn3d(params, num_classes=3, channels=2, seed=1)
    assert has_activation_maps(model) == (architecture != "plain")
    if architecture == "plain":
        with pytest.raises(ValueError, match="must end in pooling"):
            activation_maps(model, np.zeros((1, 4, 32, 32, 2), np.float32), 0)


def test_the_spatial_stream_has_maps_after_it_was_stored(tmp_path):
    params = make("spatial", backbone="mobilenet", weights="none", image_size=64)
    model = build_spatial(params, num_classes=3, weights=None, seed=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    pictures = 255 * np.random.default_rng(1).random((2, 64, 64, 3)).astype(np.float32)
    maps, probabilities = activation_maps(loaded, pictures, 1)
    assert maps.shape == (2, 2, 2)
    assert probabilities == pytest.approx(model.predict_on_batch(pictures)[:, 1], abs=1e-5)
