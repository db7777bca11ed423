"""A video with its answer drawn in: labels, bars and a picture of its flow."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference.results import Prediction
from hmdb_kedro.video.colours import flow_colours
from hmdb_kedro.video.decode import Capture
from hmdb_kedro.video.flow import shrink, small_grey

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _BAR, _SHADE = (255, 255, 255), (200, 160, 60), 0.35
# Text is legible from this height on; smaller videos are enlarged to it.
_LEAST_HEIGHT = 360
_FLOW_SIDE = 96
_FULL_FLOW_PX = 6.0
_FPS = 30.0


def write_overlay(video: Path, prediction: Prediction, file: Path) -> None:
    """Write the video with its answer as MP4.

    Args:
        video: What was predicted.
        prediction: Its answer; of a long video, each moment shows its own action.
        file: Is replaced when the new one is whole.

    Raises:
        UserError: The file cannot be written.
    """
    half = file.with_name(f"half_{file.stem}.mp4")
    try:
        with Capture(video) as capture:
            fps = capture.fps or _FPS
            _write(half, fps, _drawn(capture.frames(reuse=False), prediction, fps))
        half.replace(file)
    except OSError as error:
        raise UserError(f"The overlay cannot be written. Received: {file} ({error}).") from None
    finally:
        half.unlink(missing_ok=True)


def _write(file: Path, fps: float, frames: Iterator[np.ndarray]) -> None:
    writer = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
            if not writer.isOpened():
                raise OSError("no MP4 can be written there")
        writer.write(frame)
    if writer is not None:
        writer.release()


def _drawn(
    frames: Iterator[np.ndarray], prediction: Prediction, fps: float
) -> Iterator[np.ndarray]:
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    before = None
    for number, frame in enumerate(frames):
        grey = small_grey(frame, _FLOW_SIDE)
        field = np.zeros((*grey.shape, 2), np.float32)
        if before is not None:
            field = flow.calc(before, grey, None)  # type: ignore[call-overload]
        before = grey
        picture = _enlarged(frame)
        _draw_bars(picture, prediction)
        _draw_label(picture, _label_at(prediction, number / fps))
        _draw_inset(picture, flow_colours(field, _FULL_FLOW_PX)[..., ::-1])
        yield picture


def _label_at(prediction: Prediction, seconds: float) -> str:
    for action in prediction.timeline:
        if seconds < action.end_s:
            return f"{action.label} {action.probability:.0%}"
    return f"{prediction.label} {prediction.probability:.0%}"


def _enlarged(frame: np.ndarray) -> np.ndarray:
    scale = max(1.0, _LEAST_HEIGHT / frame.shape[0])
    # Codecs take even sizes.
    width, height = (2 * round(side * scale / 2) for side in (frame.shape[1], frame.shape[0]))
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)


def _draw_bars(picture: np.ndarray, prediction: Prediction) -> None:
    height, width = picture.shape[:2]
    line = height // 18
    top = height - line * len(prediction.top) - line // 2
    picture[max(0, top) :] = (picture[max(0, top) :] * _SHADE).astype(np.uint8)
    for rank, (label, probability) in enumerate(prediction.top):
        y = top + line * rank + line // 4
        bar = round(0.35 * width * probability)
        cv2.rectangle(picture, (line // 2, y), (line // 2 + bar, y + line // 2), _BAR, cv2.FILLED)
        place = (line + round(0.35 * width), y + line // 2)
        write_text(picture, f"{label} {probability:.1%}", place, line / 45)


def _draw_label(picture: np.ndarray, label: str) -> None:
    line = picture.shape[0] // 12
    picture[:line] = (picture[:line] * _SHADE).astype(np.uint8)
    write_text(picture, label, (line // 3, 2 * line // 3), line / 42)


def _draw_inset(picture: np.ndarray, inset: np.ndarray) -> None:
    small = shrink(inset, picture.shape[0] // 4)
    line = picture.shape[0] // 12
    height, width = small.shape[:2]
    picture[line : line + height, picture.shape[1] - width :] = small


def write_text(
    picture: np.ndarray,
    text: str,
    place: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int] = _WHITE,
) -> None:
    """Write a line of text into a picture; its font knows ASCII alone."""
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(picture, plain, place, _FONT, scale, colour, 1, cv2.LINE_AA)
