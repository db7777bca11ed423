from typing import get_args

import cv2
import numpy as np
import pytest
from clips import moving_clip, texture
from hypothesis import given, settings
from hypothesis import strategies as st
from params import make

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import DisPreset, FlowAlgorithm
from hmdb_kedro.video import flow as flow_module
from hmdb_kedro.video.flow import brighten, flow_fields, make_estimator, shrink, small_greys


def fields_of(frames, **changes):
    greys = small_greys(frames, None)
    return np.stack(list(flow_fields(greys, make("flow", **changes))))


@pytest.mark.parametrize("algorithm", get_args(FlowAlgorithm))
def test_every_algorithm_measures_a_shift(algorithm):
    inner = fields_of(moving_clip(2, -1, n_frames=2), algorithm=algorithm)[:, 16:-16, 16:-16]
    assert np.median(inner, axis=(0, 1, 2)) == pytest.approx([2, -1], abs=0.2)


@settings(max_examples=8, deadline=None)
@given(dx=st.integers(-3, 3), dy=st.integers(-3, 3))
@pytest.mark.parametrize("algorithm", ["dis", "farneback"])
def test_flow_of_a_shift_is_the_shift(algorithm, dx, dy):
    fields = fields_of(moving_clip(dx, dy), algorithm=algorithm)
    inner = fields[:, 16:-16, 16:-16]
    assert fields.dtype == np.float32
    assert np.median(inner, axis=(0, 1, 2)) == pytest.approx([dx, dy], abs=0.2)


def test_tvl1_without_the_contrib_build_says_what_to_install(monkeypatch):
    monkeypatch.delattr(cv2, "optflow", raising=True)
    with pytest.raises(UserError, match="opencv-contrib-python-headless"):
        make_estimator(make("flow", algorithm="tvl1"))


def test_flow_of_mirrored_frames_is_mirrored_flow_with_x_negated():
    frames = moving_clip(3, 1)
    mirrored = fields_of(frames[:, :, ::-1])
    expected = fields_of(frames)[:, :, ::-1] * (-1, 1)
    assert np.abs(mirrored - expected)[:, 16:-16, 16:-16].mean() < 0.05


def test_dis_sees_no_motion_in_equal_frames():
    assert not fields_of(moving_clip(0, 0)).any()


@pytest.mark.parametrize("preset", get_args(DisPreset))
@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 85), (96, 128)])
def test_a_field_does_not_depend_on_those_computed_before(preset, height, width):
    greys = list(small_greys(moving_clip(2, 1, 4, height=height, width=width), None))
    params = make("flow", dis_preset=preset)
    *_, last = flow_fields(greys, params)
    assert np.array_equal(make_estimator(params)(greys[-2], greys[-1]), last)


def test_a_stride_of_two_doubles_the_motion_and_loses_one_field():
    single = fields_of(moving_clip(1, 1, n_frames=6))
    double = fields_of(moving_clip(1, 1, n_frames=6), stride=2)
    assert (len(single), len(double)) == (5, 4)
    assert np.median(double[:, 16:-16, 16:-16]) == pytest.approx(2, abs=0.2)


def test_a_clip_shorter_than_the_stride_has_no_flow():
    greys = small_greys(moving_clip(1, 0, n_frames=3), None)
    assert list(flow_fields(greys, make("flow", stride=3))) == []


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((240, 320), (120, 160)), ((321, 181), (213, 120)), ((90, 100), (90, 100))],
)
def test_shrinking_keeps_the_aspect_and_never_enlarges(shape, expected):
    assert shrink(np.zeros(shape, np.uint8), 120).shape == expected


@pytest.mark.parametrize("short_side", [90, 64, 48, 40])
def test_a_shrunk_picture_is_the_mean_of_areas(short_side):
    picture = texture(96, 128)
    averaged = cv2.resize(
        picture, (round(128 * short_side / 96), short_side), interpolation=cv2.INTER_AREA
    )
    assert cv2.PSNR(shrink(picture, short_side), averaged) > 40


def test_automatic_gamma_brightens_dark_clips_alone():
    dark = [(texture(32, 32)[..., 0] * 0.1).astype(np.uint8)] * 3
    gamma, pictures = brighten(dark, "auto")
    assert 1 < gamma <= flow_module._MAX_GAMMA
    assert np.mean(next(pictures)) > 1.5 * np.mean(dark[0])
    bright = [texture(32, 32)[..., 0]] * 3
    gamma, pictures = brighten(bright, "auto")
    assert gamma == 1
    assert np.array_equal(next(pictures), bright[0])


def test_gamma_keeps_every_picture_of_the_clip():
    clip = [np.full((8, 8), 10, np.uint8)] * 50
    assert len(list(brighten(clip, "auto")[1])) == 50
    assert len(list(brighten(clip, 2.0)[1])) == 50
