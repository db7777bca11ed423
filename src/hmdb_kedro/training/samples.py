"""From a clip's name to one input of a model."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hmdb_kedro.params import Cnn3dParams, SpatialParams, StackParams, TemporalParams, TrainParams
from hmdb_kedro.video.augmentation import (
    Augmentation,
    best_reduction,
    centre_view,
    condition_flow,
    random_view,
    view_flow,
    view_frames,
)
from hmdb_kedro.video.sampling import segment_position, window_indices


class Pictures(Protocol):
    """What a sampler reads from: a ClipTable, or what stands in for one."""

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return a clip's number of pictures, their height and width."""

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the chosen pictures of a clip."""


@dataclass(frozen=True)
class Sampler:
    """Read one sample of a clip: a stack of pictures, seen through one view.

    Attributes:
        modality: `rgb` or `flow`.
        window: Pictures a sample; 1 gives a single picture without a time axis.
        window_stride: Steps between them.
        image_size: Height and width, in pixels.
        remove_median: See `condition_flow`.
        square_root: See `condition_flow`.
    """

    modality: str
    window: int
    window_stride: int
    image_size: int
    remove_median: bool = False
    square_root: bool = False

    def __call__(
        self,
        pictures: Pictures,
        clip_id: str,
        segment: tuple[int, int],
        augment: tuple[Augmentation, np.random.Generator] | None = None,
    ) -> np.ndarray:
        """Return one sample: uint8 RGB or float32 flow, ([T,] S, S, C).

        Args:
            pictures: Where the clip is.
            clip_id: The clip.
            segment: Which of how many equal parts of the clip.
            augment: In training, how far views vary, and the generator that draws.
        """
        n_pictures, height, width = pictures.shape(clip_id)
        rng = augment[1] if augment else None
        position = segment_position(*segment, rng)
        indices = window_indices(n_pictures, self.window, self.window_stride, position)
        view = random_view(height, width, *augment) if augment else centre_view(height, width)
        if self.modality == "rgb":
            reduce = best_reduction(height, width, view, self.image_size)
            sample = view_frames(pictures.take(clip_id, indices, reduce), view, self.image_size)
        else:
            sample = view_flow(self._flow(pictures, clip_id, indices), view, self.image_size)
        return sample[0] if self.window == 1 else sample

    def _flow(self, pictures: Pictures, clip_id: str, indices: np.ndarray) -> np.ndarray:
        return condition_flow(
            pictures.take(clip_id, indices),
            remove_median=self.remove_median,
            square_root=self.square_root,
        )


def make_sampler(params: TrainParams) -> Sampler:
    """Return the sampler of a model's parameters."""
    size = params.image_size
    if isinstance(params, StackParams):
        window, stride = params.window, params.window_stride
        if isinstance(params, TemporalParams):
            square_root = params.magnitude == "sqrt"
            return Sampler("flow", window, stride, size, params.remove_median, square_root)
        return Sampler("rgb", window, stride, size)
    return Sampler("rgb", 1, 1, size)


def make_augmentation(params: TrainParams) -> Augmentation:
    """Return how far training views vary."""
    colour = params.colour_jitter if isinstance(params, SpatialParams | Cnn3dParams) else 0.0
    return Augmentation(params.crop_scale_min, params.flip, colour)
