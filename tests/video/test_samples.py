"""Samples of pictures that come one by one."""

import numpy as np
import pytest

from hmdb_kedro.video.augmentation import Augmentation
from hmdb_kedro.video.samples import Sampler

JITTER = Augmentation(0.6, flip=True, colour_jitter=0.2)


class AtOnce:
    """A clip in memory."""

    def __init__(self, pictures):
        self.pictures = pictures

    def shape(self, clip_id):
        return self.pictures.shape[:3]

    def take(self, clip_id, indices, reduce=1):
        return self.pictures[np.asarray(indices), ::reduce, ::reduce]


class OneByOne(AtOnce):
    """The same clip, which counts what it gave one by one."""

    n_given = 0

    def each(self, clip_id, indices, reduce=1):
        self.n_given += len(indices)
        return self.take(clip_id, indices, reduce)


def clip(modality, n_pictures):
    rng = np.random.default_rng(1)
    if modality == "rgb":
        return rng.integers(0, 256, (n_pictures, 40, 52, 3)).astype(np.uint8)
    return rng.normal(size=(n_pictures, 40, 52, 2)).astype(np.float32)


@pytest.mark.parametrize("modality", ["rgb", "flow"])
@pytest.mark.parametrize(("n_pictures", "n_given"), [(9, 4), (3, 0)])
def test_pictures_one_by_one_give_the_sample_of_all_at_once(modality, n_pictures, n_given):
    sampler, pictures = Sampler(modality, 4, 2, 16), clip(modality, n_pictures)
    one_by_one = OneByOne(pictures)
    samples = [
        sampler(source, "a", (0, 1), (JITTER, np.random.default_rng(3)))
        for source in (AtOnce(pictures), one_by_one)
    ]
    np.testing.assert_array_equal(*samples)
    assert one_by_one.n_given == n_given  # a clip that repeats is read at once, each picture once


def test_flow_that_is_seen_as_a_whole_is_read_at_once():
    one_by_one = OneByOne(clip("flow", 9))
    Sampler("flow", 4, 2, 16, remove_median=True)(one_by_one, "a", (0, 1))
    assert one_by_one.n_given == 0
