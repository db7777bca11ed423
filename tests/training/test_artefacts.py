"""Saved models need nothing of this project to be loaded."""

import subprocess
import sys

import numpy as np
import pytest
from learning import small_params
from params import make

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets import KerasModel

pytestmark = pytest.mark.slow
CLASSES = ("sit", "wave", "turn")
# A session in which this project, although installed, cannot be imported.
PLAIN_SESSION = """
import json, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hmdb_kedro":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
import keras
import numpy as np

for name in sys.argv[2:]:
    model = keras.saving.load_model(f"{sys.argv[1]}/{name}.keras", safe_mode=True)
    inputs = np.load(f"{sys.argv[1]}/{name}.npy")
    np.save(f"{sys.argv[1]}/{name}_out.npy", model.predict_on_batch(inputs))
    sidecar = json.load(open(f"{sys.argv[1]}/{name}.json"))
    assert len(sidecar["classes"]) == model.output_shape[-1]
assert "hmdb_kedro" not in sys.modules
"""


def models():
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras
    from hmdb_kedro.models.spatial import build_spatial  # noqa: PLC0415

    compact = small_params()
    plain = small_params(architecture="plain", dense_units=8)
    spatial = make("spatial", image_size=32)
    yield "compact", build_cnn3d(compact, num_classes=3, channels=2, seed=1)
    yield "plain", build_cnn3d(plain, num_classes=3, channels=3, seed=1)
    yield "spatial", build_spatial(spatial, num_classes=3, weights=None, seed=1)


def test_models_load_in_a_session_without_this_project(tmp_path):
    expected = {}
    for name, model in models():
        shape = (2, *model.input_shape[1:])
        inputs = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        np.save(tmp_path / f"{name}.npy", inputs)
        trained = TrainedModel(model, CLASSES, {"test_views": 3})
        KerasModel(filepath=str(tmp_path / f"{name}.keras")).save(trained)
        expected[name] = model.predict_on_batch(inputs)
    command = [sys.executable, "-c", PLAIN_SESSION, str(tmp_path), *expected]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for name, probabilities in expected.items():
        loaded = np.load(tmp_path / f"{name}_out.npy")
        np.testing.assert_allclose(loaded, probabilities, atol=1e-5)


def test_the_sidecar_comes_back_and_no_half_model_stays(tmp_path):
    (_, model), *_ = models()
    dataset = KerasModel(filepath=str(tmp_path / "temporal.keras"))
    dataset.save(TrainedModel(model, CLASSES, {"test_views": 3}))
    loaded = dataset.load()
    assert (loaded.classes, loaded.preprocessing) == (CLASSES, {"test_views": 3})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["temporal.json", "temporal.keras"]


def test_a_model_cut_short_by_a_kill_does_not_exist(tmp_path, monkeypatch):
    (_, model), *_ = models()

    def half(path):
        path.write_bytes(b"half a model")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save", half, raising=False)
    dataset = KerasModel(filepath=str(tmp_path / "temporal.keras"))
    with pytest.raises(KeyboardInterrupt):
        dataset.save(TrainedModel(model, CLASSES, {}))
    assert not dataset.exists()
