"""The film of a clip beside its flow, and an answer from a worker."""

import cv2
import numpy as np
import pytest
from clips import moving_clip, write_clip
from exporting import tiny_export
from recognising import recogniser

from hmdb_kedro.inference import Workers
from hmdb_kedro.page import looking
from hmdb_kedro.video.decode import UnreadableClipError


def read(film, tmp_path):
    """Return the pictures of a film, uint8 (T, H, W, 3), BGR, and its frames a second."""
    file = tmp_path / "film.webm"
    file.write_bytes(film)
    capture = cv2.VideoCapture(str(file))
    found = []
    while (frame := capture.read())[0]:
        found.append(frame[1])
    return np.stack(found), capture.get(cv2.CAP_PROP_FPS)


def test_a_film_shows_the_clip_and_the_direction_in_which_it_moves(tmp_path, capfd):
    clip = moving_clip(3, 0, n_frames=12)
    video = write_clip(tmp_path / "clip.avi", clip)
    film = looking.film(recogniser(), video, seconds=12 / 30)
    assert film[:4] == b"\x1aE\xdf\xa3"  # EBML, of which WebM is one
    pictures, fps = read(film, tmp_path)
    assert pictures.shape == (11, 240, 2 * 320 + 8, 3)
    assert fps == pytest.approx(11 / (12 / 30), rel=0.01)
    shown = cv2.resize(pictures[5][:, :320], (128, 96), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(shown.ravel(), clip[5].ravel())[0, 1] > 0.95
    blue, green, red = np.median(pictures[5][60:180, 400:580], axis=(0, 1))
    assert red > 200  # to the right is red
    assert max(blue, green) < 60
    assert capfd.readouterr().err == ""


def test_a_long_clip_has_a_film_of_its_length_in_fewer_pictures(tmp_path):
    frames = np.repeat(moving_clip(1, 0, n_frames=5, height=32, width=48), 80, axis=0)
    video = write_clip(tmp_path / "clip.avi", frames)
    pictures, fps = read(looking.film(recogniser(), video, seconds=400 / 30), tmp_path)
    assert 75 <= len(pictures) < 150
    assert len(pictures) / fps == pytest.approx(400 / 30, rel=0.02)


def test_an_upright_clip_keeps_its_aspect(tmp_path):
    video = write_clip(tmp_path / "clip.avi", moving_clip(1, 0, height=128, width=72))
    pictures, _ = read(looking.film(recogniser(), video.read_bytes(), seconds=1.0), tmp_path)
    assert pictures.shape[1:3] == (320, 2 * 180 + 8)


@pytest.mark.slow
def test_a_worker_answers_and_films_and_refuses_what_is_no_video(tmp_path):
    video = write_clip(tmp_path / "clip.avi", moving_clip(2, 0, n_frames=8))
    (tmp_path / "bad.avi").write_bytes(b"no video")
    with Workers(tiny_export(tmp_path), n_workers=1) as workers:
        found = looking.look(workers, video)
        assert found.prediction.seconds == pytest.approx(8 / 30)
        assert read(found.film, tmp_path)[0].shape[0] == 7
        with pytest.raises(UnreadableClipError, match="no video"):
            looking.look(workers, tmp_path / "bad.avi")
