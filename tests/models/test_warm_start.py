"""Trainings that start from a model of an earlier run."""

import logging

import numpy as np
import pytest
from learning import small_params

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets import KerasModel, WeightsFolder
from hmdb_kedro.errors import UserError

pytestmark = pytest.mark.slow


def build(classes, seed=1, channels=2, **changes):
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras

    params = small_params(**changes)
    return build_cnn3d(params, num_classes=len(classes), channels=channels, seed=seed)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A model as the catalog has saved and finds it."""
    folder = tmp_path_factory.mktemp("earlier")
    file = folder / "temporal.keras"
    KerasModel(filepath=str(file)).save(TrainedModel(build("ab"), ("a", "b"), {}))
    return WeightsFolder(path=str(folder)).load().earlier_model(str(file))


def start(model, earlier, classes):
    from hmdb_kedro.models.warm_start import start_from  # noqa: PLC0415

    start_from(model, earlier, tuple(classes))


def test_all_weights_come_from_a_model_of_the_same_classes(earlier):
    model = build("ab", seed=2)
    start(model, earlier, "ab")
    inputs = np.random.default_rng(0).normal(size=(2, 4, 16, 16, 2)).astype(np.float32)
    np.testing.assert_allclose(
        model.predict_on_batch(inputs), earlier.model.predict_on_batch(inputs), atol=1e-6
    )


def test_the_head_is_new_where_the_classes_differ(earlier, caplog):
    model, fresh = build("abc", seed=2), build("abc", seed=2)
    with caplog.at_level(logging.INFO):
        start(model, earlier, "abc")
    assert "its layer `probabilities` is new" in caplog.text
    body = model.get_layer("stage1_conv").get_weights()
    head = model.get_layer("probabilities").get_weights()
    assert np.array_equal(body[0], earlier.model.get_layer("stage1_conv").get_weights()[0])
    assert np.array_equal(head[0], fresh.get_layer("probabilities").get_weights()[0])


def test_as_many_but_other_classes_make_a_new_head_too(earlier):
    model, fresh = build("xy", seed=2), build("xy", seed=2)
    start(model, earlier, "xy")
    heads = [m.get_layer("probabilities").get_weights()[0] for m in (model, fresh)]
    assert np.array_equal(*heads)


def test_other_sizes_of_input_take_the_same_weights(earlier):
    model = build("ab", seed=2, image_size=32, window=8)
    start(model, earlier, "ab")
    assert np.array_equal(
        model.get_layer("stage2_conv").get_weights()[0],
        earlier.model.get_layer("stage2_conv").get_weights()[0],
    )


@pytest.mark.parametrize(
    ("changes", "received"),
    [
        ({"filters": [4, 16]}, r"the first, `stage2_conv`.*Received: \[\(3, 3, 3, 4, 8\)\]"),
        ({"channels": 3}, r"`stage1_conv`.*3, 3, 3, 3, 4.*Received: \[\(3, 3, 3, 2, 4\)\]"),
        ({"filters": [4, 8, 8]}, r"`stage3_conv`.*Received: no such layer"),
        ({"architecture": "plain", "dense_units": 8}, "another architecture than cnn3d_plain"),
    ],
)
def test_another_architecture_is_refused_by_its_first_layer(earlier, changes, received):
    with pytest.raises(UserError, match=received):
        start(build("ab", seed=2, **changes), earlier, "ab")


def test_an_earlier_model_is_tried_before_anything_runs(earlier):
    from hmdb_kedro.models.trial import try_start  # noqa: PLC0415 - imports Keras

    try_start(small_params(), earlier)
    with pytest.raises(UserError, match=r"another architecture .* layers differ"):
        try_start(small_params(filters=[4, 16]), earlier)
