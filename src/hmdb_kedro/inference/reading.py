"""From a path, bytes or an array to the pictures that streams look at."""

import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmdb_kedro.video.clips import VIDEO_SUFFIXES
from hmdb_kedro.video.decode import Capture, UnreadableClipError, describe_cut
from hmdb_kedro.video.live import Settings, hold_clip
from hmdb_kedro.video.samples import Pictures

Video = str | Path | bytes | np.ndarray
_RGB = 4, 3


@dataclass(frozen=True)
class Limits:
    """What a video may ask for.

    Attributes:
        max_pixels: Of a frame: 4096×2304 by default.
        max_frames: Of the video.
        min_decoded_share: Decoded over announced frames below which a file counts as truncated, as
            in `data_prep`.
        fps: Frames a second of arrays, and of files that do not say.
    """

    max_pixels: int = 4096 * 2304
    max_frames: int = 20_000
    min_decoded_share: float = 0.9
    fps: float = 30.0


@dataclass(frozen=True)
class HeldVideo:
    """One video in memory.

    Attributes:
        pictures: By the settings they were made with.
        n_frames: Frames that decoded.
        fps: Frames a second.
    """

    pictures: Mapping[Settings, Pictures]
    n_frames: int
    fps: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.n_frames / self.fps


def hold_video(video: Video, settings: Collection[Settings], limits: Limits) -> HeldVideo:
    """Decode a video once and hold what streams look at.

    Args:
        video: A file, its bytes, or uint8 RGB frames of shape (T, H, W, 3).
        settings: How the streams' pictures are made.
        limits: What is refused.

    Raises:
        UnreadableClipError: It is no video, damaged, too short, or beyond a limit.
    """
    if isinstance(video, np.ndarray):
        counted = _Counted(_bgr(video), limits)
        return HeldVideo(hold_clip(counted, settings), counted.n_frames, limits.fps)
    if isinstance(video, bytes):
        # OpenCV opens files alone; this one has no name that could be found, and goes with the end.
        with tempfile.NamedTemporaryFile(suffix=".video") as file:
            file.write(video)
            file.flush()
            return _hold_file(Path(file.name), settings, limits)
    return _hold_file(Path(video), settings, limits)


def name_of(video: Video) -> str:
    """Return what a video is called."""
    if isinstance(video, np.ndarray):
        return f"array of {len(video)} frames"
    return f"{len(video)} bytes" if isinstance(video, bytes) else str(video)


def expand_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files as they are, and the videos of folders, at any depth, sorted.

    A folder without any is yielded itself: reading it says what is wrong.
    """
    for path in paths:
        found = sorted(
            file
            for file in (path.rglob("*") if path.is_dir() else ())
            if file.suffix.lower() in VIDEO_SUFFIXES and file.is_file()
        )
        yield from found or [path]


def _hold_file(file: Path, settings: Collection[Settings], limits: Limits) -> HeldVideo:
    if file.is_dir():
        raise UnreadableClipError("a folder without videos")
    if not file.exists():
        raise UnreadableClipError("there is no such file")
    with Capture(file) as capture:
        counted = _Counted(capture.frames(reuse=True), limits)
        pictures = hold_clip(counted, settings)
        fps = capture.fps if np.isfinite(capture.fps) and capture.fps > 0 else limits.fps
        announced = capture.announced
    if counted.n_frames < limits.min_decoded_share * announced:
        raise UnreadableClipError(describe_cut(counted.n_frames, announced))
    return HeldVideo(pictures, counted.n_frames, fps)


def _bgr(frames: np.ndarray) -> Iterator[np.ndarray]:
    if frames.dtype != np.uint8 or (frames.ndim, frames.shape[-1]) != _RGB:
        raise UnreadableClipError(
            f"frames must be uint8 of shape (T, H, W, 3), RGB. Received: {frames.dtype} of shape "
            f"{frames.shape}"
        )
    return (np.ascontiguousarray(frame[..., ::-1]) for frame in frames)


class _Counted(Iterable[np.ndarray]):
    """Frames, counted and held to the limits as they pass."""

    def __init__(self, frames: Iterable[np.ndarray], limits: Limits):
        self._frames, self._limits = frames, limits
        self.n_frames = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self._frames:
            self.n_frames += 1
            height, width = frame.shape[:2]
            if height * width > self._limits.max_pixels:
                raise UnreadableClipError(
                    f"frames of {width}×{height} pixels are beyond the limit of "
                    f"{self._limits.max_pixels:,} pixels; scale it down"
                )
            if self.n_frames > self._limits.max_frames:
                raise UnreadableClipError(
                    f"it has more than {self._limits.max_frames:,} frames; cut it into parts"
                )
            yield frame
