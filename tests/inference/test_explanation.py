"""The picture of what counted."""

import numpy as np
import pytest

from hmdb_kedro.inference.explanation import Evidence, draw_evidence

TILE, LINE, GAP = 160, 22, 6


def drawn(inputs, maps, probabilities=(0.2, 0.8)):
    return draw_evidence(Evidence("title", (0.5, 1.5), inputs, maps, np.array(probabilities)))


def heated(picture, number):
    """Return the map of a moment as drawn: uint8 (TILE, TILE, 3)."""
    top, left = LINE + TILE + GAP, number * (TILE + GAP)
    return picture[top : top + TILE, left : left + TILE].astype(int)


@pytest.fixture
def maps():
    """Evidence at the second of two moments, in the cell at the top right of 4 × 4."""
    maps = np.zeros((2, 4, 4), np.float32)
    maps[1, 0, 3] = 5
    return maps


def test_the_region_that_counts_is_bright_and_all_else_is_not(maps):
    picture = drawn(np.full((2, 32, 32, 3), 60.0), maps)
    bright = heated(picture, 1).sum(axis=-1)
    assert np.unravel_index(bright.argmax(), bright.shape)[0] < TILE / 4
    assert np.unravel_index(bright.argmax(), bright.shape)[1] > 3 * TILE / 4
    assert bright[:20, -20:].mean() > 2 * bright[TILE // 2 :, : TILE // 2].mean()
    assert np.ptp(heated(picture, 0)) == 0


def test_frames_keep_their_colours_above(maps):
    red = np.zeros((2, 32, 32, 3))
    red[..., 0] = 200
    picture = drawn(red, maps)
    assert picture[LINE + 5, 5].tolist() == [0, 0, 200]


def test_of_a_stack_the_moment_of_the_strongest_evidence_is_drawn():
    flow = np.zeros((2, 6, 16, 16, 2))
    flow[:, 5, ..., 0] = 3  # red, in the last of six fields alone
    maps = np.zeros((2, 3, 2, 2), np.float32)
    maps[0, 2], maps[1, 0] = 1, 1
    picture = drawn(flow, maps)
    assert picture[LINE + 5, 5].tolist() == [0, 0, 255]
    assert picture[LINE + 5, TILE + GAP + 5].tolist() == [255, 255, 255]


def test_bars_are_as_long_as_the_class_is_probable(maps):
    picture = drawn(np.zeros((2, 32, 32, 3)), maps)
    top = LINE + 2 * TILE + 2 * GAP
    strip = picture[top + 10, :].astype(int)
    is_bar = strip.max(axis=-1) - strip.min(axis=-1) > 100
    assert is_bar[:TILE].sum() == pytest.approx(0.2 * TILE, abs=2)
    assert is_bar[TILE:].sum() == pytest.approx(0.8 * TILE, abs=2)


def test_no_evidence_at_all_is_drawn_too():
    assert drawn(np.zeros((2, 8, 8, 3)), np.zeros((2, 2, 2), np.float32)).dtype == np.uint8
