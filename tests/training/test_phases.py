"""Two phases on a small saved backbone: what is cached, what is kept, what is refused."""

from dataclasses import replace

import lance
import numpy as np
import pandas as pd
import pytest
from kedro.io.core import Version
from learning import Epochs, KillingLog
from params import make

from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.datasets.weights_folder import Weights
from hmdb_kedro.errors import UserError
from hmdb_kedro.video.augmentation import centre_view, fixed_views, long_side_views, view_frames

keras = pytest.importorskip("keras")

pytestmark = pytest.mark.slow
SIZE = 16
N_CLIPS = 12
CLIPS = pd.DataFrame(
    {
        "clip_id": [f"{'ab'[i % 2]}/{i}.avi" for i in range(N_CLIPS)],
        "content_hash": [f"hash {i}" for i in range(N_CLIPS)],
        "label": ["ab"[i % 2] for i in range(N_CLIPS)],
        "label_id": [i % 2 for i in range(N_CLIPS)],
        "partition": ["train"] * 6 + ["val"] * 4 + ["test"] * 2,
    }
)


class MemoryFrames:
    """Noise whose colour tells the class; counts what is read."""

    kind = "frames"
    settings = {"short_side": 20}  # noqa: RUF012 - a stand-in
    version = None
    clip_ids = CLIPS["clip_id"].tolist()

    def __init__(self):
        self.read = []

    def shape(self, clip_id):
        return 9, 20, 26

    def info(self):
        return pd.DataFrame({"clip_id": self.clip_ids, "seconds": 0.5})

    def take(self, clip_id, indices, reduce=1):
        self.read.append(clip_id)
        number = int(clip_id[2:-4])
        noise = np.random.default_rng(number).integers(0, 120, (9, 20, 26, 3)).astype(np.uint8)
        noise[..., number % 2] += 100
        return noise[list(indices)]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    layers = keras.layers
    inputs = keras.Input((None, None, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    for stage in (1, 2):
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name=f"stage{stage}_conv")(x)
    model = keras.Model(inputs, x)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    file = tmp_path_factory.mktemp("backbone") / "small.keras"
    model.save(file)
    return str(file)


@pytest.fixture
def stage(tmp_path, backbone):
    return Stage(tmp_path, backbone)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, backbone):
    """Trainings that several tests look at: both phases, phase 1 alone, both with refit."""
    stage = Stage(tmp_path_factory.mktemp("finished"), backbone)
    stage.compute()
    changes = {"both": {}, "alone": {"tune_from": "none"}, "refit": {"refit": True}}
    trainings = {name: stage.train(**given) for name, given in changes.items()}
    # Before any scoring reads more.
    stage.read_in_training = set(stage.frames.read)
    return stage, trainings


def score_again(trained, clips, frames):
    from hmdb_kedro.training.scoring import score_clips  # noqa: PLC0415 - imports Keras

    return score_clips(trained, clips, frames)


class Stage:
    """The nodes of spatial_training over tables in a folder, as a run calls them."""

    def __init__(self, folder, backbone):
        path = str(folder / "features.lance")
        columns = ["clip_id", "content_hash", "settings_hash"]
        self.progress = LanceProgress(path=path, columns=columns)
        self.path, self.frames, self.backbone, self.runs = path, MemoryFrames(), backbone, 0
        self.val_scores = []

    def params(self, **changes):
        values = {"backbone": self.backbone, "image_size": SIZE, "samples_per_clip": 2}
        values |= {
            "head_views": 3,
            "head_epochs": 3,
            "epochs": 2,
            "batch_size": 4,
            "patience": None,
        }
        values |= {"dropout": 0.0, "test_views": 2, "tune_from": "stage2", "optimizer": "adamw"}
        values |= {"patience": None}
        return make("spatial", **values | changes)

    def compute(self, clips=CLIPS, **changes):
        """Run the node; return how many rows it saved."""
        from hmdb_kedro.pipelines.spatial_training.nodes import compute_features  # noqa: PLC0415

        self.runs += 1
        version = Version(None, f"2026-11-23T00.00.{self.runs:02}.000Z")
        table = LanceTable(path=self.path, version=version)
        progress = self.progress.load()
        inputs = (clips, self.frames, progress, Weights(None), self.params(**changes), 1)
        chunks = list(compute_features(*inputs))
        for chunk in chunks:
            table.save(chunk)
        table.confirm()
        return sum(map(len, chunks))

    def features(self):
        return LanceTable(path=self.path).load()

    def train(self, clips=CLIPS, log=None, checkpoint=None, **changes):
        from hmdb_kedro.pipelines.spatial_training.nodes import train_spatial  # noqa: PLC0415

        log = Epochs("run") if log is None else log
        inputs = (clips, self.frames, self.features(), Weights(None), self.params(**changes), 1)
        trained, history, val_scores = train_spatial(*inputs, log, checkpoint)
        self.val_scores.append(val_scores)
        return trained, history, log


def test_features_are_those_of_the_fixed_views(stage):
    assert stage.compute() == 10
    table, clip_id = stage.features(), CLIPS["clip_id"][3]
    assert table.kind == "features"
    assert table[clip_id].shape == (6, 8)
    network = keras.saving.load_model(stage.backbone)
    pictures = stage.frames.take(clip_id, [2, 6])
    views = [view_frames(pictures, view, SIZE) for view in fixed_views(20, 26)[:3]]
    expected = network.predict_on_batch(np.concatenate(views).astype(np.float32))
    assert table[clip_id] == pytest.approx(expected.mean(axis=(1, 2)), abs=1e-5)


def test_test_clips_have_no_features(stage):
    stage.compute()
    assert set(stage.features().clip_ids) == set(CLIPS["clip_id"][:10])


def test_training_never_reads_a_test_clip(finished):
    stage, _ = finished
    assert stage.read_in_training == set(CLIPS["clip_id"][:10])


def test_only_what_is_new_is_computed(stage):
    assert stage.compute(CLIPS.iloc[:7]) == 7
    stage.frames.read.clear()
    assert stage.compute() == 3
    assert set(stage.frames.read) == set(CLIPS["clip_id"][7:10])
    assert stage.compute() == 0
    changed = CLIPS.assign(content_hash=CLIPS["content_hash"].replace("hash 2", "another"))
    assert stage.compute(changed) == 1


@pytest.mark.parametrize(
    "changes", [{"image_size": 18}, {"head_views": 4}, {"samples_per_clip": 1}]
)
def test_other_views_are_computed_anew(stage, changes):
    stage.compute()
    assert stage.compute(**changes) == 10
    assert stage.compute(**changes) == 0


def test_what_does_not_shape_features_computes_nothing(stage):
    stage.compute()
    assert stage.compute(epochs=9, head_learning_rate=0.5, tune_from=None, dropout=0.5) == 0


def test_other_frames_are_computed_anew(stage):
    stage.compute()
    stage.frames.settings = {"short_side": 40}
    assert stage.compute() == 10


def test_a_backbone_that_knows_nothing_has_an_empty_table_and_one_phase(stage):
    assert stage.compute(weights="random") == 0
    assert stage.compute(weights="random") == 0
    assert lance.dataset(stage.path).count_rows() == 0
    _, history, _ = stage.train(weights="random", tune_from=None)
    assert len(history["epochs"]) == 2
    assert "phases" not in history


def test_the_history_keeps_the_epochs_of_both_phases(finished):
    _, history, log = finished[1]["both"]
    assert history["phases"] == {"head": 3, "tune": 2}
    assert [epoch for epoch, _ in log] == [0, 1, 2, 3, 4]
    assert [figures for _, figures in log] == history["epochs"]
    assert 1 <= history["chosen_epoch"] <= 5
    assert history["run_id"] == "run"


def test_phase_1_alone_leaves_the_backbone_as_it_was(finished):
    stage, trainings = finished
    trained, history, _ = trainings["alone"]
    assert history["phases"] == {"head": 3}
    before = keras.saving.load_model(stage.backbone).get_weights()
    inside = next(la for la in trained.model.layers if isinstance(la, keras.Model)).get_weights()
    for old, new in zip(before, inside, strict=True):
        assert np.array_equal(old, new)


def test_phase_2_begins_with_the_head_of_phase_1_and_trains_from_its_stage(stage):
    stage.compute()
    alone, *_ = stage.train(tune_from="none", weight_decay=0.0)
    tuned, *_ = stage.train(learning_rate=1e-9, weight_decay=0.0)
    head = [model.model.get_layer("probabilities").kernel for model in (alone, tuned)]
    assert np.array(head[1]) == pytest.approx(np.array(head[0]), abs=1e-5)
    tuned, history, _ = stage.train(learning_rate=0.01, flip=False)
    assert history["chosen_epoch"] > 3
    before = keras.saving.load_model(stage.backbone)
    network = next(layer for layer in tuned.model.layers if isinstance(layer, keras.Model))
    kernels = [(m.get_layer(f"stage{i}_conv").kernel) for i in (1, 2) for m in (before, network)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[2], kernels[3])


def test_phase_1_stands_where_phase_2_makes_it_worse(stage, finished):
    stage.compute()
    alone, *_ = finished[1]["alone"]
    worse, history, _ = stage.train(learning_rate=5.0)
    losses = [epoch["val_loss"] for epoch in history["epochs"]]
    assert min(losses[3:]) > min(losses[:3])
    assert history["chosen_epoch"] == losses.index(min(losses)) + 1
    for old, new in zip(alone.model.get_weights(), worse.model.get_weights(), strict=True):
        assert np.array_equal(old, new)


def test_the_chosen_epoch_has_the_lowest_validation_loss_of_both(finished):
    _, history, _ = finished[1]["both"]
    losses = [epoch["val_loss"] for epoch in history["epochs"]]
    assert history["chosen_epoch"] == losses.index(min(losses)) + 1


def test_refit_trains_both_phases_on_validation_clips_too(finished):
    plain, before, _ = finished[1]["both"]
    again, after, log = finished[1]["refit"]
    assert before["epochs"] == after["epochs"]
    assert len(log) == 5
    heads = [m.model.get_layer("probabilities").get_weights()[0] for m in (plain, again)]
    assert not np.array_equal(*heads)


def test_validation_is_scored_by_a_model_that_has_not_learned_from_it(finished):
    stage, trainings = finished
    plain, _, refit = stage.val_scores[:3]
    assert set(plain["partition"]) == {"val"}
    pd.testing.assert_frame_equal(refit, plain)
    clips = CLIPS[CLIPS["partition"] == "val"]
    learned = score_again(trainings["refit"][0], clips, stage.frames)
    assert not np.allclose(learned[["a", "b"]], refit[["a", "b"]], atol=1e-4)


def test_phase_1_gives_the_model_that_views_computed_anew_give(finished):
    from functools import partial  # noqa: PLC0415

    from hmdb_kedro.models.backbones import backbone_of  # noqa: PLC0415
    from hmdb_kedro.models.spatial import build_spatial  # noqa: PLC0415
    from hmdb_kedro.training.features import head_sampler, head_samples  # noqa: PLC0415
    from hmdb_kedro.training.fit import TrainingSet, fit  # noqa: PLC0415

    def frozen(**given):
        model = build_spatial(**given)
        backbone_of(model).trainable = False
        return model

    stage, trainings = finished
    cached, history, _ = trainings["alone"]
    params = stage.params(tune_from="none")
    parts = [CLIPS[CLIPS["partition"] == part] for part in ("train", "val")]
    data = TrainingSet(*parts, stage.frames, 2, head_sampler(params), head_samples(params))
    build = partial(frozen, params=params, num_classes=2, weights=None, seed=1)
    same = params.model_copy(update={"epochs": 3, "learning_rate": params.head_learning_rate})
    anew, expected, _ = fit(build, data, same, 1, Epochs())
    losses = [[epoch["val_loss"] for epoch in h["epochs"]] for h in (history, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    x = stage.frames.take("a/0.avi", [0])[:, :SIZE, :SIZE].astype(np.float32)
    assert cached.model.predict_on_batch(x) == pytest.approx(anew.predict_on_batch(x), abs=1e-4)


def test_features_of_other_settings_are_refused(stage):
    stage.compute()
    with pytest.raises(UserError, match=r"lacks 10 of 10 clips.*compute_features"):
        stage.train(image_size=18)


@pytest.mark.parametrize(
    ("crops", "views"),
    [("centre", lambda h, w: [centre_view(h, w)]), (3, long_side_views), (10, fixed_views)],
)
def test_scores_average_views_and_crops(finished, crops, views):
    from hmdb_kedro.training.streams import evaluate_model  # noqa: PLC0415

    stage, trainings = finished
    trained, history, _ = trainings["alone"]
    trained = replace(trained, preprocessing=trained.preprocessing | {"test_crops": crops})
    val_scores = score_again(trained, CLIPS[CLIPS["partition"] == "val"], stage.frames)
    scores, protocol, cost, returned = evaluate_model(
        trained, history, val_scores, CLIPS, stage.frames, 1, make("data_prep")
    )
    assert returned is trained
    assert (protocol["views"], protocol["crops"]) == (2, crops)
    assert protocol["run_key"] == history["run_key"] != protocol["settings_key"]
    assert cost["ms_extract_per_clip"] == 500
    parts = [cost[f"ms_{name}per_clip"] for name in ("", "read_", "extract_")]
    assert cost["ms_per_clip_total"] == pytest.approx(sum(parts))
    assert len(scores) == 6
    for row in scores.itertuples():
        pictures = stage.frames.take(row.clip_id, [2, 6])
        seen = np.concatenate([view_frames(pictures, view, SIZE) for view in views(20, 26)])
        expected = trained.model.predict_on_batch(seen.astype(np.float32)).mean(axis=0)
        assert [row.a, row.b] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("epoch", "name"), [(1, "both"), (4, "refit")])
def test_a_training_killed_in_either_phase_ends_as_one_left_alone(finished, tmp_path, epoch, name):
    stage, trainings = finished
    trained, history, log = trainings[name]
    changes = {"refit": True} if name == "refit" else {}
    states, first = CheckpointFiles(tmp_path), KillingLog(epoch)
    with pytest.raises(RuntimeError, match="Killed"):
        stage.train(log=first, checkpoint=states, **changes)
    again, resumed, rest = stage.train(checkpoint=states, **changes)
    assert resumed["epochs"] == history["epochs"]
    assert dict([*first, *rest]) == dict(log)
    for ours, theirs in zip(again.model.get_weights(), trained.model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
