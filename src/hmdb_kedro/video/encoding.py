"""How pictures and flow fields are stored: JPEG bytes inside a table's row."""

from functools import lru_cache

import cv2
import numpy as np

# A zero displacement must come back as exactly zero, so the scale is symmetric about 128.
_ZERO, _STEPS = 128, 127
# OpenCV names its reduced sizes for BGR and grey alone; without either they are RGB's.
_RGB = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_REDUCED_GRAYSCALE_8,
}


def encode_frame(frame: np.ndarray, quality: int) -> bytes:
    """Encode a BGR picture, uint8 (H, W, 3), as JPEG."""
    return _encode(frame, quality)


def decode_frame(encoded: bytes, reduce: int = 1) -> np.ndarray:
    """Decode a picture to RGB, uint8 (H / reduce, W / reduce, 3); `reduce` is 1, 2, 4 or 8.

    Reduction happens inside the JPEG decoder: half the size costs about half the time.
    """
    return _decode(encoded, _RGB[reduce])


def encode_flow(flow: np.ndarray, bound_px: float, quality: int) -> bytes:
    """Quantise a flow field to uint8 over +-`bound_px` and encode it as one grey JPEG.

    Args:
        flow: float32, shape (H, W, 2): dx and dy in pixels.
        bound_px: Longer displacements are clipped, on each axis.
        quality: JPEG quality.

    Returns:
        A JPEG of shape (2 H, W): dx above dy.
    """
    return _encode(quantise(flow, bound_px), quality)


def decode_flow(encoded: bytes, bound_px: float) -> np.ndarray:
    """Invert `encode_flow`: float32, shape (H, W, 2), in pixels."""
    return cv2.LUT(cv2.merge(tuple(decode_steps(encoded))), pixels_of_steps(bound_px))


def decode_steps(encoded: bytes) -> np.ndarray:
    """Decode a flow field as it is stored: uint8 (2, H, W), dx and dy in steps."""
    planes = _decode(encoded, cv2.IMREAD_GRAYSCALE)
    return planes.reshape(2, len(planes) // 2, -1)


@lru_cache(maxsize=8)
def pixels_of_steps(bound_px: float) -> np.ndarray:
    """Return the displacement that each step stands for: float32 (256,)."""
    return (np.arange(256, dtype=np.float32) - _ZERO) * np.float32(bound_px / _STEPS)


def quantise(flow: np.ndarray, bound_px: float) -> np.ndarray:
    """Map +-`bound_px` to 1…255, rounding to the nearest, 0 px to 128: (H, W, 2) to (2 H, W)."""
    scale = _STEPS / bound_px
    # One pass of OpenCV that scales, shifts and rounds; 0 is what lies beyond the lower bound.
    steps = cv2.addWeighted(flow, scale, flow, 0.0, _ZERO, dtype=cv2.CV_8U)
    np.maximum(steps, _ZERO - _STEPS, out=steps)
    return cv2.vconcat(cv2.split(steps))


def _encode(picture: np.ndarray, quality: int) -> bytes:
    is_done, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_done:
        raise ValueError(f"A picture does not encode as JPEG. Received: shape {picture.shape}.")
    return encoded.tobytes()


def _decode(encoded: bytes, flags: int) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    if picture is None:
        raise ValueError(f"A stored picture does not decode ({len(encoded)} bytes).")
    return picture
