"""From what a run has stored to an answer."""

import json

import pytest
from clips import moving_clip, write_clip
from kedro.io import DataCatalog, MemoryDataset
from recognising import CLASSES, FLOW, FUSION, RGB, by_brightness, by_motion

from hmdb_kedro.artefacts import OnnxFile, TrainedModel
from hmdb_kedro.errors import UserError
from hmdb_kedro.jobs import predicting


class Network:
    """A Keras model, as far as prediction looks at it."""

    def __init__(self, answer):
        self.predict_on_batch = answer


class Missing(MemoryDataset):
    """An entry that no run has made yet."""

    def __init__(self):
        super().__init__()

    def _exists(self):
        return False


def catalog(**changes):
    entries = {
        "two_stream.fusion": FUSION,
        "spatial.model": TrainedModel(Network(by_brightness), CLASSES, RGB),
        "temporal.model": TrainedModel(Network(by_motion), CLASSES, FLOW),
    } | changes
    return DataCatalog(
        {
            name: Missing() if data is None else MemoryDataset(data, copy_mode="assign")
            for name, data in entries.items()
        }
    )


@pytest.fixture
def video(tmp_path):
    return write_clip(tmp_path / "wave.avi", moving_clip(2, 0, n_frames=8))


def test_videos_are_answered_and_a_bad_one_is_said(video, tmp_path, capsys):
    wanted = predicting.Wanted([video, tmp_path / "gone.avi"], "json", 2)
    assert not predicting.predict(catalog(), wanted)
    written = capsys.readouterr()
    assert written.err == f"{tmp_path / 'gone.avi'}: there is no such file\n"
    good, bad = json.loads(written.out)
    assert (good["label"], bad["error"]) == ("bright_right", "there is no such file")
    assert predicting.predict(catalog(), predicting.Wanted([tmp_path], "text", 1))


def test_an_overlay_is_written_of_one_video(video, tmp_path, capsys):
    file = tmp_path / "out.mp4"
    assert predicting.predict(catalog(), predicting.Wanted([video], "text", 2, file))
    assert file.stat().st_size > 1000
    with pytest.raises(UserError, match="takes one video"):
        predicting.predict(catalog(), predicting.Wanted([video, video], "text", 2, file))


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("two_stream.fusion", "kedro run --env sample"),
        ("spatial.model", "kedro run --env sample --pipelines spatial_training"),
        ("temporal.model", "kedro run --env sample --pipelines temporal_training"),
    ],
)
def test_with_nothing_trained_it_says_which_command_trains(missing, command):
    with pytest.raises(UserError) as refused:
        predicting.recogniser_of(catalog(**{missing: None}), "sample")
    assert str(refused.value).endswith(f"Do: {command}")
    assert missing in str(refused.value)


def test_an_export_names_the_onnx_file_that_is_missing(tmp_path):
    file = OnnxFile(tmp_path / "spatial.onnx", CLASSES, RGB)
    some = catalog(**{"spatial.onnx": file, "temporal.onnx": None})
    with pytest.raises(UserError, match=r"temporal\.onnx.*temporal_training"):
        predicting.exported_of(some)


def test_models_of_other_classes_than_the_fusion_are_refused():
    other = TrainedModel(Network(by_motion), ("a", "b"), FLOW)
    with pytest.raises(UserError, match=r"temporal\. Do: kedro run --pipelines fusion_eval"):
        predicting.recogniser_of(catalog(**{"temporal.model": other}))
