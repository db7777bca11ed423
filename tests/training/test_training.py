"""Sampling, batches, fitting and scoring on tables that stand in memory."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from learning import Epochs, small_params, training_set
from params import make

from hmdb_kedro.training.batches import ClipBatches, TrainingBatches
from hmdb_kedro.training.optimization import rate_at
from hmdb_kedro.video.augmentation import (
    Augmentation,
    fixed_views,
    reverse_flow,
    square_rooted,
)
from hmdb_kedro.video.samples import FixedViews, Sampler, make_augmentation, make_sampler

# Everything here imports Keras.
pytestmark = pytest.mark.slow
CLIPS = pd.DataFrame(
    {"clip_id": [f"c{i}" for i in range(10)], "label_id": [i % 2 for i in range(10)]}
)
TEMPORAL = make("temporal", image_size=16, window=4, window_stride=1)


class MemoryFlow:
    """Uniform flow, whose x tells the clip's label."""

    def shape(self, clip_id):
        return 12, 20, 24

    def take(self, clip_id, indices, reduce=1):
        value = np.float32([int(clip_id[1:]) % 2 or -1, 0])
        return np.broadcast_to(value, (len(indices), 20, 24, 2))


def training_batches(seed=1, mixup=0.0, params=TEMPORAL, clips=CLIPS, balanced=False):
    return TrainingBatches(
        clips,
        MemoryFlow(),
        make_sampler(params),
        num_classes=2,
        views=2,
        batch_size=6,
        augmentation=make_augmentation(params),
        mixup=mixup,
        balanced=balanced,
        seed=seed,
    )


def epoch_of(batches, epoch):
    batches.start_epoch(epoch)
    return [batches[i] for i in range(len(batches))]


def test_validation_batches_are_in_the_clips_order():
    batches = ClipBatches(
        CLIPS, MemoryFlow(), make_sampler(TEMPORAL), num_classes=2, views=3, batch_size=8
    )
    inputs, targets = zip(*(batches[i] for i in range(len(batches))), strict=True)
    assert np.concatenate(inputs).shape == (30, 4, 16, 16, 2)
    assert np.concatenate(targets).argmax(1).tolist() == [
        i % 2 for i in range(10) for _ in range(3)
    ]


def test_an_epoch_shows_every_sample_once():
    targets = np.concatenate([y for _, y in epoch_of(training_batches(), 0)])
    assert targets.sum(axis=0).tolist() == [10, 10]


def test_batches_repeat_by_seed_and_epoch():
    first, again = epoch_of(training_batches(), 3), epoch_of(training_batches(), 3)
    for (x1, y1), (x2, y2) in zip(first, again, strict=True):
        assert np.array_equal(x1, x2)
        assert np.array_equal(y1, y2)
    other = epoch_of(training_batches(), 4)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, other, strict=True))
    another_seed = epoch_of(training_batches(seed=2), 3)
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(first, another_seed, strict=True))


def test_a_flip_negates_the_motion_a_model_sees():
    inputs = np.concatenate([x for x, _ in epoch_of(training_batches(), 0)])
    labels = np.concatenate([y for _, y in epoch_of(training_batches(), 0)]).argmax(1)
    signs = np.sign(inputs[..., 0].mean(axis=(1, 2, 3)))
    flipped = signs != np.where(labels == 1, 1, -1)
    assert 0 < flipped.sum() < len(flipped)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_mixup_mixes_samples_as_it_mixes_their_targets(dtype):
    clips = CLIPS.iloc[:6].assign(label_id=range(6))
    values = dict(zip(clips["clip_id"], range(0, 240, 40), strict=True))

    def sampler(_, clip_id, *args):
        return np.full((3, 4, 4, 2), values[clip_id], dtype)

    batches = TrainingBatches(
        clips,
        MemoryFlow(),
        sampler,
        num_classes=6,
        views=1,
        batch_size=6,
        augmentation=make_augmentation(TEMPORAL),
        mixup=0.4,
        seed=1,
    )
    inputs, targets = batches[0]
    assert inputs.dtype == np.float32
    assert ((targets > 0).sum(axis=1) == 2).any()
    expected = targets @ np.float32(list(values.values()))
    np.testing.assert_allclose(inputs.reshape(6, -1), expected[:, None].repeat(96, 1), rtol=1e-5)


def test_mixup_keeps_targets_that_sum_to_one():
    (inputs, targets), *_ = epoch_of(training_batches(mixup=0.4), 0)
    assert inputs.dtype == np.float32
    assert targets.sum(axis=1) == pytest.approx(1)
    assert ((targets > 0) & (targets < 1)).any()


def test_mixed_samples_weigh_as_much_of_each_class_as_they_are_of_it():
    few = CLIPS.assign(label_id=[0] * 8 + [1] * 2)
    batches = training_batches(mixup=0.4, clips=few, balanced=True)
    _, targets, weights = (np.concatenate(part) for part in zip(*epoch_of(batches, 0), strict=True))
    _, mixed = (
        np.concatenate(part)
        for part in zip(*epoch_of(training_batches(mixup=0.4, clips=few), 0), strict=True)
    )
    assert targets.sum(axis=1) == pytest.approx(1)
    # What a sample adds to the loss is its share of a class times that class's weight.
    assert targets * weights[:, None] == pytest.approx(mixed * np.float32([10 / 16, 10 / 4]))
    assert len(np.unique(weights.round(4))) > 2


def test_balanced_classes_weigh_the_same_in_all():
    few = CLIPS.assign(label_id=[0] * 8 + [1] * 2)
    items = epoch_of(training_batches(clips=few, balanced=True), 0)
    _, targets, weights = (np.concatenate(part) for part in zip(*items, strict=True))
    assert (targets.T @ weights).tolist() == [10, 10]


class Counting:
    """Pictures whose values are their index; a flow field moves by as much."""

    def __init__(self, modality):
        self.channels = {"rgb": 3, "flow": 2}[modality]
        self.dtype = {"rgb": np.uint8, "flow": np.float32}[modality]

    def shape(self, clip_id):
        return 60, 20, 24

    def take(self, clip_id, indices, reduce=1):
        values = np.asarray(indices, self.dtype)[:, None, None, None]
        return np.broadcast_to(values, (len(indices), 20, 24, self.channels)).copy()


def sampled(sampler, modality, augmentation=None, seed=0):
    augment = augmentation and (augmentation, np.random.default_rng(seed))
    return sampler(Counting(modality), "clip", (1, 3), augment)


RGB_STACK = Sampler("rgb", 4, 2, 20)
STILL = Augmentation(crop_scale_min=1.0, flip=False)


def test_validation_samples_are_always_the_same():
    for modality, sampler in (("rgb", RGB_STACK), ("flow", make_sampler(TEMPORAL))):
        first, again = (sampled(sampler, modality) for _ in range(2))
        assert np.array_equal(first, again)


def test_a_stride_varies_by_its_jitter_and_stays_at_least_one():
    jittered = replace(STILL, stride_jitter=2)
    strides = set()
    for seed in range(60):
        indices = sampled(RGB_STACK, "rgb", jittered, seed)[:, 0, 0, 0].astype(int)
        strides |= set(np.diff(indices))
        assert len(set(np.diff(indices))) == 1
    assert strides == {1, 2, 3, 4}


def test_half_of_the_frames_run_backwards():
    backwards = replace(STILL, time_reversal=True)
    steps = [
        np.diff(sampled(RGB_STACK, "rgb", backwards, seed)[:, 0, 0, 0].astype(int)).tolist()
        for seed in range(40)
    ]
    assert sorted(map(tuple, {tuple(step) for step in steps})) == [(-2, -2, -2), (2, 2, 2)]


TIMES, ROWS, COLUMNS = np.mgrid[:4, :20, :20].astype(np.float32)


class Fields:
    """Four flow fields that differ from place to place, all of which a sample shows."""

    flow = np.stack([np.sin(ROWS / 4 + TIMES), np.cos(COLUMNS / 4)], axis=-1)

    def shape(self, clip_id):
        return self.flow.shape[:3]

    def take(self, clip_id, indices, reduce=1):
        return self.flow[np.asarray(indices)]


def test_flow_that_runs_backwards_is_inverted_before_its_vectors_are_compressed():
    sampler = Sampler("flow", 4, 1, 20, square_root=True)
    backwards = replace(STILL, time_reversal=True)
    found = [
        sampler(Fields(), "clip", (0, 1), (backwards, np.random.default_rng(seed)))
        for seed in range(10)
    ]
    expected = [square_rooted(flow) for flow in (Fields.flow, reverse_flow(Fields.flow))]
    is_turned = [np.allclose(sample, expected[1], atol=1e-6) for sample in found]
    assert {True, False} == set(is_turned)
    for sample, turned in zip(found, is_turned, strict=True):
        assert np.allclose(sample, expected[turned], atol=1e-6)
    assert not np.allclose(expected[1], reverse_flow(expected[0]), atol=0.05)


def test_a_vector_is_compressed_at_the_size_that_the_network_sees():
    class Uniform(Fields):
        flow = np.full((4, 64, 64, 2), 4, np.float32)

    sampler = Sampler("flow", 4, 1, 16, square_root=True)
    assert np.allclose(sampler(Uniform(), "clip", (0, 1)), 1)  # of 4 px at 64, 1 px at 16


def test_differences_are_those_of_successive_frames():
    sampler = Sampler("rgb", 4, 2, 20, difference=True)
    sample = sampled(sampler, "rgb")
    assert sample.shape == (4, 20, 20, 3)
    assert sample.dtype == np.float32
    assert (sample == 2).all()
    backwards = replace(STILL, time_reversal=True)
    values = {float(sampled(sampler, "rgb", backwards, seed).mean()) for seed in range(20)}
    assert values == {-2.0, 2.0}


def test_parameters_reach_the_sampler_and_the_augmentation():
    params = make("cnn3d_v2", rgb_difference=True, stride_jitter=1, time_reversal=True)
    assert make_sampler(params).difference
    augmentation = make_augmentation(params)
    assert (augmentation.stride_jitter, augmentation.time_reversal) == (1, True)
    assert not make_sampler(make("cnn3d_v2")).difference


def test_fixed_views_go_through_the_segments_of_one_view_after_another():
    views = FixedViews(Sampler("rgb", 1, 1, 20), fixed_views, n_segments=3)
    values = [int(views(Counting("rgb"), "clip", (k, 12))[0, 0, 0]) for k in range(12)]
    assert values == [10, 30, 50] * 4


def test_the_rate_warms_up_and_ends_at_a_hundredth():
    rates = [rate_at(p, 0.2, 1.0) for p in np.linspace(0, 1, 101)]
    assert rates[0] == 0
    assert rates[20] == pytest.approx(1)
    assert np.diff(rates[20:]).max() <= 0
    assert rates[-1] == pytest.approx(0.01)


class TestFit:
    """What needs Keras."""

    def test_a_model_learns_repeats_and_scores(self):
        from functools import partial  # noqa: PLC0415

        from hmdb_kedro.artefacts import TrainedModel  # noqa: PLC0415
        from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
        from hmdb_kedro.training.fit import TrainingSet, fit  # noqa: PLC0415
        from hmdb_kedro.training.scoring import score_clips  # noqa: PLC0415

        params = make(
            "temporal",
            image_size=16,
            window=4,
            window_stride=1,
            filters=[4, 8],
            epochs=6,
            batch_size=4,
            flip=False,
            mixup=0.0,
            learning_rate=0.02,
        )
        build = partial(build_cnn3d, params, num_classes=2, channels=2, seed=3)
        data = TrainingSet(CLIPS.iloc[:8], CLIPS.iloc[8:], MemoryFlow(), 2)
        runs = [fit(build, data, params, seed=3, epoch_log=Epochs()) for _ in range(2)]
        histories = [history["epochs"] for _, history, _ in runs]
        assert histories[0] == histories[1]
        assert [epoch["val_loss"] for epoch in histories[0]].index(
            min(epoch["val_loss"] for epoch in histories[0])
        ) + 1 == runs[0][1]["chosen_epoch"]
        sampler = {"modality": "flow", "window": 4, "window_stride": 1, "image_size": 16}
        trained = TrainedModel(runs[0][0], ("a", "b"), {"sampler": sampler, "test_views": 2})
        clips = CLIPS.assign(partition="test", label=CLIPS["label_id"].map({0: "a", 1: "b"}))
        scores = score_clips(trained, clips, MemoryFlow())
        assert scores[["a", "b"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)
        assert (scores[["a", "b"]].idxmax(axis=1) == scores["label"]).all()

    def test_the_last_epoch_stands_where_it_is_asked_for(self):
        from functools import partial  # noqa: PLC0415

        from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
        from hmdb_kedro.training.fit import fit  # noqa: PLC0415

        # Validation contradicts training: what is learned makes it worse, epoch after epoch.
        contrary = CLIPS.iloc[8:].assign(label_id=1 - CLIPS["label_id"].iloc[8:])
        data = replace(training_set(), val=contrary)
        kept = {}
        for keep in ("best", "last"):
            params = small_params(epochs=4, keep=keep, patience=1)
            build = partial(build_cnn3d, params, num_classes=2, channels=2, seed=3)
            kept[keep] = fit(build, data, params, seed=3, epoch_log=Epochs())
        assert kept["best"].history["chosen_epoch"] < 4 == kept["last"].history["chosen_epoch"]
        assert len(kept["best"].history["epochs"]) < 4 == len(kept["last"].history["epochs"])
        weights = [fitted.model.get_weights()[0] for fitted in kept.values()]
        assert not np.allclose(*weights)

    @pytest.mark.parametrize("mixup", [0.0, 0.4])
    def test_balanced_classes_train_with_sample_weights(self, mixup):
        from functools import partial  # noqa: PLC0415

        from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
        from hmdb_kedro.training.fit import TrainingSet, fit  # noqa: PLC0415

        values = {"image_size": 16, "window": 4, "window_stride": 1, "filters": [4, 8]}
        values |= {"epochs": 1, "mixup": mixup, "batch_size": 4}
        few = TrainingSet(CLIPS.iloc[[0, 1, 2, 4, 6]], CLIPS.iloc[8:], MemoryFlow(), 2)
        losses = []
        for class_weights in ("none", "balanced"):
            params = make("temporal", **values, class_weights=class_weights)
            build = partial(build_cnn3d, params, num_classes=2, channels=2, seed=3)
            fitted = fit(build, few, params, seed=3, epoch_log=Epochs())
            losses.append(fitted.history["epochs"][0]["loss"])
        assert np.isfinite(losses).all()
        assert losses[0] != losses[1]
