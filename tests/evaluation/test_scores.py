import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.scores import (
    aligned,
    check_scores,
    class_names,
    not_scored,
    part,
    sources_of,
)


def table(**changes):
    scores = pd.DataFrame(
        {
            "clip_id": ["b/1.avi", "a/1.avi", "b/2.avi"],
            "partition": ["test", "val", "test"],
            "label": ["b", "a", "b"],
            "a": np.float32([0.25, 1.0, 0.5]),
            "b": np.float32([0.75, 0.0, 0.5]),
        }
    )
    return scores.assign(**changes)


def test_a_part_is_probabilities_and_positions_of_labels():
    probabilities, labels = part(table(), "test")
    assert probabilities.tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert probabilities.dtype == np.float64
    assert labels.tolist() == [1, 1]
    assert class_names(table()) == ["a", "b"]


def test_an_empty_part_keeps_its_classes():
    probabilities, labels = part(table(partition="test"), "val")
    assert (probabilities.shape, labels.shape) == ((0, 2), (0,))


def test_tables_in_another_order_of_rows_are_aligned():
    ordered = aligned({"one": table(), "two": table()[::-1]})
    pd.testing.assert_frame_equal(ordered["one"], ordered["two"])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (table(clip_id=["x", "y", "z"]), "no clip in common"),
        (table().rename(columns={"b": "c"}), "classes b, c"),
        (table()[["clip_id", "partition", "label", "b", "a"]], "order of classes"),
        (table(partition="test"), "partition or label"),
    ],
)
def test_tables_that_disagree_are_refused_with_the_difference(other, message):
    with pytest.raises(UserError, match=message):
        aligned({"one": table(), "two": other})


def test_a_clip_that_one_model_lacks_is_left_out_and_named():
    tables = {"one": table(), "two": table().head(2)}
    assert aligned(tables)["one"]["clip_id"].tolist() == ["a/1.avi", "b/1.avi"]
    assert not_scored(tables) == {"one": [], "two": ["b/2.avi"]}


def test_a_label_without_a_column_is_named():
    with pytest.raises(UserError, match="Received: fly"):
        part(table(label="fly"), "test")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (table(a=np.float32([np.nan, 1, 0.5])), r"1 clips hold NaN or infinity. Received: b/1.avi"),
        (table(a=[0.25, 1.0, 2.0]), r"`m`: 1 clips are no prob.*b/2.avi, which sums to 2.5. Give"),
        (table(a=[0.25, 2.0, 0.5], b=[0.75, -1.0, 0.5]), "are no probabilities.*a/1.avi"),
        (table(clip_id=["b/1.avi", "b/1.avi", "b/2.avi"]), "1 clips stand twice. Received: b/1"),
        (table(partition=["test", "train", "test"]), "neither val nor test. Received: a/1.avi"),
        (table().drop(columns="label"), "none named label"),
    ],
)
def test_a_table_that_holds_no_probabilities_is_refused(broken, message):
    check_scores("m", table())
    with pytest.raises(UserError, match=message):
        aligned({"fine": table(), "m": broken})


def test_sources_come_from_the_index_in_the_order_of_the_scores():
    index = pd.DataFrame(
        {"clip_id": ["a/1.avi", "b/1.avi", "b/2.avi"], "source_video": list("xyz")}
    )
    assert sources_of(table(), index).tolist() == ["y", "x", "z"]
    with pytest.raises(UserError, match=r"does not know.*Received: b/2\.avi\."):
        sources_of(table(), index.head(2))
