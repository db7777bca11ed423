"""Flow as colours."""

import numpy as np

# The wheel of Baker et al. (2011): red is right, yellow down, cyan to blue left, violet up. Hues
# that the eye tells apart well take more of the circle: where each begins, out of 55.
_WHEEL_STEPS = 55
_WHEEL_STARTS = (0, 15, 21, 25, 36, 49)
_WHEEL_COLOURS = np.array(
    [[255, 0, 0], [255, 255, 0], [0, 255, 0], [0, 255, 255], [0, 0, 255], [255, 0, 255]]
)


def flow_colours(flow: np.ndarray, max_px: float) -> np.ndarray:
    """Colour a flow field: hue is the direction, saturation the length, white no motion.

    Args:
        flow: float32, shape (H, W, 2): dx (right) and dy (down), in pixels.
        max_px: The length that is fully saturated, and so are longer ones.

    Returns:
        uint8, shape (H, W, 3), RGB.
    """
    dx, dy = flow[..., 0], flow[..., 1]
    length = np.minimum(np.hypot(dx, dy) / max_px, 1)
    step = np.arctan2(dy, dx) * (_WHEEL_STEPS / (2 * np.pi))
    channels = [
        np.interp(step, _WHEEL_STARTS, channel, period=_WHEEL_STEPS) for channel in _WHEEL_COLOURS.T
    ]
    hue = np.stack(channels, axis=-1)
    return np.asarray(np.rint(255 - length[..., None] * (255 - hue)), np.uint8)
