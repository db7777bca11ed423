"""How a sample looks at a clip: crop, flip and colour, the same for all its pictures.

Crops are squares and never stretched: the aspect ratio can leak the class. Flow obeys physics:
a horizontal flip negates x, a resize by S / c multiplies every vector by S / c, time run backwards
inverts every field.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

_REDUCTIONS = (8, 4, 2)
# TSN and the two-stream paper crop 224 of 256 pixels.
_CORNER_SIDE = 224 / 256
_INVERSION_STEPS = 5
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class View:
    """One way to look at a clip.

    Attributes:
        top: Upper edge of the square crop, as a share of the height.
        left: Left edge, as a share of the width.
        side: Side of the square, as a share of the short side.
        flip: Mirrored left to right.
        brightness: Factor on all values.
        contrast: Factor on the distance from the mean grey.
        saturation: Factor on the distance from each pixel's grey.
    """

    top: float
    left: float
    side: float
    flip: bool = False
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0


def centre_view(height: int, width: int) -> View:
    """Return the largest centred square."""
    return _crop(height, width, side=1.0, down=0.5, across=0.5)


def random_view(
    height: int, width: int, augmentation: "Augmentation", rng: np.random.Generator
) -> View:
    """Draw a corner or centre crop with scale jitter, a flip and colours.

    Scale jitter with corner crops follows TSN (Wang et al. 2016).
    """
    side = rng.uniform(augmentation.crop_scale_min, 1)
    down, across = _ANCHORS[rng.integers(len(_ANCHORS))]
    crop = _crop(height, width, side, down, across)
    flip = bool(augmentation.flip and rng.random() < 0.5)
    strength = augmentation.colour_jitter
    colours = rng.uniform(1 - strength, 1 + strength, size=3)
    return View(crop.top, crop.left, crop.side, flip, *map(float, colours))


def fixed_views(height: int, width: int) -> tuple[View, ...]:
    """Return ten views that are always the same: centre, corners and their mirror images.

    The set of the two-stream paper's ten crops (Simonyan & Zisserman 2014), ordered so that any
    first few of them differ as much as they can: centre, two corners, the centre's mirror image,
    the other corners, the corners' mirror images. Corners are 224 / 256 of the short side.
    """
    centre, *corners = (
        _crop(height, width, 1.0 if anchor == _ANCHORS[0] else _CORNER_SIDE, *anchor)
        for anchor in _ANCHORS
    )
    top_left, top_right, bottom_left, bottom_right = corners
    views = (centre, top_left, bottom_right, _mirrored(centre), top_right, bottom_left)
    return (*views, *map(_mirrored, corners))


def long_side_views(height: int, width: int) -> tuple[View, ...]:
    """Return three full squares along the longer side, which see all of the picture.

    Feichtenhofer et al. 2019 (SlowFast).
    """
    return tuple(_crop(height, width, 1.0, place, place) for place in (0.0, 0.5, 1.0))


@dataclass(frozen=True)
class Augmentation:
    """How far samples vary in training.

    Attributes:
        crop_scale_min: Smallest random crop, as a share of the short side.
        flip: Half of the samples are mirrored.
        colour_jitter: Strength of brightness, contrast and saturation.
        time_reversal: Half of the samples run backwards.
        stride_jitter: By how many steps a window's stride varies.
    """

    crop_scale_min: float
    flip: bool
    colour_jitter: float = 0.0
    time_reversal: bool = False
    stride_jitter: int = 0


def best_reduction(height: int, width: int, view: View, size: int) -> int:
    """Return the largest reduction in the JPEG decoder that loses no pixel of the view."""
    side = view.side * min(height, width)
    return next((factor for factor in _REDUCTIONS if side / factor >= size), 1)


class PictureSeries(Protocol):
    """Pictures of one shape: an array of them, or what gives them one by one."""

    def __len__(self) -> int:
        """Return how many they are."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield each: (H, W, C)."""


def view_frames(frames: PictureSeries, view: View, size: int) -> np.ndarray:
    """Apply a view to RGB frames.

    Args:
        frames: uint8, shape (T, H, W, 3).
        view: How to look at them.
        size: Height and width of the result, in pixels.

    Returns:
        uint8, shape (T, size, size, 3).
    """
    crops = _viewed(frames, view, size)
    if (view.brightness, view.contrast, view.saturation) == (1.0, 1.0, 1.0):
        return crops
    return _recoloured(crops, view)


def view_flow(flow: PictureSeries, view: View, size: int) -> np.ndarray:
    """Apply a view to flow fields; vectors stay in pixels, of the result.

    Args:
        flow: float32, shape (T, H, W, 2): dx and dy in pixels.
        view: How to look at them; its colours do not matter.
        size: Height and width of the result, in pixels.

    Returns:
        float32, shape (T, size, size, 2).
    """
    viewed = _viewed(flow, view, size, in_pixels=True)
    if view.flip:
        np.negative(viewed[..., 0], out=viewed[..., 0])
    return viewed


def view_steps(
    steps: Sequence[np.ndarray],
    pixels: np.ndarray,
    view: View,
    size: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Apply a view to flow fields as they are stored: does as `view_flow`, and sooner.

    Only what the view shows is turned into pixels, and one table does it, sign and scale with it.
    OpenCV resizes one channel in less than half the time of two.

    Args:
        steps: uint8, shape (T, 2, H, W).
        pixels: The displacement that each step stands for: float32 (256,).
        view: How to look at them; its colours do not matter.
        size: Height and width of the result, in pixels.
        out: Memory for the result; None for new one.

    Returns:
        float32, shape (T, size, size, 2): dx and dy in pixels of the result.
    """
    rows, columns = _window(steps[0][0], view)
    scaled = pixels * np.float32(size / (rows.stop - rows.start))
    tables = (-scaled if view.flip else scaled, scaled)
    viewed = np.empty((len(steps), size, size, 2), np.float32) if out is None else out
    for target, planes in zip(viewed, steps, strict=True):
        crops: Iterable[np.ndarray] = planes[:, rows, columns]
        if view.flip:
            crops = [cv2.flip(crop, 1) for crop in crops]
        cv2.merge([_resized(cv2.LUT(*of), size) for of in zip(crops, tables, strict=True)], target)
    return viewed


def reverse_flow(flow: np.ndarray) -> np.ndarray:
    """Return the flow of a clip that runs backwards.

    The field from b back to a obeys F_ba(x + F_ab(x)) = -F_ab(x): it is the inverse, not the
    negative, which stands where the motion began instead of where it ended. Found by fixed-point
    iteration, F_ba(y) <- -F_ab(y + F_ba(y)) (Chen et al. 2008).

    Args:
        flow: float32, shape (T, H, W, 2): dx and dy in pixels.

    Returns:
        The same shape: each field inverted, the last one first.
    """
    height, width = flow.shape[1:3]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    return np.stack([_inverted(field, columns, rows) for field in flow[::-1]])


def without_median(flow: np.ndarray) -> np.ndarray:
    """Subtract the median of each field and axis, as a panning camera gives it.

    Args:
        flow: float32, shape (T, H, W, 2): whole fields.
    """
    still: np.ndarray = flow - np.median(flow, axis=(1, 2), keepdims=True)
    return still


def square_rooted(flow: np.ndarray) -> np.ndarray:
    """Compress long vectors: replace each component by sign(x) sqrt(|x|).

    The last thing done to flow: a resize by S / c would scale a root by as much, not by its root.
    """
    rooted: np.ndarray = np.sign(flow) * np.sqrt(np.abs(flow))
    return rooted


_ANCHORS = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))


def _crop(height: int, width: int, side: float, down: float, across: float) -> View:
    short = min(height, width)
    return View(
        top=down * (1 - side * short / height), left=across * (1 - side * short / width), side=side
    )


def _mirrored(view: View) -> View:
    return replace(view, flip=True)


def _inverted(field: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    inverse = -field
    for _ in range(_INVERSION_STEPS):
        inverse = -cv2.remap(
            field,
            columns + inverse[..., 0],
            rows + inverse[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return inverse


def _viewed(
    pictures: PictureSeries, view: View, size: int, *, in_pixels: bool = False
) -> np.ndarray:
    """Crop, resize and mirror picture by picture; values in pixels grow with the picture."""
    viewed: np.ndarray = np.empty(0)
    for place, picture in enumerate(pictures):
        if not place:
            viewed = np.empty((len(pictures), size, size, picture.shape[-1]), picture.dtype)
        crop, target = _cropped(picture, view), viewed[place]
        _resized(crop, size, target)
        if view.flip:
            cv2.flip(target, 1, dst=target)
        if in_pixels:
            target *= np.float32(size / len(crop))
    return viewed


def _resized(crop: np.ndarray, size: int, target: np.ndarray | None = None) -> np.ndarray:
    # Down to half the size two neighbours cover what lies between them, at a tenth of the time.
    interpolation = cv2.INTER_AREA if len(crop) > 2 * size else cv2.INTER_LINEAR
    return cv2.resize(crop, (size, size), dst=target, interpolation=interpolation)


def _cropped(picture: np.ndarray, view: View) -> np.ndarray:
    cropped: np.ndarray = picture[_window(picture, view)]
    return cropped


def _window(picture: np.ndarray, view: View) -> tuple[slice, slice]:
    height, width = picture.shape[:2]
    side = max(1, round(view.side * min(height, width)))
    top = min(round(view.top * height), height - side)
    left = min(round(view.left * width), width - side)
    return slice(top, top + side), slice(left, left + side)


def _recoloured(frames: np.ndarray, view: View) -> np.ndarray:
    # All three are linear: one matrix and one pass. The mean is that of the clip's grey.
    rows = frames.reshape(-1, frames.shape[2], 3)
    mean = float(_LUMA @ cv2.mean(rows)[:3])
    saturation = view.saturation * np.eye(3) + (1 - view.saturation) * _LUMA
    matrix = view.brightness * view.contrast * saturation
    offset = np.full((3, 1), view.brightness * (1 - view.contrast) * mean)
    recoloured: np.ndarray = cv2.transform(rows, np.hstack([matrix, offset])).reshape(frames.shape)
    return recoloured
