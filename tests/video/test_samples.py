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


class AsStored(AtOnce):
    """Flow in steps of 1/8 px."""

    PIXELS = (np.arange(256, dtype=np.float32) - 128) / 8

    def __init__(self, steps):
        super().__init__(self.PIXELS[steps])
        self._steps = steps

    def steps(self, clip_id, indices):
        return list(self._steps[indices].transpose(0, 3, 1, 2).copy()), self.PIXELS


def clip(modality, n_pictures):
    rng = np.random.default_rng(1)
    if modality == "rgb":
        return rng.integers(0, 256, (n_pictures, 40, 52, 3)).astype(np.uint8)
    return rng.normal(size=(n_pictures, 40, 52, 2)).astype(np.float32)


@pytest.mark.parametrize(("n_pictures", "n_given"), [(9, 4), (3, 0)])
def test_pictures_one_by_one_give_the_sample_of_all_at_once(n_pictures, n_given):
    sampler, pictures = Sampler("rgb", 4, 2, 16), clip("rgb", n_pictures)
    one_by_one = OneByOne(pictures)
    samples = [
        sampler(source, "a", (0, 1), (JITTER, np.random.default_rng(3)))
        for source in (AtOnce(pictures), one_by_one)
    ]
    np.testing.assert_array_equal(*samples)
    assert one_by_one.n_given == n_given  # a clip that repeats is read at once, each picture once


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("n_pictures", [9, 5, 3])  # fits; begins again; repeats
@pytest.mark.parametrize("size", [16, 40, 64])  # far smaller, as large, larger than the crop
@pytest.mark.parametrize("conditions", [{}, {"remove_median": True}, {"square_root": True}])
def test_flow_as_it_is_stored_gives_the_sample_of_flow_in_pixels(
    window, n_pictures, size, conditions
):
    rng = np.random.default_rng(1)
    stored = AsStored(rng.integers(1, 256, (n_pictures, 40, 52, 2)).astype(np.uint8))
    sampler = Sampler("flow", window, 2, size, **conditions)
    for seed in range(6):  # flipped and not
        expected, found = (
            sampler(pictures, "a", (0, 1), (JITTER, np.random.default_rng(seed)))
            for pictures in (AtOnce(stored.pictures), stored)
        )
        if sampler.square_root:  # which makes much of next to nothing
            expected, found = (flow * np.abs(flow) for flow in (expected, found))
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("n_pictures", [9, 5, 3])
def test_a_sample_is_the_same_where_it_is_told_its_place(window, n_pictures):
    rng = np.random.default_rng(1)
    stored = AsStored(rng.integers(1, 256, (n_pictures, 40, 52, 2)).astype(np.uint8))
    sampler = Sampler("flow", window, 2, 16)
    expected = sampler(stored, "a", (0, 1))
    place = np.full((2, *expected.shape), np.nan, np.float32)
    found = sampler(stored, "a", (0, 1), out=place[1])
    np.testing.assert_array_equal(found, expected)
    assert np.isnan(place[0]).all()
    if n_pictures > 3:
        assert np.shares_memory(found, place[1])


def test_stored_stillness_stays_exactly_still():
    still = AsStored(np.full((9, 40, 52, 2), 128, np.uint8))
    assert not Sampler("flow", 4, 2, 27)(still, "a", (0, 1)).any()
