"""Dense optical flow between the frames of one clip."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

import cv2
import numpy as np

from hmdb_kedro.errors import UserError
from hmdb_kedro.params import FlowAlgorithm, FlowSettings

Estimator = Callable[[np.ndarray, np.ndarray], np.ndarray]

_DIS_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
# Automatic gamma brings a clip's mean brightness to this level; brighter clips stay as they are.
_TARGET_BRIGHTNESS = 0.4
_MAX_GAMMA = 4.0
_FRAMES_FOR_GAMMA = 32
# Small pictures made ahead of flow: decoding in between would push flow's data out of the caches.
_BLOCK = 32


def flow_fields(greys: Iterable[np.ndarray], params: FlowSettings) -> Iterator[np.ndarray]:
    """Yield the displacement of each pixel from one frame to the one `stride` later.

    Args:
        greys: uint8 pictures of one shape (H, W).
        params: Flow settings.

    Yields:
        float32, shape (H, W, 2): dx (right) and dy (down), in pixels, not clipped.
    """
    estimate = make_estimator(params)
    window: deque[np.ndarray] = deque(maxlen=params.stride + 1)
    for grey in greys:
        window.append(grey)
        if len(window) > params.stride:
            yield estimate(window[0], window[-1])


def make_estimator(params: FlowSettings) -> Estimator:
    """Return a function from two grey pictures to their flow, float32 (H, W, 2), in pixels.

    It is for one thread: OpenCV's algorithms keep what they work on.

    Raises:
        UserError: TV-L1 is asked for and the contrib build of OpenCV is absent.
    """
    algorithm = _ALGORITHMS[params.algorithm](params)
    estimate = _call(algorithm)
    return _settled(algorithm, estimate) if isinstance(algorithm, cv2.DISOpticalFlow) else estimate


def small_greys(frames: Iterable[np.ndarray], short_side: int | None) -> Iterator[np.ndarray]:
    """Yield frames as grey pictures whose short side is at most `short_side` pixels."""
    greys = (small_grey(frame, short_side) for frame in frames)
    while block := list(islice(greys, _BLOCK)):
        yield from block


def small_grey(frame: np.ndarray, short_side: int | None) -> np.ndarray:
    """Return a BGR frame as a grey picture whose short side is at most `short_side` pixels."""
    return shrink(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), short_side)


def shrink(picture: np.ndarray, short_side: int | None) -> np.ndarray:
    """Return the picture with its short side at most `short_side` pixels, its aspect kept."""
    if short_side is None or min(picture.shape[:2]) <= short_side:
        return picture
    height, width = small_size(picture.shape[0], picture.shape[1], short_side)
    if 2 * short_side > min(picture.shape[:2]):
        # OpenCV averages blocks of 2 x 2 in no time, and areas of any other kind slowly.
        picture = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def small_size(height: int, width: int, short_side: int | None) -> tuple[int, int]:
    """Return the height and width that `shrink` gives a picture."""
    if short_side is None or min(height, width) <= short_side:
        return height, width
    scale = short_side / min(height, width)
    return round(height * scale), round(width * scale)


def brighten(
    greys: Iterable[np.ndarray], gamma: float | str | None
) -> tuple[float, Iterator[np.ndarray]]:
    """Apply grey ** (1 / gamma) and return the gamma used with the pictures.

    `auto` takes the gamma that brings the mean of the clip's first 32 pictures to 0.4, between
    1 (bright clips stay as they are) and 4.
    """
    pictures = iter(greys)
    if gamma is None or gamma == 1:
        return 1.0, pictures
    if gamma == "auto":
        first = list(islice(pictures, _FRAMES_FOR_GAMMA))
        pictures = chain(first, pictures)
        gamma = _auto_gamma(first)
    curve = 255 * (np.arange(256) / 255) ** (1 / float(gamma))
    table = np.rint(curve).astype(np.uint8)
    return float(gamma), (cv2.LUT(picture, table) for picture in pictures)


def _auto_gamma(pictures: list[np.ndarray]) -> float:
    mean = float(np.mean([picture.mean() for picture in pictures])) / 255 if pictures else 1.0
    if not 0 < mean < _TARGET_BRIGHTNESS:
        return 1.0
    return float(min(np.log(mean) / np.log(_TARGET_BRIGHTNESS), _MAX_GAMMA))


def _dis(params: FlowSettings) -> cv2.DenseOpticalFlow:
    """Kroeger et al. 2016."""
    return cv2.DISOpticalFlow.create(_DIS_PRESETS[params.dis_preset])


def _farneback(params: FlowSettings) -> cv2.DenseOpticalFlow:
    """Farnebäck 2003, with the settings of OpenCV's tutorial."""
    return cv2.FarnebackOpticalFlow.create(
        numLevels=3, pyrScale=0.5, winSize=15, numIters=3, polyN=5, polySigma=1.2
    )


def _tvl1(params: FlowSettings) -> cv2.DenseOpticalFlow:
    """Zach et al. 2007, with OpenCV's defaults."""
    if not hasattr(cv2, "optflow"):
        raise UserError(
            "`flow.algorithm=tvl1` needs the contrib build of OpenCV. "
            "Install opencv-contrib-python-headless, or choose dis or farneback."
        )
    return cv2.optflow.DualTVL1OpticalFlow.create()


_ALGORITHMS: dict[FlowAlgorithm, Callable[[FlowSettings], cv2.DenseOpticalFlow]] = {
    "dis": _dis,
    "farneback": _farneback,
    "tvl1": _tvl1,
}


def _call(algorithm: cv2.DenseOpticalFlow) -> Estimator:
    return lambda before, after: algorithm.calc(before, after, None)  # type: ignore[call-overload]


def _settled(dis: cv2.DISOpticalFlow, estimate: Estimator) -> Estimator:
    """Return what computes a field again where DIS has changed its own settings meanwhile.

    It does so at the first of small pictures, whose field would differ from what the same two
    pictures give later, by up to a pixel at 64×85.
    """

    def calc(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        settings = _scale_settings(dis)
        field = estimate(before, after)
        return field if _scale_settings(dis) == settings else estimate(before, after)

    return calc


def _scale_settings(dis: cv2.DISOpticalFlow) -> tuple[int, ...]:
    return dis.getFinestScale(), dis.getPatchSize(), dis.getPatchStride()
