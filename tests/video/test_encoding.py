import numpy as np
import pytest
from clips import texture
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.video.encoding import (
    decode_flow,
    decode_frame,
    encode_flow,
    encode_frame,
    quantise,
)


def test_no_motion_comes_back_as_exactly_none():
    zero = np.zeros((40, 56, 2), np.float32)
    assert not decode_flow(encode_flow(zero, 16.0, 95), 16.0).any()


@given(dx=st.floats(-8, 8), dy=st.floats(-8, 8))
def test_a_uniform_displacement_survives_within_half_a_step(dx, dy):
    flow = np.broadcast_to(np.float32([dx, dy]), (16, 24, 2))
    error = np.abs(decode_flow(encode_flow(flow, 8.0, 95), 8.0) - flow).max()
    assert error <= 8.0 / 127 / 2 + 1e-5


@given(value=st.floats(-1e6, 1e6), bound=st.floats(0.5, 64))
def test_quantising_is_odd_and_clips_at_the_bound(value, bound):
    flow = np.float32([[[value, -value], [2 * bound, -2 * bound]]])
    dx, dy = quantise(flow, bound).astype(int)
    assert dx[0] - 128 == 128 - dy[0]
    assert (dx[1], dy[1]) == (255, 1)


def test_a_frame_comes_back_as_rgb():
    frame = texture(48, 64)
    frame[..., 0] //= 2
    decoded = decode_frame(encode_frame(frame, 95))
    assert np.abs(decoded[..., ::-1].astype(int) - frame).mean() < 4


@pytest.mark.parametrize("reduce", [1, 2, 4, 8])
def test_reduction_keeps_the_picture(reduce):
    frame = np.full((48, 64, 3), (40, 80, 160), np.uint8)
    decoded = decode_frame(encode_frame(frame, 95), reduce)
    assert decoded.shape == (48 // reduce, 64 // reduce, 3)
    assert np.abs(decoded.astype(int) - (160, 80, 40)).max() <= 3


def test_a_damaged_picture_is_refused():
    with pytest.raises(ValueError, match="does not decode"):
        decode_frame(b"not a jpeg")
