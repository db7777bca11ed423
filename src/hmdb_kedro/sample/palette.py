"""Coloured light of equal luma: three tints that a grey picture cannot tell apart."""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# OpenCV's grey weights, in its channel order.
GREY_BGR = np.array([0.114, 0.587, 0.299])

# Each tint in whole steps of JPEG's two chroma channels (Cb, Cr). Decoders cut off fractions when
# they turn these into colours; for the steps chosen here they cut off less than half a level of
# grey, so that every tint decodes to the same grey picture. A tint that varied with the luma
# would differ from the others by 0.2 to 0.4 levels.
_TINTS = {
    "ground": {"amber": (-32, 21), "teal": (17, -37), "violet": (26, 18)},
    "figure": {"amber": (-15, 11), "teal": (8, -17), "violet": (14, 11)},
}
# Shadows below this luma fade to grey: no channel comes near 0, where MJPG would clip it.
_FULL_TINT_LUMA, _NO_TINT_LUMA = 86, 20


@cache
def tint_table(appearance: str, layer: Literal["ground", "figure"]) -> NDArray[np.uint8]:
    """Return the colour of every luma in the light of an appearance, channel by channel.

    Each colour's grey value, as OpenCV computes it, is the luma itself.

    Args:
        appearance: One of the sample set's appearances.
        layer: Skin and clothes take less of the light's colour than the ground.

    Returns:
        uint8, shape (3, 256): blue, green, red; meant for lumas from 40 to 200.
    """
    blue_chroma, red_chroma = _TINTS[layer][appearance]
    blue, red = 1.772 * blue_chroma, 1.402 * red_chroma
    green = -(GREY_BGR[0] * blue + GREY_BGR[2] * red) / GREY_BGR[1]
    luma = np.arange(256, dtype=np.float64)
    fade = np.clip((luma - _NO_TINT_LUMA) / (_FULL_TINT_LUMA - _NO_TINT_LUMA), 0, 1)
    colours = np.rint(luma + fade * np.array([[blue], [green], [red]]))
    return np.asarray(np.clip(colours, 1, 254), np.uint8)
