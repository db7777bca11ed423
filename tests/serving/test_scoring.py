"""Rows of videos in, answers out, as MLflow loads the model: every bad row is named."""

import base64
from unittest.mock import MagicMock

import mlflow
import pandas as pd
import pytest
from clips import moving_clip, write_clip
from exporting import tiny_networks
from mlflow.exceptions import MlflowException
from recognising import FUSION

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Recogniser
from hmdb_kedro.serving import saving
from hmdb_kedro.serving.saving import REQUIREMENTS, log_scoring_model

# MLflow takes seconds to import.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    write_clip(folder / "allowed" / "wave.avi", moving_clip(3, 0, n_frames=12))
    write_clip(folder / "secret.avi", moving_clip(3, 0, n_frames=12))
    (folder / "allowed" / "out.avi").symlink_to(folder / "secret.avi")
    (folder / "allowed" / "in.avi").symlink_to(folder / "allowed" / "wave.avi")
    return folder


@pytest.fixture(scope="module")
def files(saved):
    """What is saved, before any loading writes bytecode beside it."""
    return [file for file in saved.rglob("*") if file.is_file()]


@pytest.fixture(scope="module")
def model(saved, files, videos):
    config = {
        "allowed_folder": str(videos / "allowed"),
        "workers": 2,
        "max_megabytes": 0.5,
        "max_frames": 50,
    }
    return mlflow.pyfunc.load_model(str(saved), model_config=config)


def table(*videos):
    return pd.DataFrame({"video": list(videos)})


def encoded(file):
    return base64.b64encode(file.read_bytes()).decode()


def test_a_row_is_base64_or_a_path_and_the_answer_is_the_recognisers(model, saved, videos):
    file = videos / "allowed" / "wave.avi"
    known = Recogniser.from_mlflow(str(saved)).predict(file, top_k=1).to_json()
    wrapped = base64.encodebytes(file.read_bytes()).decode()
    rows = table(encoded(file), wrapped, "wave.avi", "in.avi", str(file))
    answers = model.predict(rows, params={"top_k": 1})
    assert [answer.pop("name") for answer in answers] == ["base64", "base64", *rows["video"][2:]]
    known.pop("name")
    assert answers == [known] * 5
    assert known["label"] == "bright_right"


def bad_rows(videos):
    good = (videos / "allowed" / "wave.avi").read_bytes()
    too_long = write_clip(videos / "long.avi", moving_clip(1, 0, 60, height=32, width=32))
    return {
        "": "is empty",
        "%%%": "neither base64 nor a path",
        "YWJjZA": "neither base64 nor a path",
        base64.b64encode(b"words " * 1000).decode(): "no video that OpenCV can open",
        base64.b64encode(good[: len(good) // 2]).decode(): "truncated|no video",
        base64.b64encode(bytes(600_000)).decode(): "beyond the limit of 500,000 bytes",
        encoded(too_long): "more than 50 frames",
        encoded(write_clip(videos / "one.avi", moving_clip(1, 0, 1))): r"1 frame\(s\)",
        "../secret.avi": "no such file below the allowed folder",
        str(videos / "secret.avi"): "no such file below the allowed folder",
        "out.avi": "no such file below the allowed folder",
        "/etc/os-release.avi": "no such file below the allowed folder",
        "gone.avi": "no such file below the allowed folder",
        "a\0.avi": "no such file below the allowed folder",
        f"{'a' * 5000}.avi": "no such file below the allowed folder",
    }


def test_each_bad_row_is_named_with_its_reason_and_a_status_of_400(model, videos):
    for row, reason in bad_rows(videos).items():
        with pytest.raises(MlflowException, match=rf"row 1: .*({reason})") as caught:
            model.predict(table("wave.avi", row))
        assert caught.value.get_http_status_code() == 400
        assert "\n" not in caught.value.message
    with pytest.raises(MlflowException, match=r"row 0: .*; row 2: "):
        model.predict(table("%%%", "wave.avi", "gone.avi"))
    with pytest.raises(MlflowException, match="`top_k` must be at least 1"):
        model.predict(table("wave.avi"), params={"top_k": 0})


def test_without_an_allowed_folder_no_path_is_read(saved, videos):
    loaded = mlflow.pyfunc.load_model(str(saved), model_config={"workers": 1})
    with pytest.raises(MlflowException, match="paths are not allowed here"):
        loaded.predict(table(str(videos / "secret.avi")))


def test_an_allowed_folder_that_is_none_is_refused_when_the_model_is_loaded(saved, videos):
    with pytest.raises(UserError, match="`allowed_folder` must be a folder"):
        mlflow.pyfunc.load_model(str(saved), model_config={"allowed_folder": str(videos / "no")})


def test_a_saved_model_says_what_it_takes_and_brings_what_it_needs(model, saved, files):
    signature = model.metadata.signature
    assert signature.inputs.input_names() == ["video"]
    assert "label" in signature.outputs.input_names()
    pinned = (saved / "requirements.txt").read_text().split()
    assert [line.partition("==")[0] for line in pinned] == list(REQUIREMENTS)
    assert all("==" in line for line in pinned)
    assert (saved / "code" / "hmdb_kedro" / "serving" / "scoring.py").is_file()
    assert not [file for file in files if file.suffix in (".pkl", ".pyc")]
    (answer,) = model.predict(model.input_example)
    assert len(answer["top"]) == len(FUSION["classes"])


def test_a_logged_model_is_found_by_its_run_and_by_its_own_address(
    store_address, tmp_path, videos, use_store
):
    use_store(store_address)
    client = mlflow.MlflowClient(store_address)
    experiment = client.create_experiment("serving", artifact_location=tmp_path.as_uri())
    run_id = client.create_run(experiment).info.run_id
    uri = log_scoring_model(client, run_id, tiny_networks(tmp_path), "two_stream")
    assert [output.model_id for output in client.get_run(run_id).outputs.model_outputs] == [
        uri.removeprefix("models:/")
    ]
    for address in (uri, f"runs:/{run_id}/two_stream"):
        found = Recogniser.from_mlflow(address)
        assert found.predict(videos / "allowed" / "wave.avi").label == "bright_right"


def test_an_address_of_no_model_is_one_line(store_address, tmp_path, use_store):
    use_store(store_address)
    for address in ("models:/nobody@best", "runs:/0/two_stream", str(tmp_path / "nowhere")):
        with pytest.raises(UserError, match="MLflow gives no such model") as caught:
            Recogniser.from_mlflow(address)
        assert "\n" not in str(caught.value)
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="no two-stream model"):
        Recogniser.from_mlflow(str(tmp_path / "other"))


def test_a_model_whose_files_the_store_refuses_is_marked_as_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "save_scoring_model", lambda *_: None)
    client = MagicMock()
    client.create_logged_model.return_value.model_id = "m-1"
    client.log_model_artifacts.side_effect = MlflowException("no space left")
    with pytest.raises(MlflowException, match="no space left"):
        log_scoring_model(client, "run", None, "two_stream")
    client.finalize_logged_model.assert_called_once_with("m-1", "FAILED")
