import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hmdb_kedro.video.sampling import segment_position, window_indices


@given(
    n=st.integers(1, 200),
    window=st.integers(1, 32),
    stride=st.integers(1, 4),
    position=st.floats(0, 1, exclude_max=True),
)
def test_a_window_stays_in_the_clip_and_keeps_its_stride(n, window, stride, position):
    indices = window_indices(n, window, stride, position)
    assert indices.shape == (window,)
    assert indices.min() >= 0
    assert indices.max() < n
    if (window - 1) * stride < n:
        assert (np.diff(indices) == stride).all()


def test_positions_reach_from_the_first_to_the_last_window():
    starts = {int(window_indices(20, 4, 2, p)[0]) for p in np.linspace(0, 0.999, 500)}
    assert starts == set(range(14))


@given(segment=st.integers(0, 6), seed=st.integers(0, 2**31))
def test_a_random_position_lies_in_its_segment(segment, seed):
    position = segment_position(segment, 7, np.random.default_rng(seed))
    assert segment / 7 <= position < (segment + 1) / 7


def test_without_a_generator_the_middle_of_the_segment_is_taken():
    assert [segment_position(k, 2) for k in range(2)] == [0.25, 0.75]
