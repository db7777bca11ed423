"""Runs side by side: which are meant, what was set otherwise, and how sure a difference is."""

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from tiny_project import inside, kedro_run, store, write_project

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.metrics import classification_metrics
from hmdb_kedro.evaluation.scores import part
from hmdb_kedro.jobs.comparing import (
    as_rows,
    differences,
    figures_side_by_side,
    find_runs,
    read_run,
    settings_that_differ,
)

# The store is made by Kedro sessions.
pytestmark = pytest.mark.slow

CLASSES = ["kick", "wave"]
SOURCES = 12
CLIPS_A_SOURCE = 3
DRAWS = {"draws": 2000, "seed": 0}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Return the store of a project that ran twice, with two seeds."""
    folder = write_project(tmp_path_factory.mktemp("compared") / "project")
    store(folder).create_experiment("tiny")
    with inside(folder):
        kedro_run(folder, "__default__", seed=7)
        kedro_run(folder, "__default__", seed=8)
    return store(folder)


@pytest.fixture(scope="module")
def children(client):
    """Return the ids of the runs by name, the older first."""
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = client.search_runs([experiment], order_by=["attributes.start_time"])
    found = {}
    for run in runs:
        found.setdefault(run.info.run_name.split()[0], []).append(run.info.run_id)
    return found


def scores(right):
    """Return scores that are right on clip k where `right[k]` is."""
    names = [f"wave/{source}_{k}.avi" for source in range(SOURCES) for k in range(CLIPS_A_SOURCE)]
    table = pd.DataFrame({"clip_id": names, "partition": "test", "label": "wave"})
    return table.assign(kick=np.where(right, 0.25, 0.75), wave=np.where(right, 0.75, 0.25))


def clip_index(scored):
    sources = scored["clip_id"].str.partition("_")[0]
    return pd.DataFrame({"clip_id": scored["clip_id"], "source_video": sources})


def stored(*tables):
    """Return what loads the given scores, the older run's first."""
    by_version = {}

    def load(entry, split, version):
        if entry == "clip_index":
            return clip_index(tables[0])
        if version not in by_version:
            by_version[version] = tables[len(by_version)]
        return by_version[version]

    return load


def absent(entry, split, version):
    raise DatasetError(f"No {entry} of {version}.")


def read(client, children, load):
    runs = find_runs(client, children["spatial"])
    return [read_run(client, run, load) for run in runs]


def test_a_run_is_found_by_id_by_its_beginning_and_once(client, children):
    first, second = children["spatial"]
    found = find_runs(client, [first, second[:12], second])
    assert [run.info.run_id for run in found] == [first, second]


def test_the_run_of_a_kedro_run_stands_for_its_models(client, children):
    found = find_runs(client, [children["all"][1]])
    assert [run.data.tags["model"] for run in found] == ["spatial", "two_stream"]
    assert {run.data.params["seed"] for run in found} == {"8"}


def test_a_name_that_several_runs_have_asks_for_an_id_of_them(client, children):
    with pytest.raises(UserError, match="Several runs are meant") as error:
        find_runs(client, ["spatial"])
    assert all(run_id[:8] in str(error.value) for run_id in children["spatial"])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(["nobody"], "no such run in MLflow. Received: nobody"), (None, "It takes two runs")],
)
def test_what_cannot_be_compared_is_said(client, children, wanted, message):
    with pytest.raises(UserError, match=message):
        find_runs(client, wanted or children["spatial"][:1])


def test_only_settings_that_differ_are_shown(client, children):
    runs = read(client, children, absent)
    assert settings_that_differ(runs).loc["seed"].to_list() == ["7", "8"]
    assert "learning_rate" not in settings_that_differ(runs).index
    assert "learning_rate" in runs[0].settings


def test_figures_are_those_of_mlflow(client, children):
    table = figures_side_by_side(read(client, children, absent))
    assert table.loc["test_top1"].to_list() == [0.5, 0.5]
    assert table.loc["gflops"].to_list() == [0.5, 0.5]
    assert "loss" not in table.index  # of an epoch


def test_without_scores_a_difference_has_no_interval_and_says_why(client, children):
    found = {row.figure: row for row in differences(read(client, children, absent), **DRAWS)}
    assert (found["test_top1"].difference, found["test_top1"].low) == (0, None)
    assert "no scores of version" in found["test_top1"].note
    assert found["gflops"].note is None  # has no interval anyway


def test_scores_of_a_later_session_than_the_trainings_are_found(client, children):
    run, _ = find_runs(client, children["spatial"])
    run.data.tags["scores_version"] = "later"
    asked = []

    def load(entry, split, version):
        asked.append((entry, version))
        return absent(entry, split, version)

    assert "no scores of version later" in read_run(client, run, load).lack
    assert asked == [("spatial.scores", "later")]


def test_a_difference_comes_with_its_interval_from_the_stored_scores(client, children):
    rng = np.random.default_rng(0)
    worse, better = (rng.random(SOURCES * CLIPS_A_SOURCE) < share for share in (0.3, 0.9))
    tables = [scores(worse), scores(better)]
    found = {
        row.figure: row for row in differences(read(client, children, stored(*tables)), **DRAWS)
    }
    top1 = found["test_top1"]
    assert top1.difference == pytest.approx(better.mean() - worse.mean())
    assert top1.low < top1.difference < top1.high
    assert (top1.n_clips, top1.p_value) == (36, pytest.approx(0, abs=0.01))
    losses = [classification_metrics(*part(table, "test"))["log_loss"] for table in tables]
    assert found["test_log_loss"].difference == pytest.approx(losses[1] - losses[0])


def test_scores_of_other_classes_are_not_compared(client, children):
    right = np.ones(SOURCES * CLIPS_A_SOURCE, bool)
    other = scores(right).rename(columns={"kick": "jump"})
    found = differences(read(client, children, stored(scores(right), other)), **DRAWS)
    top1 = next(row for row in found if row.figure == "test_top1")
    assert top1.low is None
    assert "classes jump, kick" in top1.note


def test_p_values_are_corrected_for_all_pairs(client, children):
    rng = np.random.default_rng(1)
    tables = [scores(rng.random(SOURCES * CLIPS_A_SOURCE) < share) for share in (0.3, 0.6, 0.9)]
    older, newer = read(client, children, stored(*tables[:2]))
    third = type(newer)("third", "spatial", {}, newer.figures, tables[2], newer.sources)
    found = [row for row in differences([older, newer, third], **DRAWS) if row.p_value is not None]
    assert {row.against for row in found} == {older.name}
    assert min(row.p_holm for row in found) == pytest.approx(2 * min(r.p_value for r in found))


def test_a_run_is_held_to_the_first_of_its_model(client, children):
    whole = find_runs(client, children["all"])
    found = differences([read_run(client, run, absent) for run in whole], **DRAWS)
    pairs = {(row.run.split()[0], row.against.split()[0]) for row in found}
    assert pairs == {
        ("two_stream", "spatial"),
        ("spatial", "spatial"),
        ("two_stream", "two_stream"),
    }


def test_the_long_table_holds_settings_figures_and_differences(client, children):
    runs = read(client, children, absent)
    table = as_rows(runs, differences(runs, **DRAWS))
    assert set(table["kind"]) == {"setting", "figure", "difference"}
    top1 = table[(table["kind"] == "difference") & (table["name"] == "test_top1")]
    assert top1[["run", "against", "value"]].values.tolist() == [[runs[1].name, runs[0].name, 0.0]]
