"""Batches for Keras, read from the tables while the model trains."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import cv2
import keras
import numpy as np
import pandas as pd

from hmdb_kedro.video.augmentation import Augmentation
from hmdb_kedro.video.samples import Pictures, ReadsSamples


class ClipBatches(keras.utils.PyDataset):
    """Batches of samples in the order of the clips: for validation and scoring.

    Every clip gives `views` samples, evenly spaced in time. An item is (inputs, targets):
    inputs (B, …) as the sampler gives them, targets one-hot float32 (B, classes).
    """

    def __init__(
        self,
        clips: pd.DataFrame,
        pictures: Pictures,
        sampler: ReadsSamples,
        *,
        num_classes: int,
        views: int,
        batch_size: int,
        threads: int = 1,
    ):
        """Prepare the list of samples; nothing is read.

        Args:
            clips: clip_id and label_id, one row a clip.
            pictures: The table.
            sampler: Reads one sample.
            num_classes: Width of the targets.
            views: Samples a clip.
            batch_size: Samples a batch; the last one is smaller.
            threads: Threads that read.
        """
        super().__init__(workers=threads, max_queue_size=2 * threads + 2)
        self._clip_ids = clips["clip_id"].tolist()
        self._targets = np.eye(num_classes, dtype=np.float32)[clips["label_id"].to_numpy(int)]
        self._pictures, self._sampler = pictures, sampler
        self._views, self._batch_size = views, batch_size

    @property
    def n_samples(self) -> int:
        """Samples an epoch."""
        return len(self._clip_ids) * self._views

    def __len__(self) -> int:
        return math.ceil(self.n_samples / self._batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, ...]:
        first = batch * self._batch_size
        numbers = range(first, min(first + self._batch_size, self.n_samples))
        inputs = _stacked((partial(self._sample, number) for number in numbers), len(numbers))
        return inputs, self._targets[[number // self._views for number in numbers]]

    def _sample(self, number: int, out: np.ndarray | None) -> np.ndarray:
        clip, view = divmod(number, self._views)
        segment = (view, self._views)
        return self._sampler(self._pictures, self._clip_ids[clip], segment, out=out)


class TrainingBatches(ClipBatches):
    """Shuffled, augmented batches; each is a function of the seed, the epoch and its number.

    Nothing depends on which thread reads first, so that a training can be repeated and resumed.
    """

    def __init__(
        self,
        *args: Any,
        augmentation: Augmentation,
        mixup: float,
        seed: int,
        balanced: bool = False,
        multiple_of: int = 1,
        **kwargs: Any,
    ):
        """Prepare as `ClipBatches` does.

        Args:
            args: As in `ClipBatches`.
            augmentation: How far views vary.
            mixup: Alpha of the Beta distribution (Zhang et al. 2018); 0 mixes nothing.
            seed: Of shuffling, sampling and augmentation.
            multiple_of: Batches hold a multiple of so many samples, the devices that share one:
                a device without any would give no number. What the last one lacks are samples
                of the epoch's first.
            balanced: Items get a third part, sample weights float32 (B,): the mean number of
                clips a class over the number of the sample's class.
            kwargs: As in `ClipBatches`.
        """
        super().__init__(*args, **kwargs)
        self._augmentation, self._mixup, self._seed = augmentation, mixup, seed
        self._multiple_of = multiple_of
        self._class_weights = _balancing(self._targets) if balanced else None
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch."""
        self._epoch = epoch
        self._order = np.random.default_rng([self._seed, epoch]).permutation(self.n_samples)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch: Keras calls this."""
        self.start_epoch(self._epoch + 1)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, ...]:
        numbers = self._order[batch * self._batch_size : (batch + 1) * self._batch_size]
        lacking = self._order[: -len(numbers) % self._multiple_of]
        numbers = np.concatenate([numbers, lacking])
        rngs = [np.random.default_rng([self._seed, self._epoch, number]) for number in numbers]
        samples = (partial(self._augmented, *drawn) for drawn in zip(numbers, rngs, strict=True))
        inputs = _stacked(samples, len(numbers))
        targets = self._targets[numbers // self._views]
        if self._mixup:
            inputs, targets = self._mixed(inputs, targets, rngs[0])
        if self._class_weights is None:
            return inputs, targets
        # A mixed sample weighs as much of each class as it is of it, class by class: its targets
        # take the weights too, so that none of a rare class's weight goes to its partner's.
        sample_weights: np.ndarray = targets @ self._class_weights
        return inputs, targets * self._class_weights / sample_weights[:, None], sample_weights

    def _augmented(
        self, number: int, rng: np.random.Generator, out: np.ndarray | None
    ) -> np.ndarray:
        clip, segment = divmod(int(number), self._views)
        return self._sampler(
            self._pictures,
            self._clip_ids[clip],
            (segment, self._views),
            (self._augmentation, rng),
            out,
        )

    def _mixed(
        self, inputs: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        share = np.float32(rng.beta(self._mixup, self._mixup))
        other = rng.permutation(len(inputs))
        return (
            _blended(inputs, share, other),
            share * targets + (1 - share) * targets[other],
        )


def _stacked(
    samples: Iterator[Callable[[np.ndarray | None], np.ndarray]], n_samples: int
) -> np.ndarray:
    """Do as `np.stack`, sample by sample, each told its place: written there, it is not copied."""
    first = next(samples)(None)
    stacked = np.empty((n_samples, *first.shape), first.dtype)
    stacked[0] = first
    for place, read in zip(stacked[1:], samples, strict=True):
        sample = read(place)
        if not np.may_share_memory(sample, place):
            place[...] = sample
    return stacked


def _blended(inputs: np.ndarray, share: np.float32, other: np.ndarray) -> np.ndarray:
    """Return `share` of each input and the rest of its partner, float32, in one pass over them."""
    blended = np.empty(inputs.shape, np.float32)
    flat, into = (values.reshape(len(inputs), -1) for values in (inputs, blended))
    shares = float(share), float(1 - share)
    for place, partner in enumerate(other):
        of = (flat[place], shares[0], flat[partner], shares[1], 0.0)
        cv2.addWeighted(*of, dst=into[place], dtype=cv2.CV_32F)
    return blended


def _balancing(targets: np.ndarray) -> np.ndarray:
    counts = targets.sum(axis=0)
    # A class without training clips is refused before; here it weighs nothing.
    weights = np.divide(counts.sum(), len(counts) * counts, where=counts > 0, out=0 * counts)
    balanced: np.ndarray = weights.astype(np.float32)
    return balanced
