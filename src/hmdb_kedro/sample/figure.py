"""The walking figure: a jointed body in profile, drawn once for every frame of its stride."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

# The frame of a stride, in picture pixels; the figure's feet stand at GROUND_PX, its hips above
# the middle column.
BOX_WIDTH, BOX_HEIGHT = 220, 216
GROUND_PX = 206

_FINE = 2  # drawn this many times larger, then averaged down
_SHIFT = 4  # fractional bits of OpenCV's coordinates
_CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 14, endpoint=False)) for f in (np.cos, np.sin)], -1)
_SHADES = 4
_TONES = (72, 198)
_SHADOW_STRENGTH = 0.36

Joint = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """How one walker looks and moves; lengths in shares of the body height, tones in luma.

    Attributes:
        height_px: Body height.
        stride_frames: Frames of one stride (two steps).
        swing: Amplitude of the legs, in radians.
        girth: Thickness of trunk and limbs, about 1.
        coat: How far below the hip a coat falls; 0 is none.
        hat: `none`, `cap`, `brim` or `bun`.
        bag: Whether it carries a rucksack.
        shirt, trousers, skin, hair: Tones.
        shadow_slant: Where the shadow falls, in pixels sideways for each pixel of height.
    """

    height_px: float
    stride_frames: int
    swing: float
    girth: float
    coat: float
    hat: str
    bag: bool
    shirt: float
    trousers: float
    skin: float
    hair: float
    shadow_slant: float


@dataclass(frozen=True)
class Stride:
    """The pictures of one stride, facing right; all uint8 of shape (frames, BOX_HEIGHT, BOX_WIDTH).

    Attributes:
        luma: The figure's luma times its cover.
        keep: Share of the ground's luma that remains, out of 255: less in the shadow, 0 behind.
        body: 255 where the figure is, else 0.
    """

    luma: NDArray[np.uint8]
    keep: NDArray[np.uint8]
    body: NDArray[np.uint8]


@dataclass(frozen=True)
class _Part:
    """The hull of some circles (x forward, y up, radius) in one tone."""

    circles: list[tuple[float, float, float]]
    tone: float


def cast_figure(rng: np.random.Generator) -> Figure:
    """Draw the build, clothes and gait of one walker."""
    light, dark = rng.uniform(160, 186), rng.uniform(76, 98)
    shirt, trousers = (light, dark) if rng.random() < 0.5 else (dark, rng.uniform(120, 168))
    return Figure(
        height_px=rng.uniform(148, 182),
        stride_frames=int(rng.integers(26, 33)),
        swing=rng.uniform(0.40, 0.52),
        girth=rng.uniform(0.92, 1.2),
        coat=float(rng.choice([0, 0, 0.1, 0.2])),
        hat=str(rng.choice(["none", "cap", "brim", "bun"])),
        bag=bool(rng.random() < 0.35),
        shirt=shirt,
        trousers=trousers,
        skin=rng.uniform(128, 172),
        hair=rng.uniform(74, 125),
        shadow_slant=rng.uniform(0.25, 0.45) * float(rng.choice([-1, 1])),
    )


def draw_stride(figure: Figure) -> Stride:
    """Draw every frame of the figure's stride."""
    phases = 2 * np.pi * np.arange(figure.stride_frames) / figure.stride_frames
    pictures = [_draw(figure, phase) for phase in phases]
    luma, keep, body = (np.stack(planes) for planes in zip(*pictures, strict=True))
    return Stride(luma, keep, body)


def _draw(figure: Figure, phase: float) -> tuple[NDArray[np.uint8], ...]:
    """Return luma, keep and body of one frame."""
    canvas = np.zeros((BOX_HEIGHT * _FINE, BOX_WIDTH * _FINE, 2), np.uint8)
    parts = list(_parts(figure, phase))
    for part, outlines in zip(parts, _outlines(parts, figure.height_px), strict=True):
        for shade, outline in enumerate(outlines):
            tone = min(max(part.tone + 11 * (shade - 2), _TONES[0]), _TONES[1])
            hull = cv2.convexHull(outline)
            cv2.fillConvexPoly(canvas, hull, (tone, 255), cv2.LINE_AA, _SHIFT)
    small = cv2.resize(canvas, (BOX_WIDTH, BOX_HEIGHT), interpolation=cv2.INTER_AREA)
    luma, cover = (np.asarray(plane, np.uint8) for plane in cv2.split(small))
    shadow = _shadow(cover, figure.shadow_slant)
    lit = cv2.convertScaleAbs(shadow, alpha=-_SHADOW_STRENGTH, beta=255)
    keep = cv2.multiply(cv2.bitwise_not(cover), lit, scale=1 / 255)
    _, body = cv2.threshold(cover, 127, 255, cv2.THRESH_BINARY)
    return luma, np.asarray(keep, np.uint8), np.asarray(body, np.uint8)


def _outlines(parts: list[_Part], height_px: float) -> NDArray[np.int32]:
    """Outline every part once for each shade: ever smaller and nearer to the light.

    Returns:
        int32, shape (parts, shades, points, 2), in OpenCV's fixed point.
    """
    # A circle more than once leaves the hull as it is.
    most = max(len(part.circles) for part in parts)
    circles = np.array(
        [[*part.circles, *part.circles[-1:] * (most - len(part.circles))] for part in parts]
    )
    shrink = 0.24 * np.arange(_SHADES)[:, None, None]
    centres, radii = circles[:, None, :, :2], circles[:, None, :, 2:]
    lit = centres + radii * shrink * (0.45, 0.35)
    rims = lit[..., None, :] + (radii * (1 - shrink))[..., None, :] * _CIRCLE
    pixels = rims * (height_px, -height_px) + (BOX_WIDTH / 2, GROUND_PX)
    fixed = np.rint(pixels * (_FINE << _SHIFT)).astype(np.int32)
    return np.asarray(fixed.reshape(*fixed.shape[:2], -1, 2), np.int32)


def _shadow(cover: NDArray[np.uint8], slant: float) -> NDArray[np.uint8]:
    """Lay the figure's outline down on the ground, flattened and softened."""
    flat = 0.34
    # Ground point (x, y) is shaded by the body's point (x - slant * h, GROUND_PX - h) with the
    # height h = (GROUND_PX - y) / flat.
    inverse = np.array(
        [[1, slant / flat, -slant * GROUND_PX / flat], [0, 1 / flat, GROUND_PX * (1 - 1 / flat)]]
    )
    laid = cv2.warpAffine(
        cover, inverse, (BOX_WIDTH, BOX_HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(cv2.blur(laid, (5, 5)), np.uint8)


def _parts(figure: Figure, phase: float) -> Iterator[_Part]:
    """List the parts of the body from the far side to the near one."""
    near, far = _leg(figure, phase), _leg(figure, phase + np.pi)
    # The lower foot stands on the ground, which makes the body rise and fall.
    hip = np.array([0.0, 0.02 - min(near[2:, 1].min(), far[2:, 1].min())])
    shoulder = _at(hip, 0.035, 0.285)
    return chain(
        _arm_parts(figure, phase + np.pi, shoulder, -20),
        _leg_parts(figure, far, hip, -20),
        _leg_parts(figure, near, hip, 0),
        _trunk_parts(figure, hip, shoulder),
        _head_parts(figure, shoulder),
        _arm_parts(figure, phase, shoulder, 0),
    )


def _leg(figure: Figure, phase: float) -> NDArray[np.float64]:
    """Place knee, ankle, heel and toe below a hip at the origin; at phase 0 it swings forward."""
    thigh = 0.05 + figure.swing * np.sin(phase)
    shin = thigh - 0.08 - 0.95 * max(0.0, np.cos(phase + 0.45)) ** 2
    pitch = 0.35 * np.sin(phase) - 0.3 * max(0.0, np.cos(phase + 0.9))
    knee = 0.245 * _down(thigh)
    ankle = knee + 0.235 * _down(shin)
    along, under = np.array([np.cos(pitch), np.sin(pitch)]), 0.028 * _down(pitch)
    return np.stack([knee, ankle, ankle - 0.018 * along + under, ankle + 0.085 * along + under])


def _leg_parts(
    figure: Figure, leg: NDArray[np.float64], hip: Joint, shade: float
) -> Iterator[_Part]:
    knee, ankle, heel, toe = leg + hip
    g = figure.girth
    yield _part(76 + shade / 2, (heel, 0.021), (toe, 0.017), (ankle, 0.024 * g))
    yield _part(figure.trousers + shade, (knee, 0.037 * g), (ankle, 0.026 * g))
    yield _part(figure.trousers + shade, (hip, 0.056 * g), (knee, 0.040 * g))


def _arm_parts(figure: Figure, phase: float, shoulder: Joint, shade: float) -> Iterator[_Part]:
    """Swing an arm against the leg of its side, the elbow bent more in front."""
    upper = -0.95 * figure.swing * np.sin(phase)
    fore = upper + 0.3 - 0.25 * np.sin(phase)
    g = figure.girth
    top = _at(shoulder, 0.0, -0.02)
    elbow = top + 0.165 * _down(upper)
    hand = elbow + 0.155 * _down(fore)
    yield _part(figure.skin + shade, (hand, 0.021), (hand + 0.02 * _down(fore), 0.017))
    yield _part(figure.shirt + shade, (elbow, 0.027 * g), (hand, 0.021 * g))
    yield _part(figure.shirt + shade, (top, 0.036 * g), (elbow, 0.029 * g))


def _trunk_parts(figure: Figure, hip: Joint, shoulder: Joint) -> Iterator[_Part]:
    g = figure.girth
    if figure.bag:
        pack = _at(shoulder, -0.085 * g, -0.06)
        yield _part(figure.trousers - 16, (pack, 0.045), (_at(pack, -0.005, -0.11), 0.055))
    waist = _at(hip, 0.008, 0.06)
    yield _part(figure.shirt - 6, (hip, 0.062 * g), (waist, 0.058 * g), (shoulder, 0.052 * g))
    yield _part(figure.shirt, (waist, 0.058 * g), (_at(shoulder, -0.004, -0.055), 0.072 * g))
    if figure.coat:
        hem = _at(hip, 0.0, -figure.coat)
        sides = [(_at(hem, x, 0.0), 0.03) for x in (-0.075 * g, 0.085 * g)]
        yield _part(figure.shirt - 6, (waist, 0.058 * g), *sides)


def _head_parts(figure: Figure, shoulder: Joint) -> Iterator[_Part]:
    head = _at(shoulder, 0.026, 0.122)
    yield _part(figure.skin - 14, (_at(shoulder, 0.0, 0.02), 0.03), (head, 0.028))
    yield _part(figure.hair, (_at(head, -0.018, 0.018), 0.054), (_at(head, -0.03, -0.014), 0.034))
    if figure.hat == "bun":
        yield _part(figure.hair, (_at(head, -0.072, 0.036), 0.026))
    yield _part(
        figure.skin + 8, (_at(head, 0.016, 0.004), 0.046), (_at(head, 0.024, -0.028), 0.027)
    )
    yield _part(figure.skin + 8, (_at(head, 0.062, -0.006), 0.010))
    yield _part(figure.hair, (_at(head, -0.014, 0.044), 0.034), (_at(head, 0.022, 0.05), 0.018))
    if figure.hat in ("cap", "brim"):
        back = -0.09 if figure.hat == "brim" else -0.03
        crown = _at(head, -0.002, 0.046)
        yield _part(figure.trousers - 8, (crown, 0.052), (_at(crown, 0.0, 0.014), 0.042))
        brim = [(_at(head, back, 0.026), 0.009), (_at(head, 0.092, 0.03), 0.009)]
        yield _part(figure.trousers - 14, *brim)


def _part(tone: float, *circles: tuple[Joint, float]) -> _Part:
    return _Part([(*centre, radius) for centre, radius in circles], tone)


def _at(joint: Joint, forward: float, up: float) -> Joint:
    return np.asarray(joint + np.array([forward, up]), np.float64)


def _down(angle: float) -> Joint:
    """Return the unit vector that hangs down, turned forward by an angle."""
    return np.array([np.sin(angle), -np.cos(angle)])
