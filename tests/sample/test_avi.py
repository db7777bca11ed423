"""The container: every reader of OpenCV gets every picture back."""

import cv2
import numpy as np
import pytest

from hmdb_kedro.sample.avi import encode_avi


def _pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    ramp = np.linspace(60, 180, width)[None, :, None] + np.zeros((height, 1, 3))
    return [np.roll(ramp, 7 * number, axis=1).astype(np.uint8) for number in range(count)]


@pytest.mark.parametrize("backend", [cv2.CAP_FFMPEG, cv2.CAP_OPENCV_MJPEG])
@pytest.mark.parametrize(("count", "height", "width"), [(1, 48, 64), (7, 50, 66), (12, 240, 320)])
def test_every_picture_comes_back_from_either_reader(tmp_path, backend, count, height, width):
    pictures = _pictures(count, height, width)
    file = tmp_path / "clip.avi"
    file.write_bytes(encode_avi(pictures, fps=25, quality=95))
    capture = cv2.VideoCapture(str(file), backend)
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == count
    decoded = []
    while (read := capture.read())[0]:
        decoded.append(read[1])
    assert len(decoded) == count
    errors = np.abs(np.stack(decoded).astype(int) - np.stack(pictures))
    assert errors.mean() < 1.5


def test_the_header_announces_the_files_size():
    data = encode_avi(_pictures(3, 48, 64), fps=30, quality=90)
    assert data[:4] == b"RIFF"
    assert int.from_bytes(data[4:8], "little") + 8 == len(data)
