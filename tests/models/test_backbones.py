"""Backbones of the spatial stream: what they see, what of them learns, what is saved."""

import json
import zipfile

import numpy as np
import pytest
from clips import REPOSITORY
from params import make

from hmdb_kedro.errors import UserError
from hmdb_kedro.models import backbones
from hmdb_kedro.models.cost import count_gflops
from hmdb_kedro.models.spatial import build_frozen, build_spatial

keras = pytest.importorskip("keras")
SQUEEZENET = REPOSITORY.parent / "shared" / "weights" / "squeezenet_imagenet.keras"

# Keras takes seconds to load.
pytestmark = pytest.mark.slow


def save_backbone(file, channels=3, size=None, dense=False):
    """Save a small network of two stages with batch norm, as a user would."""
    layers = keras.layers
    inputs = keras.Input((size, size, channels))
    x = layers.Rescaling(1 / 255)(inputs)
    for stage in (1, 2):
        x = layers.Conv2D(4 * stage, 3, padding="same", name=f"stage{stage}_conv")(x)
        x = layers.BatchNormalization(name=f"stage{stage}_norm")(x)
        x = layers.MaxPooling2D(name=f"stage{stage}_pool")(x)
    x = layers.Dense(4)(layers.Flatten()(x)) if dense else x
    keras.Model(inputs, x, name="small").save(file)
    return str(file)


@pytest.fixture
def saved(tmp_path):
    return save_backbone(tmp_path / "small.keras")


def frames(size=32, n=2):
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.float32)


APPLICATIONS = ["resnet50", "resnet50v2", "vgg16", "mobilenet_v2", "densenet121", "EfficientNetB0"]


@pytest.mark.parametrize("name", APPLICATIONS)
def test_preprocessing_is_the_applications_own(name):
    inputs = keras.Input((32, 32, 3))
    ours = keras.Model(inputs, backbones._preprocessed(inputs, name) * 1.0)
    _, module = backbones._find_application(name)
    expected = module.preprocess_input(frames())
    assert ours.predict_on_batch(frames()) == pytest.approx(expected, abs=2e-3)


def test_a_saved_backbone_keeps_its_weights_and_takes_plain_rgb(saved):
    model = build_frozen(make("spatial", backbone=saved, image_size=32), weights=None, seed=5)
    network = keras.saving.load_model(saved)
    expected = network.predict_on_batch(frames()).mean(axis=(1, 2))
    assert model.predict_on_batch(frames()) == pytest.approx(expected, abs=1e-6)


def test_random_weights_are_drawn_from_the_seed(saved):
    def drawn(seed):
        params = make("spatial", backbone=saved, weights="random", image_size=32)
        return build_frozen(params, weights=None, seed=seed).predict_on_batch(frames())

    assert np.array_equal(drawn(1), drawn(1))
    assert not np.array_equal(drawn(1), drawn(2))


def test_random_weights_keep_nothing_of_what_was_learned(saved, tmp_path):
    network = keras.saving.load_model(saved)
    network.set_weights([weights + 0.5 for weights in network.get_weights()])
    other = str(tmp_path / "other.keras")
    network.save(other)
    drawn = [
        build_frozen(
            make("spatial", backbone=file, weights="random", image_size=32), weights=None, seed=1
        ).predict_on_batch(frames())
        for file in (saved, other)
    ]
    assert np.array_equal(*drawn)


@pytest.mark.parametrize(
    ("tune_from", "batch_norm", "learning"),
    [
        (None, "frozen", ["stage1_conv", "stage2_conv"]),
        (None, "partial", ["stage1_conv", "stage1_norm", "stage2_conv"]),
        (None, "trained", ["stage1_conv", "stage1_norm", "stage2_conv", "stage2_norm"]),
        ("stage2", "frozen", ["stage2_conv"]),
        ("stage2", "partial", ["stage2_conv", "stage2_norm"]),
    ],
)
def test_a_stage_and_batch_norm_say_what_learns(saved, tune_from, batch_norm, learning):
    params = make(
        "spatial", backbone=saved, image_size=32, tune_from=tune_from, batch_norm=batch_norm
    )
    model = build_spatial(params, num_classes=3, weights=None, seed=1)
    layers = backbones.backbone_of(model).layers
    assert [layer.name for layer in layers if layer.trainable_weights] == learning
    assert model.get_layer("probabilities").trainable_weights


def test_frozen_batch_norm_keeps_its_statistics(saved):
    params = make("spatial", backbone=saved, image_size=32, batch_norm="frozen")
    model = build_spatial(params, num_classes=2, weights=None, seed=1)
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    norm = backbones.backbone_of(model).get_layer("stage1_norm")
    before = [np.array(weight) for weight in norm.get_weights()]
    model.train_on_batch(frames(), np.eye(2, dtype=np.float32))
    for old, new in zip(before, norm.get_weights(), strict=True):
        assert np.array_equal(old, new)


def test_an_unknown_stage_names_those_there_are(saved):
    params = make("spatial", backbone=saved, image_size=32, tune_from="conv4")
    with pytest.raises(UserError, match=r"tune_from.*'conv4'.*stage1, stage2"):
        build_spatial(params, num_classes=2, weights=None, seed=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": 1}, r"must take RGB"),
        ({"size": 48, "dense": True}, r"does not take RGB pictures of 32"),
    ],
)
def test_a_backbone_of_other_pictures_is_refused(tmp_path, changes, message):
    file = save_backbone(tmp_path / "other.keras", **changes)
    with pytest.raises(UserError, match=message):
        build_frozen(make("spatial", backbone=file, image_size=32), weights=None, seed=1)


def test_models_inside_a_saved_backbone_are_taken_apart(tmp_path):
    layers = keras.layers
    deep = keras.Sequential([keras.Input((None, None, 4)), layers.Conv2D(6, 3, name="deep_conv")])
    inner_input = keras.Input((None, None, 3))
    inner = keras.Model(inner_input, deep(layers.Conv2D(4, 1, name="flat_conv")(inner_input)))
    inputs = keras.Input((None, None, 3))
    outer = keras.Model(inputs, inner(keras.ops.flip(layers.Rescaling(1 / 255)(inputs), axis=-1)))
    outer.save(tmp_path / "nested.keras")
    params = make(
        "spatial", backbone=str(tmp_path / "nested.keras"), image_size=32, tune_from="deep"
    )
    model = build_frozen(params, weights=None, seed=1)
    expected = outer.predict_on_batch(frames()).mean(axis=(1, 2))
    assert model.predict_on_batch(frames()) == pytest.approx(expected, abs=1e-6)
    layers = backbones.backbone_of(model).layers
    assert [layer.name for layer in layers if layer.trainable_weights] == ["deep_conv"]
    assert count_gflops(model) == pytest.approx(2e-9 * (32**2 * 12 + 30**2 * 4 * 9 * 6))


def test_layers_that_plain_keras_lacks_are_refused():
    params = make("spatial", backbone="ConvNeXtTiny", weights="none", image_size=32)
    with pytest.raises(UserError, match="LayerScale"):
        build_frozen(params, weights=None, seed=1)


def test_a_fingerprint_tells_weights_apart_and_not_their_place(saved, tmp_path):
    def fingerprint(backbone, **changes):
        params = make("spatial", backbone=str(backbone), image_size=32, **changes)
        return backbones.fingerprint(build_frozen(params, weights=None, seed=1))

    moved = tmp_path / "moved.keras"
    moved.write_bytes((tmp_path / "small.keras").read_bytes())
    assert fingerprint(saved) == fingerprint(moved)
    assert fingerprint(saved) != fingerprint(saved, weights="random")


@pytest.mark.parametrize(
    "backbone", [pytest.param("resnet50", marks=pytest.mark.extended), "saved"]
)
def test_the_saved_stream_is_plain_keras(tmp_path, saved, backbone):
    name = saved if backbone == "saved" else backbone
    params = make("spatial", backbone=name, weights="none", image_size=32)
    model = build_spatial(params, num_classes=3, weights=None, seed=1)
    file = tmp_path / "spatial.keras"
    model.save(file)
    config = zipfile.ZipFile(file).read("config.json").decode()
    assert "hmdb_kedro" not in config
    assert '"Lambda"' not in json.dumps(json.loads(config))
    again = keras.saving.load_model(file, compile=False, safe_mode=True)
    assert np.array_equal(again.predict_on_batch(frames()), model.predict_on_batch(frames()))


@pytest.mark.skipif(not SQUEEZENET.is_file(), reason=f"there is no {SQUEEZENET}")
def test_the_real_backbone_gives_features_of_512_values():
    params = make("spatial", backbone=str(SQUEEZENET), image_size=64, tune_from="fire6")
    features = build_frozen(params, weights=None, seed=1).predict_on_batch(frames(64))
    assert features.shape == (2, 512)
    assert features.std() > 0
