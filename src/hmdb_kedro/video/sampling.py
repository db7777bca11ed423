"""Which pictures of a clip a sample takes."""

import numpy as np


def window_indices(n_pictures: int, window: int, stride: int, position: float) -> np.ndarray:
    """Return the indices of `window` pictures, `stride` apart, at a position in the clip.

    A clip shorter than the window is repeated from its start.

    Args:
        n_pictures: Pictures of the clip.
        window: Pictures of the sample; 1 for single frames.
        stride: Steps between them.
        position: 0 takes the first window that fits, towards 1 the last.

    Returns:
        int64, shape (window,), each in 0 … n_pictures - 1.
    """
    span = (window - 1) * stride + 1
    start = int(position * max(1, n_pictures - span + 1))
    return (start + stride * np.arange(window)) % n_pictures


def segment_position(
    segment: int, n_segments: int, rng: np.random.Generator | None = None
) -> float:
    """Return a position within one of `n_segments` equal parts of a clip: TSN's sampling.

    Random within the segment in training, its middle without `rng` (Wang et al. 2016).
    """
    offset = 0.5 if rng is None else rng.random()
    return (segment + offset) / n_segments
