"""From a clip's name to one input of a model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hmdb_kedro.params import Cnn3dParams, SpatialParams, StackParams, TemporalParams, TrainParams
from hmdb_kedro.video.augmentation import (
    Augmentation,
    PictureSeries,
    View,
    best_reduction,
    centre_view,
    fixed_views,
    long_side_views,
    random_view,
    reverse_flow,
    square_rooted,
    view_flow,
    view_frames,
    view_steps,
    without_median,
)
from hmdb_kedro.video.sampling import segment_position, window_indices

_REVERSED_SHARE = 0.5


class Pictures(Protocol):
    """What a sampler reads from: a ClipTable, or what stands in for one."""

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return a clip's number of pictures, their height and width."""

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the chosen pictures of a clip."""


# From a clip, indices and a reduction to the pictures, each decoded when it is its turn.
Each = Callable[[str, Any, int], PictureSeries]
# From a clip and indices to flow as it is stored, in steps, and the pixels that each stands for.
Steps = Callable[[str, Any], tuple[Sequence[np.ndarray], np.ndarray]]
Views = Callable[[int, int], Sequence[View]]


class ReadsSamples(Protocol):
    """What gives batches their samples."""

    def __call__(
        self,
        pictures: Pictures,
        clip_id: str,
        segment: tuple[int, int],
        augment: tuple[Augmentation, np.random.Generator] | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return one sample of a clip: the one of a segment, which of how many.

        It may be written into `out`, of its shape and dtype, and is returned in any case.
        """


@dataclass(frozen=True)
class _Choice:
    """What a sample shows of a clip: which pictures, in which view, forwards or backwards."""

    clip_id: str
    indices: np.ndarray
    view: View
    is_reversed: bool = False


@dataclass(frozen=True)
class Sampler:
    """Read one sample of a clip: a stack of pictures, seen through one view.

    Attributes:
        modality: `rgb` or `flow`.
        window: Pictures a sample; 1 gives a single picture without a time axis.
        window_stride: Steps between them.
        image_size: Height and width, in pixels.
        remove_median: See `without_median`.
        square_root: See `square_rooted`.
        difference: RGB: each picture less the one before it (TSN's RGB difference), ±255.
    """

    modality: str
    window: int
    window_stride: int
    image_size: int
    remove_median: bool = False
    square_root: bool = False
    difference: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its samples."""
        return np.dtype(np.uint8 if self.modality == "rgb" and not self.difference else np.float32)

    def __call__(
        self,
        pictures: Pictures,
        clip_id: str,
        segment: tuple[int, int],
        augment: tuple[Augmentation, np.random.Generator] | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return one sample: uint8 RGB, float32 flow or RGB differences, ([T,] S, S, C).

        Args:
            pictures: Where the clip is.
            clip_id: The clip.
            segment: Which of how many equal parts of the clip.
            augment: In training, how far samples vary, and the generator that draws. Without it
                the middle of the segment is seen through the centre, always the same way.
            out: Memory that flow is written into where the table gives it as it is stored: what
                is put there need not be copied there. The sample is returned in any case.
        """
        n_pictures, height, width = pictures.shape(clip_id)
        if augment is None:
            return self.look(pictures, clip_id, segment, centre_view(height, width), out)
        augmentation, rng = augment
        stride = self._jittered(augmentation.stride_jitter, rng)
        indices = self._indices(n_pictures, stride, segment_position(*segment, rng))
        view = random_view(height, width, augmentation, rng)
        is_reversed = augmentation.time_reversal and rng.random() < _REVERSED_SHARE
        return self._read(pictures, _Choice(clip_id, indices, view, is_reversed), out)

    def look(
        self,
        pictures: Pictures,
        clip_id: str,
        segment: tuple[int, int],
        view: View,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the sample in the middle of a segment, seen through the given view."""
        n_pictures = pictures.shape(clip_id)[0]
        return self._read(pictures, _Choice(clip_id, self.indices(n_pictures, segment), view), out)

    def indices(self, n_pictures: int, segment: tuple[int, int]) -> np.ndarray:
        """Return the pictures of the sample in the middle of a segment."""
        return self._indices(n_pictures, self.window_stride, segment_position(*segment))

    def _jittered(self, jitter: int, rng: np.random.Generator) -> int:
        if not jitter:
            return self.window_stride
        return max(1, self.window_stride + int(rng.integers(-jitter, jitter + 1)))

    def _indices(self, n_pictures: int, stride: int, position: float) -> np.ndarray:
        return window_indices(n_pictures, self.window + self.difference, stride, position)

    def _read(self, pictures: Pictures, choice: _Choice, out: np.ndarray | None) -> np.ndarray:
        steps: Steps | None = getattr(pictures, "steps", None)
        if self.modality == "rgb":
            sample = self._frames(pictures, choice)
        elif steps is None or self._needs_whole_fields(choice):
            sample = self._flow(pictures, choice)
        else:
            sample = self._steps(steps, choice, out)
        sample = square_rooted(sample) if self.square_root else sample
        return sample[0] if self.window == 1 else sample

    def _frames(self, pictures: Pictures, choice: _Choice) -> np.ndarray:
        _, height, width = pictures.shape(choice.clip_id)
        reduce = best_reduction(height, width, choice.view, self.image_size)
        indices = choice.indices[::-1] if choice.is_reversed else choice.indices
        read = _read(pictures, choice.clip_id, indices, reduce)
        frames = view_frames(read, choice.view, self.image_size)
        return np.diff(frames.astype(np.float32), axis=0) if self.difference else frames

    def _needs_whole_fields(self, choice: _Choice) -> bool:
        return choice.is_reversed or self.remove_median

    def _flow(self, pictures: Pictures, choice: _Choice) -> np.ndarray:
        if not self._needs_whole_fields(choice):
            flow = _read(pictures, choice.clip_id, choice.indices)
            return view_flow(flow, choice.view, self.image_size)
        fields = pictures.take(choice.clip_id, choice.indices)
        fields = reverse_flow(fields) if choice.is_reversed else fields
        fields = without_median(fields) if self.remove_median else fields
        return view_flow(fields, choice.view, self.image_size)

    def _steps(self, steps: Steps, choice: _Choice, out: np.ndarray | None) -> np.ndarray:
        once, places = np.unique(choice.indices, return_inverse=True)
        if len(once) < len(places):  # a short clip: each field is decoded and viewed once
            stored, pixels = steps(choice.clip_id, once)
            return view_steps(stored, pixels, choice.view, self.image_size)[places]
        # In the order asked for, which need not rise: a window goes on from a short clip's start.
        stored, pixels = steps(choice.clip_id, choice.indices)
        if out is not None and self.window == 1:
            out = out[None]
        return view_steps(stored, pixels, choice.view, self.image_size, out)


@dataclass(frozen=True)
class FixedViews:
    """Read a clip's views × segments, always the same way; nothing is augmented.

    Sample k is segment k mod `n_segments` in view k div `n_segments`: the first view's segments
    come first.

    Attributes:
        sampler: Reads one sample.
        views: From height and width to the views.
        n_segments: Equal parts of the clip, of which the middle is taken.
    """

    sampler: Sampler
    views: Views
    n_segments: int

    def __call__(
        self,
        pictures: Pictures,
        clip_id: str,
        segment: tuple[int, int],
        augment: tuple[Augmentation, np.random.Generator] | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return sample `segment[0]`, as `Sampler` does."""
        view, part = divmod(segment[0], self.n_segments)
        _, height, width = pictures.shape(clip_id)
        seen = self.views(height, width)[view]
        return self.sampler.look(pictures, clip_id, (part, self.n_segments), seen, out)

    def indices(self, n_pictures: int) -> set[int]:
        """Return which of a clip's pictures are looked at."""
        parts = ((part, self.n_segments) for part in range(self.n_segments))
        return {int(i) for part in parts for i in self.sampler.indices(n_pictures, part)}


def read_features(
    pictures: Pictures,
    clip_id: str,
    segment: tuple[int, int],
    augment: tuple[Augmentation, np.random.Generator] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return sample `segment[0]` of a clip as the cached features of its fixed views."""
    features: np.ndarray = pictures.take(clip_id, [segment[0]])[0]
    return features


def protocol_sampler(sampler: Sampler, test_views: int, crops: str | int) -> FixedViews:
    """Return what reads a clip for scoring.

    Args:
        sampler: Reads one sample.
        test_views: Views in time, evenly spaced.
        crops: `centre`, 3 (along the longer side) or 10 (corners, centre and their mirror images).
    """
    return FixedViews(sampler, _CROPS[crops], test_views)


def count_views(test_views: int, crops: str | int) -> int:
    """Return a clip's samples when scoring."""
    return test_views * (1 if crops == "centre" else int(crops))


def make_sampler(params: TrainParams) -> Sampler:
    """Return the sampler of a model's parameters."""
    size = params.image_size
    if isinstance(params, StackParams):
        window, stride = params.window, params.window_stride
        if isinstance(params, TemporalParams):
            square_root = params.magnitude == "sqrt"
            return Sampler("flow", window, stride, size, params.remove_median, square_root)
        difference = isinstance(params, Cnn3dParams) and params.rgb_difference
        return Sampler("rgb", window, stride, size, difference=difference)
    return Sampler("rgb", 1, 1, size)


def make_augmentation(params: TrainParams) -> Augmentation:
    """Return how far training samples vary."""
    colour = params.colour_jitter if isinstance(params, SpatialParams | Cnn3dParams) else 0.0
    if isinstance(params, StackParams):
        in_time = (params.time_reversal, params.stride_jitter)
        return Augmentation(params.crop_scale_min, params.flip, colour, *in_time)
    return Augmentation(params.crop_scale_min, params.flip, colour)


def _read(pictures: Pictures, clip_id: str, indices: np.ndarray, reduce: int = 1) -> PictureSeries:
    """Return pictures one by one where they can be had so and none repeats, else at once."""
    # Not a protocol that is checked when it runs: that costs as much as a small picture.
    each: Each | None = getattr(pictures, "each", None)
    if each is not None and len(set(indices)) == len(indices):
        return each(clip_id, indices, reduce)
    return pictures.take(clip_id, indices, reduce)


_CROPS: dict[str | int, Views] = {
    "centre": lambda height, width: (centre_view(height, width),),
    3: long_side_views,
    10: fixed_views,
}
