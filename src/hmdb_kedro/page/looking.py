"""One video as a visitor gets it: its answer, and a film of the clip beside its flow."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hmdb_kedro.inference import Prediction, Recogniser, Workers
from hmdb_kedro.inference.reading import file_of
from hmdb_kedro.params import FlowSettings
from hmdb_kedro.video.colours import flow_colours
from hmdb_kedro.video.decode import Capture, UnreadableClipError
from hmdb_kedro.video.flow import brighten, make_estimator, small_grey
from hmdb_kedro.video.live import same_size

# A film has fewer pictures than twice this: writing one takes longer than all else does.
_PICTURES = 75
_LONGEST_PX, _GAP_PX = 320, 8
# Below this length nothing moves, and the noise of the estimate stays white.
_LEAST_FULL_PX = 0.5
_FULL_SHARE, _MEASURED = 0.95, 16
# Where no stream looks at flow.
_USUAL_FLOW = FlowSettings(
    algorithm="dis",
    dis_preset="fast",
    short_side=128,
    stride=1,
    gamma=None,
    bound_px=20,
    quality=95,
)


@dataclass(frozen=True)
class Look:
    """What there is to see of a video.

    Attributes:
        prediction: Its answer.
        film: WebM (VP8): the clip beside its flow.
    """

    prediction: Prediction
    film: bytes


@dataclass(frozen=True)
class _Moment:
    """A picture of a film: what is seen, and the two grey pictures whose flow is shown."""

    picture: np.ndarray
    before: np.ndarray
    after: np.ndarray


def look(workers: Workers, video: Path) -> Look:
    """Answer an untrusted video and make its film, both in a worker.

    Raises:
        UnreadableClipError: It is no video, damaged, beyond a limit, or ends its worker.
    """
    prediction = workers.predict(video)
    return Look(prediction, workers.run(film, video, seconds=prediction.seconds))


def film(recogniser: Recogniser, video: Path | bytes, *, seconds: float) -> bytes:
    """Return a clip beside its flow as WebM, which every browser plays: a task of `Workers`.

    Long videos are shown in fewer pictures a second, as long as they are.

    Args:
        recogniser: Tells how the flow is made that a stream looks at.
        video: A file, or its bytes.
        seconds: How long it is.

    Raises:
        UnreadableClipError: It has no two frames, or their size changes.
    """
    if isinstance(video, bytes):
        with file_of(video) as file:
            return film(recogniser, file, seconds=seconds)
    settings = recogniser.flow or _USUAL_FLOW
    with Capture(video) as capture:
        moments = _moments(capture.frames(reuse=True), settings)
    if not moments:
        raise UnreadableClipError("too few frames for a film")
    fields = _fields(moments, settings)
    lengths = np.linalg.norm(np.stack(fields[:: max(1, len(fields) // _MEASURED)]), axis=-1)
    full_px = max(_LEAST_FULL_PX, float(np.quantile(lengths, _FULL_SHARE)))
    pictures = (
        _side_by_side(moment.picture, flow_colours(field, full_px))
        for moment, field in zip(moments, fields, strict=True)
    )
    return _webm(pictures, len(moments) / seconds)


def _moments(frames: Iterable[np.ndarray], settings: FlowSettings) -> list[_Moment]:
    """Choose evenly spaced frames while they pass: how many there are is not known before."""
    step, kept, waiting = 1, list[_Moment](), dict[int, tuple[np.ndarray, np.ndarray]]()
    size = None
    for number, frame in enumerate(frames):
        size = same_size(size, frame)
        first = number - settings.stride
        is_chosen, is_awaited = number % step == 0, first in waiting
        if not (is_chosen or is_awaited):
            continue
        grey = small_grey(frame, settings.short_side)
        if is_awaited:
            kept.append(_Moment(*waiting.pop(first), grey))
        if is_chosen:
            waiting[number] = (_fitted(frame), grey)
        if len(kept) == 2 * _PICTURES:
            step, kept = 2 * step, kept[::2]
            waiting = {n: held for n, held in waiting.items() if n % step == 0}
    return kept


def _fields(moments: list[_Moment], settings: FlowSettings) -> list[np.ndarray]:
    greys = (grey for moment in moments for grey in (moment.before, moment.after))
    _, brightened = brighten(greys, settings.gamma)
    estimate = make_estimator(settings)
    return [estimate(before, next(brightened)) for before in brightened]


def _fitted(frame: np.ndarray) -> np.ndarray:
    """Return a frame of even sides, none of which is longer than a film's."""
    scale = _LONGEST_PX / max(frame.shape[:2])
    height, width = (max(2, 2 * round(side * scale / 2)) for side in frame.shape[:2])
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)


def _side_by_side(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Put an RGB picture of flow beside a BGR frame, in the frame's size."""
    height, width = picture.shape[:2]
    shown = cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR)
    gap = np.full((height, _GAP_PX, 3), 255, np.uint8)
    return np.hstack([picture, gap, shown[..., ::-1]])


def _webm(pictures: Iterable[np.ndarray], fps: float) -> bytes:
    # OpenCV writes files alone; this one goes with the end.
    with tempfile.NamedTemporaryFile(suffix=".webm") as file, _quiet():
        writer = None
        for picture in pictures:
            if writer is None:
                size = (picture.shape[1], picture.shape[0])
                writer = cv2.VideoWriter(file.name, cv2.VideoWriter.fourcc(*"VP80"), fps, size)
            writer.write(picture)
        if writer is not None:
            writer.release()
        return Path(file.name).read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from stderr what OpenCV says of every WebM: a tag it does not know, and writes."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
