"""Randomness is the model's own, on every backend."""

import keras
import pytest
from learning import small_params

from hmdb_kedro.models.cnn3d import build_cnn3d
from hmdb_kedro.models.seeding import all_layers

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("architecture", ["plain", "compact"])
def test_dropout_draws_from_a_generator_of_its_own(architecture):
    params = small_params(architecture=architecture, dense_units=8, dropout=0.5)
    model = build_cnn3d(params, num_classes=2, channels=2, seed=1)
    found = [layer for layer in all_layers(model) if isinstance(layer, keras.layers.Dropout)]
    assert found
    # Keras' torch backend asks for this: a generator without it is passed over.
    assert all(layer.seed is not None for layer in found)
