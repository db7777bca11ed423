"""Sampling, batches, fitting and scoring on tables that stand in memory."""

import numpy as np
import pandas as pd
import pytest
from learning import Epochs
from params import make

from hmdb_kedro.training.batches import ClipBatches, TrainingBatches
from hmdb_kedro.training.optimization import rate_at
from hmdb_kedro.training.samples import make_augmentation, make_sampler

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


def training_batches(seed=1, mixup=0.0, params=TEMPORAL):
    return TrainingBatches(
        CLIPS,
        MemoryFlow(),
        make_sampler(params),
        num_classes=2,
        views=2,
        batch_size=6,
        augmentation=make_augmentation(params),
        mixup=mixup,
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


def test_mixup_keeps_targets_that_sum_to_one():
    (inputs, targets), *_ = epoch_of(training_batches(mixup=0.4), 0)
    assert inputs.dtype == np.float32
    assert targets.sum(axis=1) == pytest.approx(1)
    assert ((targets > 0) & (targets < 1)).any()


def test_the_rate_warms_up_and_ends_at_a_hundredth():
    rates = [rate_at(p, 0.2, 1.0) for p in np.linspace(0, 1, 101)]
    assert rates[0] == 0
    assert rates[20] == pytest.approx(1)
    assert np.diff(rates[20:]).max() <= 0
    assert rates[-1] == pytest.approx(0.01)


@pytest.mark.slow
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
        histories = [history["epochs"] for _, history in runs]
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
