"""From a path, bytes or an array to the pictures that streams look at."""

import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmdb_kedro.video.clips import is_video
from hmdb_kedro.video.decode import Capture, UnreadableClipError, describe_cut
from hmdb_kedro.video.live import Plan, Settings, frames_behind, hold_clip
from hmdb_kedro.video.samples import Pictures

Video = str | Path | bytes | np.ndarray
# From the number of frames, and frames a second, to the pictures that are looked at, by their
# settings; None for all.
Asked = Callable[[int, float], Mapping[Settings, set[int]] | None]
_RGB = 4, 3
# What containers announce more than there is: a frame in HMDB51, two in UT-Interaction.
_MISSING = 2


@dataclass(frozen=True)
class Limits:
    """What a video may ask for.

    Attributes:
        max_bytes: Of the file.
        max_pixels: Of a frame: 4096×2304 by default.
        max_frames: Of the video.
        max_duration_s: Of the video, by its own frame rate.
        min_decoded_share: Decoded over announced frames below which a file counts as truncated, as
            in `data_prep`.
        fps: Frames a second of arrays, and of files that do not say.
        max_seconds: For an answer; held by `Workers` alone.
        max_memory_bytes: For an answer, beside the networks; held by `Workers` alone, on Linux.
    """

    max_bytes: int = 2 * 2**30
    max_pixels: int = 4096 * 2304
    max_frames: int = 20_000
    max_duration_s: float = 1200.0
    min_decoded_share: float = 0.9
    fps: float = 30.0
    max_seconds: float = 60.0
    max_memory_bytes: int = 2 * 2**30

    def check_bytes(self, size: int) -> None:
        """Refuse a file that is too large.

        Raises:
            UnreadableClipError: It is.
        """
        if size > self.max_bytes:
            raise UnreadableClipError(
                f"{size:,} bytes are beyond the limit of {self.max_bytes:,} bytes; cut it into "
                "parts"
            )

    def check_size(self, width: int, height: int) -> None:
        """Refuse frames that are too large.

        Raises:
            UnreadableClipError: They are.
        """
        if height * width > self.max_pixels:
            raise UnreadableClipError(
                f"frames of {width}×{height} pixels are beyond the limit of "
                f"{self.max_pixels:,} pixels; scale it down"
            )

    def check_length(self, n_frames: int, fps: float) -> None:
        """Refuse a video that is too long.

        Raises:
            UnreadableClipError: It is.
        """
        if n_frames > self.max_frames:
            raise UnreadableClipError(
                f"it has more than {self.max_frames:,} frames; cut it into parts"
            )
        if n_frames > self.max_duration_s * fps:
            raise UnreadableClipError(
                f"it is longer than {self.max_duration_s:g} s; cut it into parts"
            )


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


def hold_video(
    video: Video,
    settings: Collection[Settings],
    limits: Limits,
    asked: Asked | None = None,
    beside: Executor | None = None,
) -> HeldVideo:
    """Decode a video once and hold what streams look at.

    Args:
        video: A file, its bytes, or uint8 RGB frames of shape (T, H, W, 3).
        settings: How the streams' pictures are made.
        limits: What is refused.
        asked: Which pictures will be looked at; by default any of them may be.
        beside: Computes flow and encodes frames while later ones are still decoded.

    Raises:
        UnreadableClipError: It is no video, damaged, too short, or beyond a limit.
    """
    if isinstance(video, np.ndarray):
        counted = _Counted(_bgr(video), limits, limits.fps)
        return HeldVideo(hold_clip(counted, settings), counted.n_frames, limits.fps)
    if isinstance(video, bytes):
        limits.check_bytes(len(video))
        with file_of(video) as file:
            return _hold_file(file, settings, limits, asked, beside)
    return _hold_file(Path(video), settings, limits, asked, beside)


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
            file for file in (path.rglob("*") if path.is_dir() else ()) if is_video(file)
        )
        yield from found or [path]


def _hold_file(
    file: Path,
    settings: Collection[Settings],
    limits: Limits,
    asked: Asked | None,
    beside: Executor | None = None,
) -> HeldVideo:
    if file.is_dir():
        raise UnreadableClipError("a folder without videos")
    if not file.exists():
        raise UnreadableClipError("there is no such file")
    limits.check_bytes(file.stat().st_size)
    with Capture(file) as capture:
        # Before the first frame is decoded, whose memory is taken at once.
        limits.check_size(*capture.announced_size)
        fps = capture.fps if np.isfinite(capture.fps) and capture.fps > 0 else limits.fps
        announced = capture.announced
        plan = _plan(asked, capture, fps, beside)
        counted = _Counted(capture.frames_of(_frames(plan)), limits, fps)
        pictures = hold_clip(counted, settings, plan)
    if counted.n_frames < limits.min_decoded_share * announced:
        raise UnreadableClipError(describe_cut(counted.n_frames, announced))
    if plan is not None and not 0 <= announced - counted.n_frames <= _MISSING:
        return _hold_file(file, settings, limits, None)
    return HeldVideo(pictures, counted.n_frames, fps)


def _plan(
    asked: Asked | None, capture: Capture, fps: float, beside: Executor | None
) -> Plan | None:
    """Return what is looked at whether all announced frames decode, or all but one or two."""
    if asked is None or capture.announced <= _MISSING:
        return None
    kept: dict[Settings, set[int]] = {}
    likely: Mapping[Settings, set[int]] = {}
    expected = capture.expected(fps)
    for n_frames in range(capture.announced - _MISSING, capture.announced + 1):
        found = asked(n_frames, fps)
        if found is None:
            return None
        likely = found if n_frames == expected else likely
        for how, pictures in found.items():
            kept[how] = kept.get(how, set()) | pictures
    return Plan(kept, likely, beside)


def _frames(plan: Plan | None) -> set[int] | None:
    """Return the frames that a plan needs; the first one tells the size."""
    if plan is None:
        return None
    return {0}.union(*(frames_behind(how, pictures) for how, pictures in plan.kept.items()))


@contextmanager
def file_of(video: bytes) -> Iterator[Path]:
    """Give bytes a path, which is all that OpenCV opens.

    Where the system can, they stay in memory and are gone with the process, however it ends.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.NamedTemporaryFile(suffix=".video") as file:
            file.write(video)
            file.flush()
            yield Path(file.name)
        return
    with os.fdopen(os.memfd_create("video"), "wb") as file:
        file.write(video)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def _bgr(frames: np.ndarray) -> Iterator[np.ndarray]:
    if frames.dtype != np.uint8 or (frames.ndim, frames.shape[-1]) != _RGB:
        raise UnreadableClipError(
            f"frames must be uint8 of shape (T, H, W, 3), RGB. Received: {frames.dtype} of shape "
            f"{frames.shape}"
        )
    return (np.ascontiguousarray(frame[..., ::-1]) for frame in frames)


class _Counted(Iterable[np.ndarray | None]):
    """Frames, counted and held to the limits as they pass."""

    def __init__(self, frames: Iterable[np.ndarray | None], limits: Limits, fps: float):
        self._frames, self._limits, self._fps = frames, limits, fps
        self.n_frames = 0

    def __iter__(self) -> Iterator[np.ndarray | None]:
        for frame in self._frames:
            self.n_frames += 1
            if frame is not None:
                height, width = frame.shape[:2]
                self._limits.check_size(width, height)
            self._limits.check_length(self.n_frames, self._fps)
            yield frame
