"""The folder of an export: whole, unchanged, or refused."""

import csv
import io
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from clips import moving_clip, write_clip
from exporting import tiny_networks
from recognising import CLASSES, FUSION, RGB

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Recogniser, write_export
from hmdb_kedro.inference.command import main
from hmdb_kedro.inference.exported import Exported


@pytest.fixture
def exported(tmp_path):
    return tiny_networks(tmp_path)


@pytest.fixture
def folder(tmp_path, exported):
    write_export(exported, tmp_path / "export")
    return tmp_path / "export"


@pytest.fixture
def video(tmp_path):
    return write_clip(tmp_path / "wave.avi", moving_clip(3, 0, n_frames=8))


def test_an_export_holds_all_that_an_answer_takes(folder, video):
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["recogniser.json", "spatial.onnx", "temporal.onnx"]
    recogniser = Recogniser.from_export(folder)
    assert (recogniser.classes, recogniser.threshold) == (CLASSES, 0.6)
    assert recogniser.streams == ("spatial", "temporal")
    assert recogniser.predict(video).label == "bright_right"


def test_a_changed_byte_is_refused(folder):
    for file in folder.iterdir():
        whole = file.read_bytes()
        changed = bytearray(whole)
        changed[len(whole) // 2] ^= 1
        file.write_bytes(changed)
        with pytest.raises(UserError, match=rf"as it was written.*{file.name}"):
            Recogniser.from_export(folder)
        file.write_bytes(whole)
    (folder / "temporal.onnx").unlink()
    with pytest.raises(UserError, match="missing"):
        Recogniser.from_export(folder)


def test_a_folder_that_is_no_export_says_which_command_makes_one(tmp_path):
    with pytest.raises(UserError, match="kedro hmdb export"):
        Recogniser.from_export(tmp_path / "nowhere")


def test_an_export_replaces_an_older_one_and_nothing_else(tmp_path, exported, folder):
    write_export(exported, folder)
    Recogniser.from_export(folder)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UserError, match="no export"):
        write_export(exported, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_an_export_that_fails_leaves_the_older_one(tmp_path, exported, folder):
    broken = Exported(exported.streams | {"spatial": (tmp_path / "gone.onnx", RGB)}, FUSION)
    with pytest.raises(FileNotFoundError):
        write_export(broken, folder)
    Recogniser.from_export(folder)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def test_the_command_answers_as_text_json_and_csv(folder, video, capsys):
    assert main([str(folder), str(video), "--top", "1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{video}: bright_right")
    assert "spatial: bright_right" in text
    assert main([str(folder), str(video), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert (answer["label"], len(answer["top"]), len(answer["streams"])) == ("bright_right", 2, 2)
    assert main([str(folder), str(video), "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["label"] for row in rows] == ["bright_right", "dark_left"]
    assert np.isclose(sum(float(row["probability"]) for row in rows), 1)


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_bad_file_is_one_line_and_the_exit_code_is_1(folder, video, tmp_path, capsys, form):
    bad = tmp_path / "bad.avi"
    bad.write_bytes(b"no video")
    assert main([str(folder), str(bad), str(video), *form]) == 1
    written = capsys.readouterr()
    assert written.err == f"{bad}: no video that OpenCV can open\n"
    assert "bright_right" in written.out


@pytest.mark.slow
def test_videos_of_odd_kinds_are_answered_or_refused_in_one_line(folder, tmp_path, capsys):
    few, fourcc = moving_clip(3, 0, n_frames=8), cv2.VideoWriter.fourcc
    write_clip(tmp_path / "8k.avi", np.zeros((2, 4320, 7680, 3), np.uint8))
    many = write_clip(tmp_path / "many.avi", np.tile(few[:, :32, :32], (1250, 1, 1, 1)))
    deep = [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U, cv2.VIDEOWRITER_PROP_IS_COLOR, 0]
    grey = tmp_path / "grey16.mkv"
    writer = cv2.VideoWriter(str(grey), cv2.CAP_FFMPEG, fourcc(*"FFV1"), 30.0, (51, 37), deep)
    for frame in few:
        writer.write(frame[:37, :51, 0].astype(np.uint16) * 256)
    writer.release()
    renamed = write_clip(tmp_path / "wave.avi", few).rename(tmp_path / "wave.txt")
    for file in (many, grey, renamed):
        assert main([str(folder), str(file)]) == 0
        written = capsys.readouterr()
        assert written.out.startswith(f"{file}: ")
        assert written.err == ""
    assert main([str(folder), str(tmp_path / "8k.avi")]) == 1
    assert capsys.readouterr().err == (
        f"{tmp_path / '8k.avi'}: frames of 7680×4320 pixels are beyond the limit of 9,437,184 "
        "pixels; scale it down\n"
    )


def test_the_command_says_in_one_line_that_there_is_no_export(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere"), "a.avi"]) == 1
    assert capsys.readouterr().err.startswith("Error: There is no export here.")


def test_an_export_is_used_without_a_trace_of_telemetry(folder, video, tmp_path):
    (tmp_path / "temporary").mkdir()
    home = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "hmdb_kedro.inference.command", str(folder), str(video)]
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = kept | home | {"TMPDIR": str(tmp_path / "temporary")}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    # onnxruntime leaves its session and a data base of events where it means to report them.
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "home").exists()
