"""A picture of what counted for an answer: moments of a clip, and the regions that spoke for it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from hmdb_kedro.inference.overlay import write_text
from hmdb_kedro.video.colours import flow_colours

_TILE_PX, _GAP_PX, _LINE_PX = 160, 6, 22
_PAPER, _INK, _BAR = 255, (40, 35, 30), (178, 114, 0)
_HEAT_SHARE, _DIMMED = 0.75, 0.7
_FULL_FLOW = 0.95


@dataclass(frozen=True)
class Evidence:
    """What one stream saw at some moments, and what spoke for a class.

    Attributes:
        title: One line above the picture.
        seconds: When the moments are.
        inputs: What the network saw: RGB (n, [T,] S, S, 3), or flow (n, T, S, S, 2).
        maps: Where the evidence was: float32 (n, [t,] h, w), 0 and up.
        probabilities: Of the class at each moment: (n,).
    """

    title: str
    seconds: Sequence[float]
    inputs: np.ndarray
    maps: np.ndarray
    probabilities: np.ndarray


def draw_evidence(evidence: Evidence) -> np.ndarray:
    """Draw what a stream saw, below it the regions that counted, below these the class's share.

    Of a stack of pictures, the one is drawn at which the evidence is strongest. All maps have one
    scale: the brightest spot is the strongest evidence of all moments.

    Returns:
        uint8 (H, W, 3), BGR.
    """
    strongest = float(evidence.maps.max()) or 1.0
    full_px = _full_length(evidence.inputs)
    columns = []
    for number, seconds in enumerate(evidence.seconds):
        seen, heat = _strongest(evidence.inputs[number], evidence.maps[number])
        picture = _tile(_visible(seen, full_px))
        share = float(evidence.probabilities[number])
        shown = [picture, _gap(), _heated(picture, heat / strongest), _bar(share, seconds)]
        columns.append(np.vstack(shown))
    gap = np.full((columns[0].shape[0], _GAP_PX, 3), _PAPER, np.uint8)
    body = np.hstack([part for column in columns for part in (column, gap)])
    head = np.full((_LINE_PX, body.shape[1], 3), _PAPER, np.uint8)
    write_text(head, evidence.title, (_GAP_PX, _LINE_PX - 7), 0.45, _INK)
    return np.vstack([head, body])


def _strongest(seen: np.ndarray, maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the picture of a stack at which the evidence is strongest, and its map."""
    is_stack = seen.ndim == 4
    if not is_stack:
        return seen, maps
    if maps.ndim == 2:  # a network that sees the stack as channels tells no time
        return seen[len(seen) // 2], maps
    step = int(maps.mean(axis=(1, 2)).argmax())
    return seen[int((step + 0.5) / len(maps) * len(seen))], maps[step]


def _full_length(inputs: np.ndarray) -> float:
    """Return the length of flow that is drawn in full colour; of RGB, nothing that counts."""
    if inputs.shape[-1] != 2:
        return 1.0
    return max(1e-3, float(np.quantile(np.linalg.norm(inputs, axis=-1), _FULL_FLOW)))


def _visible(seen: np.ndarray, full_px: float) -> np.ndarray:
    """Return a network's input as a picture, uint8 (S, S, 3), BGR."""
    if seen.shape[-1] == 2:
        return flow_colours(seen, full_px)[..., ::-1]
    is_difference = seen.min() < 0
    grey = 128 + seen / 2 if is_difference else seen
    return np.clip(grey, 0, 255).astype(np.uint8)[..., ::-1]


def _tile(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(
        np.ascontiguousarray(picture), (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_LINEAR
    )


def _heated(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay heat, 0 to 1, over a grey copy of a picture."""
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    large = cv2.resize(
        heat.astype(np.float32), (_TILE_PX, _TILE_PX), interpolation=cv2.INTER_LINEAR
    )
    colours = cv2.applyColorMap((255 * large).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = _HEAT_SHARE * large[..., None]
    mixed: np.ndarray = (_DIMMED * (1 - share) * grey + share * colours).astype(np.uint8)
    return mixed


def _bar(share: float, seconds: float) -> np.ndarray:
    strip = np.full((2 * _LINE_PX, _TILE_PX, 3), _PAPER, np.uint8)
    cv2.rectangle(strip, (0, 6), (round(share * (_TILE_PX - 1)), 16), _BAR, cv2.FILLED)
    write_text(strip, f"{seconds:.1f} s   {share:.0%}", (2, 2 * _LINE_PX - 8), 0.42, _INK)
    return strip


def _gap() -> np.ndarray:
    return np.full((_GAP_PX, _TILE_PX, 3), _PAPER, np.uint8)
