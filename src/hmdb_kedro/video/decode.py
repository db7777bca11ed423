"""The one place where video files are opened.

`VideoCapture`'s frame count is a guess, so frames are counted as they decode.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from pathlib import Path

import cv2
import numpy as np

# One decoder thread a clip: clips run in parallel, which two cores use better than slices do.
_ONE_THREAD = (cv2.CAP_PROP_N_THREADS, 1)


class UnreadableClipError(Exception):
    """Why a clip cannot be decoded; ends as the reason in its row, never stops a run."""


@dataclass(frozen=True)
class ClipProbe:
    """What one full decode of a clip tells.

    Attributes:
        content_hash: SHA-256 of the file's bytes, hexadecimal.
        n_frames: Frames that decode.
        fps: Frames a second, as the container says; 0 when unreadable.
        width: Pixels.
        height: Pixels.
        status: `ok`, `unreadable` or `too_short`.
        reason: What is wrong, or None.
    """

    content_hash: str
    n_frames: int
    fps: float
    width: int
    height: int
    status: str
    reason: str | None


def read_frames(file: Path, *, reuse: bool = False) -> Iterator[np.ndarray]:
    """Yield the frames of a clip in order, one in memory at a time.

    Args:
        file: The video.
        reuse: Decode every frame into the array of the one before, which is spent by then: a new
            one each time costs page faults, and threads side by side wait for one another's.

    Yields:
        uint8, shape (H, W, 3), BGR.

    Raises:
        UnreadableClipError: The file is no video that OpenCV can open.
    """
    with Capture(file) as capture:
        yield from capture.frames(reuse)


def probe_clip(file: Path, min_frames: int, min_decoded_share: float) -> ClipProbe:
    """Decode a clip from end to end and say what it holds and whether it can be used."""
    content_hash = hash_file(file)
    try:
        with Capture(file) as capture:
            n_frames = capture.count()
            announced, fps = capture.announced, capture.fps
            width, height = capture.width, capture.height
    except UnreadableClipError as error:
        return ClipProbe(content_hash, 0, 0.0, 0, 0, "unreadable", str(error))
    status, reason = "ok", None
    if n_frames == 0:
        status, reason = "unreadable", "no frame decodes"
    elif n_frames < min_decoded_share * announced:
        status, reason = "unreadable", describe_cut(n_frames, announced)
    elif n_frames < min_frames:
        status, reason = "too_short", f"{n_frames} frame(s), at least {min_frames} are needed"
    return ClipProbe(content_hash, n_frames, fps, width, height, status, reason)


def describe_cut(n_frames: int, announced: int) -> str:
    """Say of a file that too little of it decodes."""
    return f"truncated: {n_frames} of {announced} announced frames decode"


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Every stage of a run asks; a file whose size and time stand unchanged is read for it once.
    """
    stat = file.stat()
    return _hash(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=2**16)
def _hash(file: Path, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Capture:
    """`cv2.VideoCapture` as a context manager that names what went wrong.

    Attributes:
        announced: Frames the container promises; a guess, 0 where it says nothing.
        fps: Frames a second, as the container says; 0 where it says nothing.
        announced_size: Width and height that the container promises, in pixels; 0 likewise.
        width: Pixels; 0 until `count` has seen a frame.
        height: Pixels, likewise.
    """

    def __init__(self, file: Path):
        """Open a video.

        Raises:
            UnreadableClipError: It is gone, empty, or no video.
        """
        if not file.is_file():
            raise UnreadableClipError("the file is gone")
        if file.stat().st_size == 0:
            raise UnreadableClipError("the file is empty")
        self._capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG, _ONE_THREAD)
        if not self._capture.isOpened():
            raise UnreadableClipError("no video that OpenCV can open")
        self.announced = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        self.fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        wide, high = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
        self.announced_size = int(self._capture.get(wide)), int(self._capture.get(high))
        self.width = self.height = 0
        self._is_grabbed = False

    def __enter__(self) -> "Capture":
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.release()

    def frames(self, reuse: bool) -> Iterator[np.ndarray]:
        """Yield what is left of the frames; see `read_frames`."""
        decoded, frame = self._capture.read()
        while decoded:
            yield frame
            decoded, frame = self._capture.read(frame if reuse else None)

    def frames_of(self, asked: Collection[int] | None) -> Iterator[np.ndarray | None]:
        """Yield what is left of the frames, and None for those that nobody asks for.

        Each is spent when the next is asked for.

        Args:
            asked: Counted from 0; None for all. The others are decoded, not made into pictures.
        """
        frame: np.ndarray | None = None
        for number in count():
            if not self._grab():
                return
            if asked is not None and number not in asked:
                yield None
                continue
            retrieved, frame = self._capture.retrieve(frame)
            if not retrieved:
                return
            yield frame

    def expected(self, fps: float) -> int:
        """Return how many frames will probably decode, before `frames_of` yields the first.

        Of a clip with frames out of order, a container announces as many too many as its first
        frame is late, less one: so it was with each of 197 clips of five sets.

        Args:
            fps: Frames a second: `self.fps`, or what stands for it where the file does not say.
        """
        self._is_grabbed = self._grab()
        late = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 * fps)
        return max(0, self.announced - max(0, late - 1))

    def _grab(self) -> bool:
        if self._is_grabbed:
            self._is_grabbed = False
            return True
        return bool(self._capture.grab())

    def count(self) -> int:
        """Return how many frames are left, and leave none."""
        # `grab` decodes; only the first frame is converted to a picture, for its true size.
        if not self._capture.grab():
            return 0
        retrieved, frame = self._capture.retrieve()
        if not retrieved:
            return 0
        self.height, self.width = frame.shape[:2]
        n_frames = 1
        while self._capture.grab():
            n_frames += 1
        return n_frames
