from itertools import islice, pairwise

import cv2
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
    fixed_views,
    long_side_views,
    random_view,
    reverse_flow,
    square_rooted,
    view_flow,
    view_frames,
    without_median,
)
from hmdb_kedro.video.decode import read_frames
from hmdb_kedro.video.flow import small_greys

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
    still = without_median(flow + pan)
    assert np.allclose(still, flow, atol=1e-6)


def test_the_square_root_is_odd_and_keeps_no_motion():
    flow = np.float32([[[[4, -4]], [[0, 0.25]]]])
    rooted = square_rooted(flow)
    assert rooted.ravel().tolist() == [2, -2, 0, 0.5]


def farneback(before, after):
    return cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)


def dis(before, after):
    estimate = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return estimate.calc(before, after, None)


ESTIMATORS = {"farneback": farneback, "dis": dis}
# Away from the edges, where what comes into the picture has no flow.
INNER = (slice(None), slice(16, -16), slice(16, -16))


def drawn_greys(n_frames=3):
    """Two layers that move apart over a texture: motion that differs from place to place."""
    behind, before = (moving_clip(*d, n_frames, seed=s) for d, s in (((2, 1), 1), ((-3, 1), 2)))
    greys = []
    for t in range(n_frames):
        picture = behind[t, ..., 0].copy()
        left = 50 - 3 * t
        picture[30 + t : 66 + t, left : left + 40] = before[t, 30 + t : 66 + t, left : left + 40, 0]
        greys.append(picture)
    return greys


def flow_of(greys, estimate):
    return np.stack([estimate(a, b) for a, b in pairwise(greys)])


def end_point_error(found, expected):
    return float(np.linalg.norm((found - expected)[INNER], axis=-1).mean())


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_flow_of_flipped_frames_is_the_flipped_flow_with_x_negated(estimate):
    greys = drawn_greys()
    flipped = flow_of([np.ascontiguousarray(grey[:, ::-1]) for grey in greys], estimate)
    height = greys[0].shape[0]
    square = flow_of(greys, estimate)[:, :, :height]
    of_view = view_flow(square, View(0, 0, 1, flip=True), height)
    expected = flipped[:, :, -height:]
    assert end_point_error(of_view, expected) < 0.2
    # What a forgotten sign would give is off by twice the motion.
    assert end_point_error(of_view * (-1, 1), expected) > 3


@pytest.mark.parametrize("size", [48, 192])
def test_flow_of_a_resized_crop_is_the_resized_flow(size):
    greys = [frame[..., 0] for frame in moving_clip(3, -2, n_frames=3)]
    view = View(0.0, 0.25, 1.0)
    crops = [cv2.resize(g[:, 32:128], (size, size), interpolation=cv2.INTER_AREA) for g in greys]
    of_view = view_flow(flow_of(greys, dis), view, size)
    assert np.median(of_view[INNER], axis=(0, 1, 2)) == pytest.approx(
        np.float32([3, -2]) * size / 96, abs=0.15
    )
    assert end_point_error(of_view, flow_of(crops, dis)) < 0.2


def test_a_reversed_flow_obeys_its_definition():
    rows, columns = np.mgrid[:64, :80].astype(np.float32)
    forward = np.stack([2 + 1.5 * np.sin(rows / 9), 1.2 * np.cos(columns / 11)], axis=-1)
    backward = reverse_flow(forward[None])[0]
    # F_ba(x + F_ab(x)) = -F_ab(x)
    moved = cv2.remap(backward, columns + forward[..., 0], rows + forward[..., 1], cv2.INTER_LINEAR)
    assert moved[8:-8, 8:-8] == pytest.approx(-forward[8:-8, 8:-8], abs=0.02)
    assert np.abs(-forward - backward)[8:-8, 8:-8].max() > 0.2


def test_reversing_turns_the_order_of_the_fields():
    shifts = np.float32([[1, 0], [0, 2], [-3, 1]])
    flow = np.broadcast_to(shifts[:, None, None], (3, 8, 8, 2))
    assert np.allclose(reverse_flow(flow), -flow[::-1])


def zooming_greys(n_frames=4):
    """A texture that turns and grows: motion that is not where it was one frame later."""
    picture = moving_clip(0, 0, n_frames=1, height=192, width=256)[0, ..., 0]
    for t in range(n_frames):
        turned = cv2.getRotationMatrix2D((128, 96), 3.0 * t, 1.06**t)
        yield np.ascontiguousarray(cv2.warpAffine(picture, turned, (256, 192))[32:-32, 32:-32])


@pytest.mark.parametrize("estimate", ESTIMATORS.values(), ids=ESTIMATORS)
def test_flow_of_a_reversed_clip_is_the_reversed_flow(estimate):
    greys = list(zooming_greys())
    inverted, negated = reversal_errors(greys, estimate)
    assert inverted < 0.15
    assert negated > 0.3


@pytest.mark.extended
def test_flow_of_real_clips_is_reversed_better_by_inversion_than_by_negation(real_clips):
    for file in sorted((real_clips / "hmdb51" / "videos").rglob("*.avi")):
        greys = list(islice(small_greys(read_frames(file), 128), 60))
        inverted, negated = reversal_errors(greys, farneback)
        assert inverted < 0.9 * negated, file.name


def reversal_errors(greys, estimate):
    """Return how far the inverted and the negated flow are off that of the reversed clip, px."""
    backwards, flow = flow_of(greys[::-1], estimate), flow_of(greys, estimate)
    candidates = (reverse_flow(flow), -flow[::-1])
    return [end_point_error(candidate, backwards) for candidate in candidates]


@given(seed=st.integers(0, 2**31), height=st.integers(40, 90), width=st.integers(40, 90))
def test_a_crop_is_never_stretched(seed, height, width):
    # A picture whose colours are its coordinates.
    rows, columns = np.mgrid[:height, :width]
    frames = np.stack([2 * rows, 2 * columns, 0 * rows], axis=-1).astype(np.uint8)[None]
    plain = Augmentation(crop_scale_min=0.5, flip=False)
    views = (random_view(height, width, plain, np.random.default_rng(seed)),)
    for view in (*views, *fixed_views(height, width), *long_side_views(height, width)):
        seen = view_frames(frames, view, 20).astype(float)[0]
        down, across = (np.ptp(seen[..., 0]), np.ptp(seen[..., 1]))
        assert abs(down - across) <= 2


def test_the_ten_views_are_five_places_and_their_mirror_images():
    views = fixed_views(96, 128)
    assert len(set(views)) == 10
    places = {(view.top, view.left, view.side) for view in views}
    assert len(places) == 5
    assert sum(view.flip for view in views) == 5
    assert views[0] == centre_view(96, 128)
    frames = np.random.default_rng(0).integers(0, 255, (1, 96, 128, 3)).astype(np.uint8)
    assert np.array_equal(
        view_frames(frames, views[3], 32), view_frames(frames, views[0], 32)[:, :, ::-1]
    )


@pytest.mark.parametrize(("height", "width"), [(20, 60), (60, 20)])
def test_three_views_along_the_longer_side_see_all_of_it(height, width):
    frames = np.arange(60, dtype=np.uint8)
    frames = np.broadcast_to(frames[:, None] if height > width else frames, (height, width))
    frames = np.repeat(frames[None, ..., None], 3, axis=3)
    seen = [view_frames(frames, view, 20) for view in long_side_views(height, width)]
    assert {int(value) for views in seen for value in views.ravel()} == set(range(60))
