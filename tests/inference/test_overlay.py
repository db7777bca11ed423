"""The video with its answer drawn in."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from clips import moving_clip, write_clip
from recognising import recogniser

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Action
from hmdb_kedro.inference.overlay import write_overlay


@pytest.fixture
def video(tmp_path):
    return write_clip(tmp_path / "wave.avi", moving_clip(2, 0, n_frames=8))


def frames_of(file):
    capture = cv2.VideoCapture(str(file))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    return np.stack(found), capture.get(cv2.CAP_PROP_FPS)


def test_every_frame_is_there_enlarged_with_bars_and_flow(video, tmp_path):
    prediction = recogniser().predict(video)
    write_overlay(video, prediction, tmp_path / "out.mp4")
    frames, fps = frames_of(tmp_path / "out.mp4")
    assert frames.shape == (8, 360, 480, 3)
    assert fps == pytest.approx(30)
    # Motion to the right is red; at first nothing has moved, which is white.
    inset = frames[:, 40:90, 380:470].astype(int).mean(axis=(1, 2))
    assert inset[0].min() > 235
    assert (inset[1:, 2] > 1.3 * inset[1:, :2].max(axis=1)).all()
    bar = frames[4, -40:, 12:100].reshape(-1, 3).astype(int)
    assert (bar[:, 0] - bar[:, 2] > 60).any()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.mp4", "wave.avi"]


def test_a_moment_of_a_long_video_shows_its_own_action(video, tmp_path):
    prediction = recogniser().predict(video)
    actions = (Action(0.0, 0.1, "run", 0.9), Action(0.1, 0.3, "a very long name", 0.9))
    write_overlay(video, replace(prediction, timeline=actions), tmp_path / "out.mp4")
    frames, _ = frames_of(tmp_path / "out.mp4")
    written = (frames[:, :30] > 200).all(axis=-1).sum(axis=(1, 2))
    assert written[5] > 1.5 * written[1] > 0


def test_a_place_that_cannot_be_written_is_one_line(video, tmp_path):
    with pytest.raises(UserError, match=r"nowhere/out\.mp4"):
        write_overlay(video, recogniser().predict(video), tmp_path / "nowhere" / "out.mp4")
