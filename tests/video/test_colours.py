"""Flow as colours."""

import numpy as np
import pytest

from hmdb_kedro.video.colours import flow_colours

WHITE = (255, 255, 255)


def coloured(dx, dy, max_px=4.0):
    return flow_colours(np.full((2, 3, 2), (dx, dy), np.float32), max_px)


@pytest.mark.parametrize(
    ("motion", "colour"),
    [
        ((4, 0), (255, 0, 0)),  # right: red
        ((0, 4), (255, 234, 0)),  # down: yellow
        ((-4, 0), (0, 197, 255)),  # left: cyan, on its way to blue
        ((0, -4), (103, 0, 255)),  # up: violet
        ((0, 0), WHITE),
        ((2, 0), (255, 128, 128)),  # half as long: half as saturated
        ((9, 0), (255, 0, 0)),  # longer than the scale: no more than saturated
    ],
)
def test_hue_is_the_direction_and_saturation_the_length(motion, colour):
    picture = coloured(*motion)
    assert (picture.shape, picture.dtype) == ((2, 3, 3), np.uint8)
    assert np.abs(picture.astype(int) - colour).max() <= 1


def test_hues_join_all_around():
    angles = np.linspace(0, 2 * np.pi, 721)
    around = flow_colours(np.stack([np.cos(angles), np.sin(angles)], -1)[None], 1.0)[0].astype(int)
    assert np.abs(np.diff(around, axis=0)).max() < 12
