import numpy as np
import pytest
from clips import moving_clip
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.video.augmentation import (
    Augmentation,
    View,
    best_reduction,
    centre_view,
    condition_flow,
    random_view,
    view_flow,
    view_frames,
)

WIDE = Augmentation(crop_scale_min=0.5, flip=True, colour_jitter=0.4)


@given(seed=st.integers(0, 2**31), height=st.integers(20, 90), width=st.integers(20, 90))
def test_a_random_view_gives_squares_from_inside_the_picture(seed, height, width):
    view = random_view(height, width, WIDE, np.random.default_rng(seed))
    frames = np.full((2, height, width, 3), 100, np.uint8)
    assert view_frames(frames, view, 16).shape == (2, 16, 16, 3)
    assert 0.5 <= view.side <= 1
    assert view.top + view.side * min(height, width) / height <= 1 + 1e-9
    assert view.left + view.side * min(height, width) / width <= 1 + 1e-9


def test_a_view_is_the_same_for_all_pictures_of_a_clip():
    frames = np.repeat(moving_clip(0, 0, n_frames=1), 4, axis=0)
    viewed = view_frames(frames, random_view(96, 128, WIDE, np.random.default_rng(3)), 32)
    assert (viewed == viewed[0]).all()


def test_the_centre_view_is_the_largest_centred_square():
    frames = np.zeros((1, 10, 20, 3), np.uint8)
    frames[:, :, 5:15] = 200
    assert (view_frames(frames, centre_view(10, 20), 10) == 200).all()


def test_a_flip_mirrors_frames_and_negates_x_of_flow():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (2, 16, 16, 3)).astype(np.uint8)
    flow = rng.normal(size=(2, 16, 16, 2)).astype(np.float32)
    flipped = View(0, 0, 1, flip=True)
    assert np.array_equal(view_frames(frames, flipped, 16), frames[:, :, ::-1])
    assert np.allclose(view_flow(flow, flipped, 16), flow[:, :, ::-1] * (-1, 1))


@given(side=st.sampled_from([0.25, 0.5, 1.0]), size=st.sampled_from([16, 32, 64]))
def test_resizing_a_crop_scales_the_vectors(side, size):
    flow = np.broadcast_to(np.float32([3, -1]), (1, 64, 64, 2))
    viewed = view_flow(flow, View(0, 0, side), size)
    assert viewed == pytest.approx(np.broadcast_to([3, -1], viewed.shape) * size / (64 * side))


@pytest.mark.parametrize(
    ("side", "size", "factor"), [(1, 60, 4), (1, 61, 2), (0.5, 60, 2), (1, 200, 1)]
)
def test_the_decoder_reduces_as_far_as_no_pixel_is_lost(side, size, factor):
    assert best_reduction(240, 320, View(0, 0, side), size) == factor


def test_colours_are_left_alone_without_jitter():
    frames = moving_clip(1, 0)
    plain = Augmentation(crop_scale_min=1.0, flip=False)
    view = random_view(96, 128, plain, np.random.default_rng(0))
    assert (view.brightness, view.contrast, view.saturation, view.flip) == (1, 1, 1, False)
    assert view_frames(frames, view, 96).mean() == pytest.approx(frames.mean(), rel=0.05)


def test_saturation_keeps_grey_and_brightness_scales_it():
    grey = np.full((1, 8, 8, 3), 100, np.uint8)
    assert (view_frames(grey, View(0, 0, 1, saturation=1.4), 8) == 100).all()
    assert (view_frames(grey, View(0, 0, 1, brightness=1.2), 8) == 120).all()


def test_removing_the_median_removes_a_pan_and_keeps_the_rest():
    flow = np.zeros((1, 20, 20, 2), np.float32)
    flow[:, 5:8, 5:8] = (2, 0)
    pan = np.float32([1.5, -0.5])
    still = condition_flow(flow + pan, remove_median=True, square_root=False)
    assert np.allclose(still, flow, atol=1e-6)


def test_the_square_root_is_odd_and_keeps_no_motion():
    flow = np.float32([[[[4, -4]], [[0, 0.25]]]])
    rooted = condition_flow(flow, remove_median=False, square_root=True)
    assert rooted.ravel().tolist() == [2, -2, 0, 0.5]
