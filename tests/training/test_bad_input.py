"""What cannot be trained or scored is told before hours are spent."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from learning import Epochs, MemoryFlow, small_params
from params import make

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.errors import UserError

pytestmark = pytest.mark.slow
SETTINGS = {"algorithm": "dis", "bound_px": 16.0}
INDEX = pd.DataFrame(
    {
        "clip_id": [f"c{i}" for i in range(8)],
        "label": ["sit", "wave"] * 4,
        "label_id": [0, 1] * 4,
        "partition": ["train"] * 4 + ["val"] * 2 + ["test"] * 2,
    }
)
NO_SCORES = pd.DataFrame()


@dataclass
class FlowTable(MemoryFlow):
    """A table in memory."""

    clip_ids: list = field(default_factory=INDEX["clip_id"].tolist)
    settings: dict = field(default_factory=lambda: SETTINGS)
    kind: str = "flow"
    version: str | None = "v1"


class Finder:
    """A finder of earlier models that finds one."""

    def __init__(self, model):
        self._model = model

    def earlier_model(self, name):
        return self._model


def build(num_classes, **changes):
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras

    return build_cnn3d(small_params(**changes), num_classes=num_classes, channels=2, seed=1)


def train(table, index=INDEX, earlier=None):
    from hmdb_kedro.training.streams import Start, train_model  # noqa: PLC0415

    log = Epochs()
    try:
        start = Start(pretrained=Finder(earlier))
        return train_model(build, (index, table), small_params(epochs=1), 1, log, start)
    except UserError:
        assert log == [], "an epoch was trained first"
        raise


def score(table, index=INDEX, classes=("sit", "wave")):
    from hmdb_kedro.training.streams import evaluate_model  # noqa: PLC0415

    preprocessing = {"extraction": SETTINGS, "test_views": 1}
    trained = TrainedModel(build(len(classes)), classes, preprocessing)
    history = {"seed": 1, "train_seconds": 1.0}
    return evaluate_model(trained, history, NO_SCORES, index, table, 1, make("data_prep"))


def test_a_class_without_training_clips_is_named():
    table = FlowTable(clip_ids=["c1", "c3", "c4", "c5", "c6", "c7"])
    with pytest.raises(UserError, match=r"No training clip with flow is left of sit\."):
        train(table)


def test_an_earlier_model_of_another_architecture_is_refused_before_the_first_epoch():
    earlier = TrainedModel(build(2, filters=[4, 4]), ("sit", "wave"), {})
    with pytest.raises(UserError, match="`init_from`: the earlier model is of another arch"):
        train(FlowTable(), earlier=earlier)


def test_an_earlier_model_of_other_classes_is_gone_on_with():
    earlier = TrainedModel(build(3), ("run", "sit", "wave"), {})
    trained, history, _ = train(FlowTable(), earlier=earlier)
    assert trained.classes == ("sit", "wave")
    assert np.isfinite(history["epochs"][0]["loss"])


def test_a_table_of_other_settings_is_refused():
    table = FlowTable(settings={"algorithm": "farneback", "bound_px": 16.0})
    with pytest.raises(UserError, match=r"flow\.algorithm=dis\. Received: algorithm=farneback"):
        score(table)


def test_a_model_of_another_class_list_is_refused():
    with pytest.raises(UserError, match=r"other classes than the index has\. Received: run, sit"):
        score(FlowTable(), classes=("run", "wave"))
