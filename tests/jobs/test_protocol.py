"""What is left to do, and the loop over splits and seeds, with a runner that runs nothing."""

import json
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from kedro.framework.project import configure_project
from kedro.io.core import Version
from kedro_datasets.json import JSONDataset
from params import make
from score_tables import scores_of

from hmdb_kedro.datasets import ProtocolRuns
from hmdb_kedro.errors import UserError
from hmdb_kedro.jobs.protocol import (
    Found,
    KedroRuns,
    RunKeys,
    Steps,
    StoredRuns,
    Task,
    Versions,
    Work,
    describe_work,
    numbers,
    plan_run,
    run_all,
)
from hmdb_kedro.params import MODELS

STEPS = {
    model: Steps((f"{model}.train",), (f"{model}.score",), ("protocol", "scores"))
    for model in MODELS
}
WORK = Work(("index",), STEPS, MODELS, ("fuse", "evaluate"), ("metrics",))
TRIALS = [(split, seed) for seed in (1, 2) for split in (1, 2, 3)]


@dataclass
class FakeStore:
    """Keeps what a fake run has done, as the folders would."""

    found: dict = field(default_factory=dict)
    evaluated: set = field(default_factory=set)

    def find(self, model, split, seed):
        return self.found.get((model, split, seed), Found())

    def is_evaluated(self, split, seed):
        return (split, seed) in self.evaluated


@dataclass
class FakeRunner:
    """Does tasks node by node, and is killed after a number of nodes."""

    store: FakeStore
    nodes_left: int = 10_000
    done: list = field(default_factory=list)

    def __call__(self, task):
        for node in task.nodes:
            if not self.nodes_left:
                return 137
            self.nodes_left -= 1
            self.done.append((task.split, task.seed, node))
            model, _, step = node.partition(".")
            if step == "train":
                self.store.found[model, task.split, task.seed] = Found(trained="v1")
            if step == "score":
                self.store.found[model, task.split, task.seed] = Found("v1", "v2")
            if node == "evaluate":
                self.store.evaluated.add((task.split, task.seed))
        return 0


def go(store, runner, work=WORK, trials=TRIALS):
    return run_all(trials, lambda split, seed: plan_run(split, seed, work, store), runner)


def test_every_split_and_seed_is_run_once_and_never_again():
    store = FakeStore()
    runner = FakeRunner(store)
    assert go(store, runner) == len(TRIALS)
    assert len(set(runner.done)) == len(runner.done)
    assert go(store, FakeRunner(store, nodes_left=0)) == 0


@pytest.mark.parametrize("nodes_before_the_kill", [0, 1, 4, 7, 12, 20])
def test_a_killed_command_goes_on_and_trains_nothing_twice(nodes_before_the_kill):
    store = FakeStore()
    first = FakeRunner(store, nodes_before_the_kill)
    with pytest.raises(UserError, match="exit status 137"):
        go(store, first)
    second = FakeRunner(store)
    go(store, second)
    trained = [step for step in first.done + second.done if step[2].endswith(".train")]
    assert len(trained) == len(set(trained)) == len(MODELS) * len(TRIALS)
    assert store.evaluated == set(TRIALS)


def test_what_stands_is_loaded_by_its_version_not_as_the_newest():
    store = FakeStore({("spatial", 1, 1): Found("v1", "v2"), ("temporal", 1, 1): Found("v3")})
    task = plan_run(1, 1, WORK, store)
    assert task.load_versions == {
        "spatial.protocol": "v2",
        "spatial.scores": "v2",
        "temporal.model": "v3",
        "temporal.history": "v3",
        "temporal.val_scores": "v3",
    }
    assert not {"spatial.train", "spatial.score", "temporal.train"}.intersection(task.nodes)
    assert {"index", "temporal.score", "cnn3d_v1.train", "evaluate"} <= set(task.nodes)


def test_a_part_of_the_models_is_evaluated_only_where_the_others_are_scored():
    part = Work(("index",), STEPS, ("temporal",), ("evaluate",), ("metrics",))
    assert plan_run(1, 1, part, FakeStore()) == Task(
        1, 1, ("index", "temporal.train", "temporal.score"), {}
    )
    others = {(m, 1, 1): Found("v1", "v1") for m in MODELS if m != "temporal"}
    assert plan_run(1, 1, part, FakeStore(others)).nodes[-1] == "evaluate"


def test_models_that_nothing_needs_are_not_looked_for():
    class OnlyTemporal(FakeStore):
        def find(self, model, split, seed):
            assert model == "temporal", "its table may not be there"
            return super().find(model, split, seed)

    work = Work(("index",), STEPS, ("temporal",))
    assert plan_run(1, 1, work, OnlyTemporal()).nodes[-1] == "temporal.score"


def test_a_run_that_leaves_its_work_undone_is_an_error():
    with pytest.raises(UserError, match="is not finished"):
        go(FakeStore(), lambda task: 0)


@pytest.mark.parametrize("text", ["", "4", "1,a", "-1"])
def test_splits_that_are_none_are_refused(text):
    with pytest.raises(UserError, match="`--splits` must be whole numbers of 1, 2, 3"):
        numbers(text, "--splits", (1, 2, 3))


def test_numbers_keep_their_order_and_stand_once():
    assert numbers("3, 1,3", "--seeds") == [3, 1]


def test_other_external_scores_are_another_evaluation():
    class Keys(RunKeys):
        def run(self, model, split, seed):
            return f"{model} {split} {seed}"

    def key(**tables):
        catalog = SimpleNamespace(load={"external_scores": tables}.get)
        return Keys(catalog, SimpleNamespace(two_stream=make("two_stream"))).evaluation(1, 1)

    table = scores_of(1)
    keys = [key(), key(theirs=table), key(others=table), key(theirs=scores_of(2))]
    assert len(set(keys)) == len(keys)
    assert key(theirs=table) == keys[1]


@pytest.mark.slow
def test_the_real_pipelines_are_sorted_by_what_their_nodes_do():
    configure_project("hmdb_kedro")
    from hmdb_kedro.pipeline_registry import register_pipelines  # noqa: PLC0415

    pipelines = register_pipelines()
    work = describe_work(pipelines, list(pipelines), MODELS)
    assert work.asked == MODELS
    assert work.models["spatial"].train == ("spatial.compute_features", "spatial.train")
    assert "temporal.ablate" in work.models["temporal"].score
    assert "ablation_scores" in work.models["cnn3d_v2"].results
    assert {"protocol", "scores", "cost"} <= set(work.models["cnn3d_v1"].results)
    assert {"onnx", "curves"}.isdisjoint(work.models["cnn3d_v1"].results)
    assert "temporal.plot_curves" in work.models["temporal"].score
    assert {"measure_motion", "two_stream.fuse", "compare"} <= set(work.evaluation)
    alone = describe_work(pipelines, ["temporal_training"], ("temporal",))
    assert (alone.asked, alone.evaluation) == (("temporal",), ())


class TestStored:
    """Of files as a run leaves them."""

    @pytest.fixture
    def save(self, tmp_path):
        def save(entry, version, **values):
            name = f"{entry.replace('.', '_')}.json"
            dataset = JSONDataset(
                filepath=str(tmp_path / "07_model_output" / "split1" / name),
                version=Version(None, version),
            )
            dataset.save(values)

        return save

    @pytest.fixture
    def stored(self, tmp_path):
        class Catalog:
            def get(self, entry):
                name = f"{entry.replace('.', '_')}.json"
                path = tmp_path / "07_model_output" / "split1" / name
                return SimpleNamespace(_filepath=path, _version=Version(None, None))

        versions = Versions({1: Catalog()})
        return StoredRuns(versions, WORK, lambda *_: "key", lambda *_: "evaluation")

    def test_a_model_is_scored_where_all_its_results_carry_one_version(self, save, stored):
        save("spatial.history", "v1", run_key="key")
        assert stored.find("spatial", 1, 1) == Found()  # the model itself is not there
        save("spatial.model", "v1")
        assert stored.find("spatial", 1, 1) == Found()  # it was killed before its last output
        save("spatial.val_scores", "v1")
        assert stored.find("spatial", 1, 1) == Found(trained="v1")
        save("spatial.protocol", "v1", run_key="key")
        save("spatial.scores", "v0")
        assert stored.find("spatial", 1, 1).scored is None
        save("spatial.scores", "v1")
        assert stored.find("spatial", 1, 1).scored == "v1"

    def test_other_settings_are_other_runs(self, save, stored):
        save("spatial.protocol", "v1", run_key="another")
        save("spatial.scores", "v1")
        assert stored.find("spatial", 1, 1).scored is None

    def test_an_evaluation_is_whole_with_its_reports(self, save, stored):
        save("two_stream.protocol", "v1", run_key="evaluation")
        assert not stored.is_evaluated(1, 1)
        save("metrics", "v1")
        assert stored.is_evaluated(1, 1)

    def test_a_file_cut_off_by_a_kill_counts_as_none(self, tmp_path, save, stored):
        save("spatial.protocol", "v1", run_key="key")
        save("spatial.scores", "v1")
        (file,) = tmp_path.rglob("spatial_protocol.json/v1/*.json")
        file.write_text(json.dumps({"run_key": "key"})[:-3])
        assert stored.find("spatial", 1, 1).scored is None

    def test_a_protocol_cut_off_is_left_out_of_a_summary_and_named(self, tmp_path, save, caplog):
        for name in ("empty", "half"):
            save(f"{name}.protocol", "v1", split=1, seed=1, settings_key="a")
            (file,) = tmp_path.rglob(f"{name}_protocol.json/v1/*.json")
            file.write_text(file.read_text()[:-3] if name == "half" else "")
            assert ProtocolRuns(path=str(tmp_path)).load() == []
            assert f"{file} is cut off" in caplog.text

    def test_runs_without_keys_or_scores_are_no_part_of_a_protocol(self, tmp_path, save):
        save("spatial.protocol", "v1", split=1, seed=1)
        save("temporal.protocol", "v1", split=1, seed=1, settings_key="a")
        assert ProtocolRuns(path=str(tmp_path)).load() == []
        table = (
            tmp_path / "07_model_output/split1/temporal_scores.parquet/v1/temporal_scores.parquet"
        )
        table.parent.mkdir(parents=True)
        table.touch()
        (run,) = ProtocolRuns(path=str(tmp_path), name="left").load()
        assert (run.model, run.version, run.data_set) == ("temporal", "v1", "left")


def test_an_interrupt_of_this_process_alone_does_not_wait_for_the_whole_run(tmp_path, monkeypatch):
    run = MagicMock()
    run.wait.side_effect = [KeyboardInterrupt, subprocess.TimeoutExpired("kedro run", 30), 0]
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: nullcontext(run))
    with pytest.raises(KeyboardInterrupt):
        KedroRuns(tmp_path).start(1, 1)
    assert [name for name, *_ in run.mock_calls] == ["wait", "wait", "terminate", "wait"]
