"""Pictures of one clip as the tables would hold them, made when they are asked for.

What is taken went through the same encoding as a stored row; what no sample asks for costs nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Generic, TypeVar

import cv2
import numpy as np

from hmdb_kedro.params import FlowSettings, FramesSettings
from hmdb_kedro.video.decode import UnreadableClipError
from hmdb_kedro.video.encoding import decode_flow, decode_frame, encode_flow, encode_frame
from hmdb_kedro.video.flow import Estimator, brighten, make_estimator, shrink, small_size
from hmdb_kedro.video.samples import Pictures

Settings = FramesSettings | FlowSettings
_Made = TypeVar("_Made")

# Frames are kept as they came up to here, for few of them are ever asked for; small up to there;
# as JPEG beyond. Each way `take` gives the same.
_NATIVE_BYTES = 128 * 2**20
_RAW_BYTES = 256 * 2**20
_MOST_BYTES = 1536 * 2**20


@dataclass(frozen=True)
class Plan:
    """What will be taken of a clip, where that is known before it is decoded.

    Attributes:
        kept: The pictures that may be taken, by their settings; where one is not named, all.
        likely: Those that will be taken if the clip is as long as is thought.
        beside: Computes flow and encodes frames of these while later ones are decoded; None where
            nothing does.
    """

    kept: Mapping[Settings, set[int]] = field(default_factory=dict)
    likely: Mapping[Settings, set[int]] = field(default_factory=dict)
    beside: Executor | None = None


def frames_behind(how: Settings, pictures: Collection[int]) -> set[int]:
    """Return the frames that pictures are made from."""
    if isinstance(how, FramesSettings):
        return {how.stride * index for index in pictures}
    return {index + apart for index in pictures for apart in (0, how.stride)}


class _Begun(Generic[_Made]):
    """What another thread makes in advance, by its number."""

    def __init__(self) -> None:
        self._futures: dict[int, Future[_Made]] = {}

    def begin(self, number: int, make: Callable[[int], _Made], beside: Executor) -> None:
        if number not in self._futures:
            self._futures[number] = beside.submit(make, number)

    def get(self, number: int, make: Callable[[int], _Made]) -> _Made:
        """Return what was begun; make it here where that is not the case, or not yet its turn."""
        begun = self._futures.get(number)
        return make(number) if begun is None or begun.cancel() else begun.result()


class LiveFrames:
    """The frames of one clip, for which any clip_id stands."""

    def __init__(self, settings: FramesSettings, wanted: Collection[int] | None = None):
        """Take how frames are stored, and which may be taken; they are added one by one."""
        self._settings, self._wanted = settings, wanted
        self._kept: list[np.ndarray | bytes | None] = []
        self._begun = _Begun[bytes]()
        self._size: tuple[int, int] | None = None
        self._n_seen = self._n_bytes = 0

    def add(self, frame: np.ndarray | None) -> None:
        """Keep the next frame of the clip, where the stride asks for it.

        Args:
            frame: uint8 (H, W, 3), BGR; free to change afterwards. None where it is not taken.

        Raises:
            UnreadableClipError: They are too many.
        """
        self._n_seen += 1
        if (self._n_seen - 1) % self._settings.stride:
            return
        if frame is not None and self._size is None:
            height, width = frame.shape[:2]
            self._size = small_size(height, width, self._settings.short_side)
        if frame is None or not (self._wanted is None or len(self._kept) in self._wanted):
            self._kept.append(None)
            return
        if self._n_bytes + frame.nbytes <= _NATIVE_BYTES:
            self._keep(frame.copy(), frame.nbytes)
            return
        picture = shrink(frame, self._settings.short_side)
        if self._n_bytes + picture.nbytes <= _RAW_BYTES:
            self._keep(picture.copy() if picture is frame else picture, picture.nbytes)
        else:
            encoded = encode_frame(picture, self._settings.quality)
            self._keep(encoded, len(encoded))

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of frames, their height and width."""
        return (len(self._kept), *(self._size or (0, 0)))

    @property
    def newest(self) -> int:
        """The number of the frame that was added last."""
        return len(self._kept) - 1

    def begin(self, index: int, beside: Executor) -> None:
        """Have a frame encoded that will be taken."""
        self._begun.begin(index, self._encoded, beside)

    def each(self, clip_id: str, indices: Any, reduce: int = 1) -> list[np.ndarray]:
        """Return frames as if from the table: each uint8 (H / reduce, W / reduce, 3)."""
        encoded = {index: self._begun.get(index, self._encoded) for index in _distinct(indices)}
        made = {index: decode_frame(found, reduce) for index, found in encoded.items()}
        return [made[int(index)] for index in indices]

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the same in one array."""
        return np.stack(self.each(clip_id, indices, reduce))

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
        if picture is None:
            raise IndexError(f"Frame {index} was not asked for before.")
        if not isinstance(picture, bytes):
            small = shrink(picture, self._settings.short_side)
            # The views of a frame are cut from one encoding.
            picture = self._kept[index] = encode_frame(small, self._settings.quality)
        return picture


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
        """Take the clip's small grey pictures, as they are to be seen.

        More may come, and they may be brightened here once all are there: see `brighten`.
        """
        self._greys, self._settings = greys, settings
        self._begun = _Begun[np.ndarray]()

    def brighten(self) -> None:
        """Brighten the grey pictures as the settings say, now that all are there."""
        gamma, brightened = brighten(self._greys, self._settings.gamma)
        if gamma != 1:
            self._greys = list(brightened)

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of fields, their height and width."""
        height, width = self._greys[0].shape
        return max(0, len(self._greys) - self._settings.stride), height, width

    @property
    def newest(self) -> int:
        """The number of the last field whose pictures are there."""
        return len(self._greys) - self._settings.stride - 1

    def begin(self, index: int, beside: Executor) -> None:
        """Have a field computed that will be taken, by a single thread."""
        self._begun.begin(index, self._stored_beside, beside)

    def each(self, clip_id: str, indices: Any, reduce: int = 1) -> list[np.ndarray]:
        """Return fields as they would be stored: each float32 (H, W, 2), in pixels."""
        # OpenCV's estimators work in buffers of their own: threads must not share one.
        stored = partial(self._stored, make_estimator(self._settings))
        # The last one first: the other thread comes from the front.
        numbers = sorted(_distinct(indices), reverse=True)
        made = {index: self._begun.get(index, stored) for index in numbers}
        return [made[int(index)] for index in indices]

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the same in one array."""
        return np.stack(self.each(clip_id, indices, reduce))

    @cached_property
    def _stored_beside(self) -> Callable[[int], np.ndarray]:
        return partial(self._stored, make_estimator(self._settings))

    def _stored(self, estimate: Estimator, index: int) -> np.ndarray:
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
    frames: Iterable[np.ndarray | None], settings: Collection[Settings], plan: Plan | None = None
) -> Mapping[Settings, Pictures]:
    """Read a clip once and hold its pictures for all settings asked for.

    Args:
        frames: uint8 (H, W, 3), BGR; each is spent when the next is read. None for one that nobody
            will take; never the first, and none at all where flow is of brightened pictures.
        settings: How frames and flow were stored that models were trained on.
        plan: What will be taken; by default all may be.

    Returns:
        The pictures by settings.

    Raises:
        UnreadableClipError: The size changes, or there are too few frames for flow, or too many.
    """
    holding = _Holding(settings, plan or Plan())
    for frame in frames:
        holding.add(frame)
    return holding.finished()


def same_size(size: tuple[int, int] | None, picture: np.ndarray) -> tuple[int, int]:
    """Return the height and width of a picture, which must be those of the ones before.

    Raises:
        UnreadableClipError: They are not.
    """
    found = (picture.shape[0], picture.shape[1])
    if size not in (None, found):
        raise UnreadableClipError(f"the frame size changes from {size} to {found}")
    return found


class _Holding:
    """The pictures of a clip whose frames come one by one."""

    def __init__(self, settings: Collection[Settings], plan: Plan):
        self._flows = [how for how in settings if isinstance(how, FlowSettings)]
        self._rgb = {
            how: LiveFrames(how, plan.kept.get(how))
            for how in settings
            if isinstance(how, FramesSettings)
        }
        self._greys = {how.short_side: LiveGreys(how.short_side) for how in self._flows}
        self._flow = {how: LiveFlow(self._greys[how.short_side], how) for how in self._flows}
        self._held: dict[Settings, LiveFrames | LiveFlow] = {}
        for held in (self._rgb, self._flow):
            self._held.update(held)  # type: ignore[arg-type]  # keys of a Mapping are invariant
        self._likely = [(self._held[how], likely) for how, likely in plan.likely.items()]
        self._beside = plan.beside
        self._size: tuple[int, int] | None = None
        self._n_frames = 0

    def add(self, frame: np.ndarray | None) -> None:
        self._n_frames += 1
        if frame is not None:
            self._size = same_size(self._size, frame)
        for frames in self._rgb.values():
            frames.add(frame)
        for greys in self._greys.values():
            greys.add(frame)
        if self._beside is not None:
            self._begin(self._beside)

    def finished(self) -> Mapping[Settings, Pictures]:
        if self._n_frames == 0:
            raise UnreadableClipError("no frame decodes")
        needed = 1 + max((how.stride for how in self._flows), default=0)
        if self._n_frames < needed:
            raise UnreadableClipError(f"{self._n_frames} frame(s), at least {needed} are needed")
        for flow in self._flow.values():
            flow.brighten()
        return self._held

    def _begin(self, beside: Executor) -> None:
        for pictures, likely in self._likely:
            if pictures.newest in likely:
                pictures.begin(pictures.newest, beside)


def _distinct(indices: Any) -> set[int]:
    return {int(index) for index in indices}
