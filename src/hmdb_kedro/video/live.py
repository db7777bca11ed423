"""Pictures of one clip as the tables would hold them, made when they are asked for.

What is taken went through the same encoding as a stored row; what no sample asks for costs nothing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from hmdb_kedro.params import FlowSettings, FramesSettings
from hmdb_kedro.video.decode import UnreadableClipError
from hmdb_kedro.video.encoding import decode_flow, decode_frame, encode_flow, encode_frame
from hmdb_kedro.video.flow import Estimator, brighten, make_estimator, shrink
from hmdb_kedro.video.samples import Pictures

Settings = FramesSettings | FlowSettings

# Frames are kept as they came up to here, for few of them are ever asked for; small up to there;
# as JPEG beyond. Each way `take` gives the same.
_NATIVE_BYTES = 128 * 2**20
_RAW_BYTES = 256 * 2**20
_MOST_BYTES = 1536 * 2**20


class LiveFrames:
    """The frames of one clip, for which any clip_id stands."""

    def __init__(self, settings: FramesSettings):
        """Take how frames are stored; they are added one by one."""
        self._settings = settings
        self._kept: list[np.ndarray | bytes | None] = []
        self._size: tuple[int, int] | None = None
        self._n_seen = self._n_bytes = 0

    def add(self, frame: np.ndarray | None) -> None:
        """Keep the next frame of the clip, where the stride asks for it.

        Args:
            frame: uint8 (H, W, 3), BGR; free to change afterwards. None where it is not taken.

        Raises:
            UnreadableClipError: It has another size than those before, or they are too many.
        """
        self._n_seen += 1
        if (self._n_seen - 1) % self._settings.stride:
            return
        if frame is None:
            self._kept.append(None)
            return
        if self._size and self._n_bytes + frame.nbytes <= _NATIVE_BYTES:
            self._keep(frame.copy(), frame.nbytes)
            return
        picture = shrink(frame, self._settings.short_side)
        self._size = same_size(self._size, picture)
        if self._n_bytes + picture.nbytes <= _RAW_BYTES:
            self._keep(picture.copy() if picture is frame else picture, picture.nbytes)
        else:
            encoded = encode_frame(picture, self._settings.quality)
            self._keep(encoded, len(encoded))

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of frames, their height and width."""
        return (len(self._kept), *(self._size or (0, 0)))

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return frames as if from the table: uint8 (len(indices), H / reduce, W / reduce, 3)."""
        made = {index: decode_frame(self._encoded(index), reduce) for index in _distinct(indices)}
        return np.stack([made[int(index)] for index in indices])

    def _keep(self, picture: np.ndarray | bytes, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes > _RAW_BYTES + _MOST_BYTES:
            raise UnreadableClipError(
                f"its first {len(self._kept)} frames fill {self._n_bytes / 1e9:.1f} GB already; "
                "cut it, or scale it down"
            )
        self._kept.append(picture)

    def _encoded(self, index: int) -> bytes:
        picture = self._kept[index]
        if isinstance(picture, bytes):
            return picture
        if picture is None:
            raise IndexError(f"Frame {index} was not asked for before.")
        return encode_frame(shrink(picture, self._settings.short_side), self._settings.quality)


class LiveGreys(Sequence[np.ndarray]):
    """The small grey pictures of a clip; most are made when they are asked for."""

    def __init__(self, short_side: int | None):
        """Take how small they are; frames are added one by one."""
        self._short_side = short_side
        self._kept: list[np.ndarray | None] = []
        self._n_bytes = 0

    def add(self, frame: np.ndarray | None) -> None:
        """Keep the next frame of the clip.

        Args:
            frame: uint8 (H, W, 3), BGR; free to change afterwards. None where it is not taken.
        """
        if frame is None:
            self._kept.append(None)
            return
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if self._n_bytes + grey.nbytes > _NATIVE_BYTES:
            grey = shrink(grey, self._short_side)
        self._n_bytes += grey.nbytes
        self._kept.append(grey)

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: Any) -> Any:
        picture = self._kept[index]
        if picture is None:
            raise IndexError(f"Frame {index} was not asked for before.")
        # Two fields share a picture, and windows of a timeline share fields.
        self._kept[index] = shrink(picture, self._short_side)
        return self._kept[index]


class LiveFlow:
    """The flow of one clip, for which any clip_id stands; a field is computed when it is taken."""

    def __init__(self, greys: Sequence[np.ndarray], settings: FlowSettings):
        """Take the clip's grey pictures, small and brightened already."""
        self._greys, self._settings = greys, settings

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of fields, their height and width."""
        height, width = self._greys[0].shape
        return max(0, len(self._greys) - self._settings.stride), height, width

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return fields as they would be stored: float32 (len(indices), H, W, 2), in pixels."""
        # OpenCV's estimators work in buffers of their own: threads must not share one.
        estimate = make_estimator(self._settings)
        made = {index: self._stored(index, estimate) for index in _distinct(indices)}
        return np.stack([made[int(index)] for index in indices])

    def _stored(self, index: int, estimate: Estimator) -> np.ndarray:
        settings = self._settings
        field = estimate(self._greys[index], self._greys[index + settings.stride])
        return decode_flow(
            encode_flow(field, settings.bound_px, settings.quality), settings.bound_px
        )


class Section:
    """A part of a clip: pictures `start` to `stop` of others, counted from 0."""

    def __init__(self, pictures: Pictures, start: int, stop: int):
        """Take the pictures and where the part begins and ends; `stop` is not in it."""
        self._pictures, self._start, self._stop = pictures, start, stop

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of pictures of the part, their height and width."""
        return (self._stop - self._start, *self._pictures.shape(clip_id)[1:])

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the chosen pictures of the part."""
        return self._pictures.take(clip_id, [self._start + int(i) for i in indices], reduce)


def hold_clip(
    frames: Iterable[np.ndarray | None], settings: Collection[Settings]
) -> Mapping[Settings, Pictures]:
    """Read a clip once and hold its pictures for all settings asked for.

    Args:
        frames: uint8 (H, W, 3), BGR; each is spent when the next is read. None for one that nobody
            will take; never the first, and none at all where flow is of brightened pictures.
        settings: How frames and flow were stored that models were trained on.

    Returns:
        The pictures by settings.

    Raises:
        UnreadableClipError: The size changes, or there are too few frames for flow, or too many.
    """
    rgb = {how: LiveFrames(how) for how in settings if isinstance(how, FramesSettings)}
    flows = [how for how in settings if isinstance(how, FlowSettings)]
    greys = {how.short_side: LiveGreys(how.short_side) for how in flows}
    size, n_frames = None, 0
    for frame in frames:
        size, n_frames = size if frame is None else same_size(size, frame), n_frames + 1
        for kept in rgb.values():
            kept.add(frame)
        for pictures in greys.values():
            pictures.add(frame)
    _refuse_too_few(n_frames, flows)
    held: dict[Settings, Pictures] = {how: kept for how, kept in rgb.items()}  # noqa: C416
    for how in flows:
        held[how] = live_flow(greys[how.short_side], how)
    return held


def live_flow(greys: Sequence[np.ndarray], settings: FlowSettings) -> LiveFlow:
    """Return the flow of a clip's small grey pictures, brightened as the settings say."""
    gamma, brightened = brighten(greys, settings.gamma)
    return LiveFlow(greys if gamma == 1 else list(brightened), settings)


def same_size(size: tuple[int, int] | None, picture: np.ndarray) -> tuple[int, int]:
    """Return the height and width of a picture, which must be those of the ones before.

    Raises:
        UnreadableClipError: They are not.
    """
    found = (picture.shape[0], picture.shape[1])
    if size not in (None, found):
        raise UnreadableClipError(f"the frame size changes from {size} to {found}")
    return found


def _refuse_too_few(n_frames: int, flows: Sequence[FlowSettings]) -> None:
    if n_frames == 0:
        raise UnreadableClipError("no frame decodes")
    needed = 1 + max((how.stride for how in flows), default=0)
    if n_frames < needed:
        raise UnreadableClipError(f"{n_frames} frame(s), at least {needed} are needed")


def _distinct(indices: Any) -> set[int]:
    return {int(index) for index in indices}
