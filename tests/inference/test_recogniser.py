"""One path from a video to an answer, with networks whose answers are known."""

import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from clips import moving_clip, write_clip
from recognising import CLASSES, by_brightness, by_motion, recogniser

from hmdb_kedro.inference import Failure, Limits, Prediction
from hmdb_kedro.inference.reading import expand_folders
from hmdb_kedro.video.decode import UnreadableClipError, read_frames
from hmdb_kedro.video.live import frames_behind

# What prediction must not bring along: it runs on the bare requirements.
HEAVY = "cachetools jinja2 joblib kedro keras lance mlflow pandas plotly pyarrow rich tensorflow"


def clip(folder, name="wave.avi", *, dx=2, bright=True, n_frames=12):
    frames = moving_clip(dx, 0, n_frames=n_frames)
    return write_clip(folder / name, frames if bright else frames // 4)


def frames_of(file):
    return np.stack([frame[..., ::-1] for frame in read_frames(file)])


def test_inference_imports_on_the_bare_requirements_and_loads_no_runtime():
    script = (
        "import sys, hmdb_kedro.inference, hmdb_kedro.inference.command\n"
        f"heavy = set('{HEAVY} onnxruntime'.split()) & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_answer_holds_the_fusion_and_what_each_stream_says(tmp_path):
    found = recogniser().predict(clip(tmp_path, dx=-2), top_k=1)
    spatial, temporal = found.streams
    assert (spatial.label, temporal.label) == ("bright_right", "dark_left")
    assert (spatial.weight, temporal.weight) == (0.5, 0.5)
    mean = np.mean([spatial.probabilities, temporal.probabilities], axis=0)
    assert found.probabilities == pytest.approx(tuple(mean), abs=1e-6)
    assert found.top == ((CLASSES[int(mean.argmax())], pytest.approx(mean.max(), abs=1e-6)),)
    assert found.seconds == pytest.approx(12 / 30)


def test_below_the_threshold_the_answer_is_none_of_these(tmp_path):
    file = clip(tmp_path, dx=-2)
    found = recogniser().predict(file)
    assert found.probability < 0.6
    assert (found.label, found.is_known) == ("none of these", False)
    assert recogniser(threshold=None).predict(file).is_known
    assert recogniser().predict(clip(tmp_path, dx=2)).label == "bright_right"


def test_a_path_its_bytes_and_its_frames_give_one_answer(tmp_path):
    file = clip(tmp_path)
    frames = frames_of(file)
    known = recogniser()
    expected = known.predict(file).probabilities
    assert known.predict(str(file)).probabilities == expected
    assert known.predict(file.read_bytes()).probabilities == expected
    assert known.predict(frames).probabilities == expected


def test_only_frames_that_are_looked_at_are_kept_and_the_answer_is_the_same(tmp_path, monkeypatch):
    file = clip(tmp_path, n_frames=60)
    known = recogniser()
    asked = known._asked(True, 60, 30.0)
    assert len(set().union(*(frames_behind(how, found) for how, found in asked.items()))) < 30
    of_all = known.predict(frames_of(file)).probabilities  # arrays are kept whole
    assert known.predict(file).probabilities == of_all
    assert known.predict(file, with_timeline=True).probabilities == of_all
    monkeypatch.setattr("cv2.getNumThreads", lambda: 1)  # nothing is computed beside decoding
    assert known.predict(file).probabilities == of_all


def test_a_container_that_is_wrong_about_its_length_changes_no_answer(tmp_path):
    whole = clip(tmp_path, n_frames=60).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole[: 2 * len(whole) // 3])
    frames = frames_of(cut)
    assert 10 < len(frames) < 50
    patient = recogniser(Limits(min_decoded_share=0.1))
    assert patient.predict(cut).probabilities == patient.predict(frames).probabilities


def test_nothing_of_bytes_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    recogniser().predict(clip(tmp_path).read_bytes())
    with pytest.raises(UnreadableClipError):
        recogniser().predict(b"no video")
    assert not list((tmp_path / "temporary").iterdir())


def test_a_long_video_has_a_timeline_of_what_happens_when(tmp_path):
    parts = [moving_clip(2, 0, n_frames=180), moving_clip(-2, 0, n_frames=180) // 4]
    found = recogniser().predict(write_clip(tmp_path / "long.avi", np.concatenate(parts)))
    labels = [action.label for action in found.timeline]
    assert (labels[0], labels[-1]) == ("bright_right", "dark_left")
    first, last = found.timeline[0], found.timeline[-1]
    assert (first.start_s, last.end_s) == (0.0, pytest.approx(12.0))
    assert first.end_s == pytest.approx(6.0, abs=1.0)
    edges = [(a.end_s, b.start_s) for a, b in zip(found.timeline, found.timeline[1:], strict=False)]
    assert all(end == start for end, start in edges)
    assert recogniser().predict(clip(tmp_path)).timeline == ()


BAD = {
    "gone.avi": "there is no such file",
    "empty.avi": "the file is empty",
    "text.avi": "no video",
    "zip.avi": "no video",
    "audio.avi": "no video",
    "one.avi": r"1 frame\(s\), at least 2 are needed",
    "cut.avi": "truncated: |no video",
    "folder": "a folder without videos",
}


@pytest.fixture
def bad_files(tmp_path):
    whole = clip(tmp_path, "whole.avi", n_frames=40).read_bytes()
    (tmp_path / "empty.avi").touch()
    (tmp_path / "text.avi").write_text("words " * 1000)
    with zipfile.ZipFile(tmp_path / "zip.avi", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(10_000_000))
    rate = (8000).to_bytes(4, "little")
    form = b"WAVEfmt \x10\0\0\0\1\0\1\0" + rate + rate + b"\1\0\x08\0data"
    sound = form + (8000).to_bytes(4, "little") + bytes(8000)
    (tmp_path / "audio.avi").write_bytes(b"RIFF" + len(sound).to_bytes(4, "little") + sound)
    clip(tmp_path, "one.avi", n_frames=1)
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_each_bad_file_has_one_line_and_the_others_are_answered(bad_files):
    names = [*BAD, "whole.avi"]
    answers = list(recogniser().predict_many(bad_files / name for name in names))
    for answer, (name, reason) in zip(answers, BAD.items(), strict=False):
        assert isinstance(answer, Failure), name
        assert re.search(reason, answer.reason), answer
        assert "\n" not in answer.reason
    assert isinstance(answers[-1], Prediction)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_pixels=1000), "128×96 pixels"),
        (Limits(max_frames=5), "more than 5 frames"),
        (Limits(max_duration_s=0.2), "longer than 0.2 s"),
        (Limits(max_bytes=1000), "beyond the limit of 1,000 bytes"),
    ],
)
def test_what_is_beyond_a_limit_is_refused(tmp_path, limits, reason):
    file = clip(tmp_path)
    for video in (file, file.read_bytes()):
        with pytest.raises(UnreadableClipError, match=reason):
            recogniser(limits).predict(video)


@pytest.mark.parametrize("shape", [(5, 64, 64), (5, 64, 64, 4), (64,)])
def test_an_array_that_is_no_video_is_refused(shape):
    with pytest.raises(UnreadableClipError, match="uint8 of shape"):
        recogniser().predict(np.zeros(shape, np.uint8))


def test_a_folder_stands_for_its_videos(tmp_path):
    files = [clip(tmp_path / "a", "2.avi"), clip(tmp_path / "b", "1.AVI")]
    for name in ("notes.txt", "._2.avi"):
        (tmp_path / "a" / name).touch()
    assert list(expand_folders([tmp_path, files[0]])) == [*files, files[0]]


def test_the_networks_of_this_test_tell_what_they_should():
    assert by_brightness(np.full((1, 4, 4, 3), 200.0)).argmax() == 1
    assert by_motion(np.full((1, 2, 4, 4, 2), -1.0)).argmax() == 0
