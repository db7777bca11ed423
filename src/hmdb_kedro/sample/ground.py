"""Ground to walk over: paving, pebbles, leaves and straw, as pictures without a border.

Each is drawn on a torus (right continues left, bottom continues top), looks the same everywhere
and can be scrolled for ever: one frame of it says nothing of its motion.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 384
LUMA_RANGE = (82, 204)

Field = NDArray[np.float32]
Cells = NDArray[np.int32]
# Beyond the border a cell's distance to its edge is found on a margin this wide.
_MARGIN = 72
_SHIFT = 4  # fractional bits of OpenCV's coordinates
_HALF_RANGE = (LUMA_RANGE[1] - LUMA_RANGE[0]) / 2
_MIDDLE = (LUMA_RANGE[1] + LUMA_RANGE[0]) / 2


def draw_ground(kind: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one texture.

    Args:
        kind: One of `KINDS`.
        rng: Source of everything random.

    Returns:
        uint8 luma, shape (SIZE, SIZE), within `LUMA_RANGE`; periodic in both directions.
    """
    picture = KINDS[kind](rng)
    picture = picture - picture.mean()
    contrast = rng.uniform(0.9, 1.15) * 26 / picture.std()
    # tanh keeps highlights and joints within the range without flat, clipped patches.
    luma = _MIDDLE + _HALF_RANGE * np.tanh(
        picture * contrast / _HALF_RANGE + rng.uniform(-0.2, 0.2)
    )
    return np.asarray(np.rint(luma), np.uint8)


def _flagstones(rng: np.random.Generator) -> Field:
    cells = _voronoi(_jittered_grid(rng.uniform(50, 70), 0.62, rng))
    return _stones(cells, rng, bevel=5, gap=1.5, roughness=0.7)


def _setts(rng: np.random.Generator) -> Field:
    cells = _rows(round(SIZE / rng.uniform(26, 38)), rng)
    return _stones(cells, rng, bevel=8, gap=1.8, roughness=0.5)


def _pebbles(rng: np.random.Generator) -> Field:
    cells = _voronoi(_jittered_grid(rng.uniform(24, 33), 0.8, rng))
    return _stones(cells, rng, bevel=12, gap=2.4, roughness=0.15)


def _gravel(rng: np.random.Generator) -> Field:
    cells = _voronoi(_jittered_grid(rng.uniform(14, 18), 0.9, rng))
    return _stones(cells, rng, bevel=7, gap=1.6, roughness=0.2)


def _leaves(rng: np.random.Generator) -> Field:
    length = rng.uniform(24, 34)
    outline = np.array(
        [(-1, 0), (-0.6, 0.3), (-0.1, 0.42), (0.4, 0.3), (1, 0),
         (0.4, -0.3), (-0.1, -0.42), (-0.6, -0.3)], np.float32
    )  # fmt: skip
    return _scatter(outline, _lengths(length, 4.0, rng), rng)


def _straw(rng: np.random.Generator) -> Field:
    length = rng.uniform(20, 28)
    outline = np.array(
        [(-1, 0.1), (0, 0.17), (0.6, 0.13), (1, 0), (0.6, -0.13), (0, -0.17), (-1, -0.1)],
        np.float32,
    )
    return _scatter(outline, _lengths(length, 5.0, rng), rng)


KINDS: dict[str, Callable[[np.random.Generator], Field]] = {
    "flagstones": _flagstones,
    "setts": _setts,
    "pebbles": _pebbles,
    "gravel": _gravel,
    "leaves": _leaves,
    "straw": _straw,
}


def _jittered_grid(spacing: float, jitter: float, rng: np.random.Generator) -> Cells:
    """Place points about `spacing` apart; shape (n, 2): y, x."""
    per_side = round(SIZE / spacing)
    grid = np.indices((per_side, per_side)).reshape(2, -1).T + 0.5
    # Every second row moves by half a step, so that no column of joints runs through.
    grid[:, 1] += 0.5 * (grid[:, 0].astype(int) % 2)
    points = (grid + jitter * rng.uniform(-0.5, 0.5, grid.shape)) * SIZE / per_side
    return np.unique(points.astype(np.int32) % SIZE, axis=0)


def _voronoi(points: Cells) -> Cells:
    """Return the number of the nearest point for every pixel of the torus."""
    numbers = np.full((SIZE, SIZE), -1, np.int32)
    numbers[points[:, 0], points[:, 1]] = np.arange(len(points))
    padded = _wrap(numbers)
    _, nearest = cv2.distanceTransformWithLabels(
        (padded < 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number_of = np.zeros(int(nearest.max()) + 1, np.int32)
    number_of[nearest[padded >= 0]] = padded[padded >= 0]
    return np.asarray(number_of[_unwrap(nearest)])


def _rows(n_rows: int, rng: np.random.Generator) -> Cells:
    """Return the number of the stone for every pixel of a wall of rows, joints staggered."""
    edges = np.linspace(0, SIZE, n_rows + 1).round().astype(int)
    cells = np.empty((SIZE, SIZE), np.int32)
    per_row = round(SIZE / (SIZE / n_rows * rng.uniform(1.2, 1.6)))
    for row, (top, bottom) in enumerate(pairwise(edges)):
        widths = rng.uniform(0.75, 1.25, per_row)
        joints = (widths.cumsum() / widths.sum() * SIZE).round().astype(int)
        stones = np.searchsorted(joints, np.arange(SIZE), side="right") + row * per_row
        cells[top:bottom] = np.roll(stones, int(rng.integers(SIZE)))
    return cells


def _stones(
    cells: Cells, rng: np.random.Generator, *, bevel: float, gap: float, roughness: float
) -> Field:
    """Light a floor of stones.

    Args:
        cells: The stone of every pixel.
        rng: Source of tones, grain and the light's direction.
        bevel: Pixels over which a stone rounds off.
        gap: Half the width of the joints, in pixels.
        roughness: How uneven the stones' faces are.
    """
    # Blurred, so that stones get round corners.
    inset = _blur(_distance_to_edge(cells), 1.6) - gap
    depth = np.clip(inset / bevel, 0, 1)
    height = np.sqrt(1 - (1 - depth) ** 2) * bevel + roughness * _noise(rng, 1.3)
    tone = rng.uniform(-26, 26, int(cells.max()) + 1).astype(np.float32)[cells]
    face = tone + 40 * _lit(height, rng) + 7 * _noise(rng, 2.5)
    joint = -48 + 5 * _noise(rng, 0.8)
    cover = np.clip(inset + 0.5, 0, 1)
    return np.asarray(cover * face + (1 - cover) * joint, np.float32)


def _scatter(outline: Field, lengths: NDArray[np.float64], rng: np.random.Generator) -> Field:
    """Paint blades of one outline over each other, each with its shadow and a lighter half."""
    canvas = np.full((SIZE, SIZE), -30, np.float32)
    angles = rng.uniform(0, 2 * np.pi, len(lengths))
    places = rng.uniform(0, SIZE, (len(lengths), 1, 2))
    turns = np.stack([np.cos(angles), np.sin(angles), -np.sin(angles), np.cos(angles)], -1)
    blades = outline @ turns.reshape(-1, 2, 2) * (lengths / 2)[:, None, None] + places
    tones = rng.uniform(-20, 26, len(lengths))
    shadow = _fixed(np.array([rng.uniform(-3, 3), 3]))
    for blade, tone in zip(_fixed(blades), tones.tolist(), strict=True):
        for copy in _copies(blade):
            _fill(canvas, copy + shadow, tone - 38)
            _fill(canvas, copy, tone)
            _fill(canvas, copy[: len(copy) // 2 + 1], tone + 13)
    return _blur(canvas, 0.6) + 4 * _noise(rng, 1.5)


def _lengths(mean_px: float, overlap: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the lengths of blades that cover the ground `overlap` times, were they square."""
    return mean_px * rng.uniform(0.7, 1.3, round(overlap * SIZE**2 / mean_px**2))


def _copies(blade: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Repeat a blade on the far side of every border of the torus that it touches."""
    size, reach = SIZE << _SHIFT, 4 << _SHIFT
    low, high = blade.min(axis=0).tolist(), blade.max(axis=0).tolist()
    copies = [blade]
    for axis in (0, 1):
        across = np.eye(2, dtype=np.int32)[axis] * size
        if low[axis] < reach:
            copies += [copy + across for copy in copies]
        elif high[axis] >= size - reach:
            copies += [copy - across for copy in copies]
    return copies


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.asarray(np.rint(points * (1 << _SHIFT)), np.int32)


def _fill(canvas: Field, polygon: NDArray[np.int32], value: float) -> None:
    cv2.fillConvexPoly(canvas, polygon, value, cv2.LINE_8, _SHIFT)


def _distance_to_edge(cells: Cells) -> Field:
    edges = (cells != np.roll(cells, 1, 0)) | (cells != np.roll(cells, 1, 1))
    inside = _wrap((~edges).astype(np.uint8))
    return np.asarray(_unwrap(cv2.distanceTransform(inside, cv2.DIST_L2, 5)), np.float32)


def _lit(height: Field, rng: np.random.Generator) -> Field:
    """Shade a height map by the light's direction: slopes that face it are bright."""
    angle = rng.uniform(0, 2 * np.pi)
    slope_y, slope_x = (np.roll(height, 1, a) - np.roll(height, -1, a) for a in (0, 1))
    return np.asarray(np.tanh((slope_x * np.cos(angle) + slope_y * np.sin(angle)) / 3), np.float32)


def _noise(rng: np.random.Generator, sigma_px: float) -> Field:
    """Draw smooth noise of unit variance."""
    noise = _blur(rng.standard_normal((SIZE, SIZE), np.float32), sigma_px)
    return np.asarray(noise / noise.std(), np.float32)


def _blur(picture: Field, sigma_px: float) -> Field:
    return np.asarray(_unwrap(cv2.GaussianBlur(_wrap(picture), (0, 0), sigma_px)), np.float32)


def _wrap(picture: NDArray[Any]) -> NDArray[Any]:
    return np.pad(picture, _MARGIN, mode="wrap")


def _unwrap(picture: NDArray[Any]) -> NDArray[Any]:
    return picture[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
