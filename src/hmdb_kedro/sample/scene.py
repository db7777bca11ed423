"""One clip of the sample set: a figure in the middle, the ground scrolling behind it.

The picture is composed in luma and tinted last, so that the appearance is in the colours alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from hmdb_kedro.sample.avi import encode_avi
from hmdb_kedro.sample.figure import (
    BOX_HEIGHT,
    BOX_WIDTH,
    GROUND_PX,
    Stride,
    cast_figure,
    draw_stride,
)
from hmdb_kedro.sample.ground import KINDS, SIZE, draw_ground
from hmdb_kedro.sample.palette import tint_table
from hmdb_kedro.sample.truth import FPS, HEIGHT, WIDTH, SampleClip, factors, true_scroll

# Raised whenever the same plan is drawn differently: clips drawn before are then drawn anew.
DRAWING_VERSION = 1

_SOURCE_STREAM, _CAMERA_STREAM, _KINDS_STREAM = 4, 5, 6
_JPEG_QUALITY = 90
_DIMMEST = 0.74


@dataclass(frozen=True)
class Source:
    """What the clips of one source share.

    Attributes:
        ground: uint8 luma, padded so that a whole picture can be cut anywhere on the torus.
        light: uint8, shape (240, 320): share of the light that falls on each place, out of 255. It
            stays with the camera, so that clips of one source look alike wherever they are.
        stride: The walking figure, facing right.
        place: Where the figure's box begins in the picture (x, y), in pixels.
    """

    ground: NDArray[np.uint8]
    light: NDArray[np.uint8]
    stride: Stride
    place: tuple[int, int]


def draw_source(key: tuple[int, int, int]) -> Source:
    """Draw what the clips of the source with this `SampleClip.source_key` share."""
    rng = np.random.default_rng([_SOURCE_STREAM, *key])
    ground = draw_ground(_ground_kind(key), rng)
    stride = draw_stride(cast_figure(rng))
    middle = (WIDTH - BOX_WIDTH) // 2 + int(rng.integers(-10, 11))
    feet = HEIGHT - int(rng.integers(16, 30))
    padded = np.pad(ground, ((0, HEIGHT + 1), (0, WIDTH + 1)), mode="wrap")
    return Source(padded, _draw_light(rng), stride, (middle, feet - GROUND_PX))


def draw_clip(
    clip: SampleClip, source: Source, appearance: str | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Draw a clip, frame by frame.

    Args:
        clip: What to draw.
        source: What its source shares.
        appearance: Another appearance than the clip's own; all else stays the same.

    Yields:
        uint8, shape (240, 320, 3), BGR.
    """
    light = appearance or factors(clip.label)[0]
    ground_light, figure_light = tint_table(light, "ground"), tint_table(light, "figure")
    box = _figure_box(source)
    for luma, body in _draw_luma(clip, source):
        frame = _tint(luma, ground_light)
        cv2.copyTo(_tint(luma[box], figure_light), body, frame[box])
        yield frame


def write_clip(clip: SampleClip, source: Source, file: Path) -> None:
    """Draw a clip into a new video file.

    Raises:
        OSError: The file cannot be written in full.
    """
    file.write_bytes(encode_avi(draw_clip(clip, source), fps=FPS, quality=_JPEG_QUALITY))


def _ground_kind(key: tuple[int, int, int]) -> str:
    """Deal the kinds of ground evenly over the sources of every class, shuffled."""
    seed, class_id, source = key
    kinds = sorted(KINDS)
    deal, position = divmod(source, len(kinds))
    rng = np.random.default_rng([_KINDS_STREAM, seed, class_id, deal])
    return kinds[int(rng.permutation(len(kinds))[position])]


def _draw_light(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw soft pools of light and shade."""
    coarse = rng.uniform(_DIMMEST, 1, (5, 7)).astype(np.float32)
    light = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(255 * np.clip(light, _DIMMEST, 1)), np.uint8)


def _draw_luma(
    clip: SampleClip, source: Source
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield each frame's luma (240, 320) and the figure's mask in its box."""
    seed, class_id, source_id = clip.source_key
    rng = np.random.default_rng([_CAMERA_STREAM, seed, class_id, source_id, clip.number])
    start = rng.uniform(0, SIZE, 2)
    moved = np.concatenate([np.zeros((1, 2)), true_scroll(clip).cumsum(axis=0, dtype=np.float64)])
    # The ground moves one way when the window on it moves the other.
    windows = (start - moved) % SIZE
    stride = _facing(clip, source.stride)
    first = int(rng.integers(len(stride.luma)))
    box = _figure_box(source)
    for number, window in enumerate(windows):
        centre = (float(window[0]) + (WIDTH - 1) / 2, float(window[1]) + (HEIGHT - 1) / 2)
        luma = np.asarray(cv2.getRectSubPix(source.ground, (WIDTH, HEIGHT), centre), np.uint8)
        luma = np.asarray(cv2.multiply(luma, source.light, scale=1 / 255), np.uint8)
        step = (first + number) % len(stride.luma)
        ground = cv2.multiply(luma[box], stride.keep[step], scale=1 / 255)
        luma[box] = cv2.add(ground, stride.luma[step])
        yield luma, stride.body[step]


def _facing(clip: SampleClip, stride: Stride) -> Stride:
    if clip.facing == "ri":
        return stride
    planes = (stride.luma, stride.keep, stride.body)
    return Stride(*(np.ascontiguousarray(plane[:, :, ::-1]) for plane in planes))


def _figure_box(source: Source) -> tuple[slice, slice]:
    left, top = source.place
    return slice(top, top + BOX_HEIGHT), slice(left, left + BOX_WIDTH)


def _tint(luma: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.merge([cv2.LUT(luma, channel) for channel in table]), np.uint8)
