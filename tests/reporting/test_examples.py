import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.reporting.examples import evenly, examples_by_class, four_pictures, middle_pictures


class Table:
    """Stands in for a ClipTable: clips of seven pictures, each showing its position."""

    def __init__(self, clip_ids):
        self.clip_ids = clip_ids

    def shape(self, clip_id):
        return 7, 2, 3

    def take(self, clip_id, indices):
        return np.stack([np.full((2, 3, 3), index) for index in indices])


@pytest.fixture
def index():
    clip_ids = [f"{label}/{number}.avi" for label in ("walk", "jump") for number in range(9)]
    return pd.DataFrame(
        {"clip_id": clip_ids, "label": [name.split("/")[0] for name in clip_ids], "status": "ok"}
    )


@pytest.mark.parametrize(
    ("n", "expected"), [(1, [4]), (3, [1, 4, 7]), (9, list(range(9))), (20, list(range(9)))]
)
def test_items_are_spread_evenly(n, expected):
    assert evenly(range(9), n) == expected


def test_examples_are_clips_that_the_table_holds_and_do_not_depend_on_the_order(index):
    table = Table(index["clip_id"].to_list()[:-1])
    index.loc[index["clip_id"] == "walk/4.avi", "status"] = "duplicate"
    chosen = examples_by_class(index, table, 1)
    assert chosen == {"jump": ["jump/4.avi"], "walk": ["walk/5.avi"]}
    assert examples_by_class(index.sample(frac=1, random_state=0), table, 1) == chosen
    many = examples_by_class(index, table, 99)
    assert {label: len(clips) for label, clips in many.items()} == {"jump": 8, "walk": 8}


def test_classes_without_a_clip_in_the_table_are_left_out(index):
    assert list(examples_by_class(index, Table(["walk/1.avi"]), 2)) == ["walk"]
    assert not examples_by_class(index, Table([]), 2)


def test_the_middle_picture_stands_for_the_clip(index):
    ((label, clip_id, picture),) = middle_pictures(index, Table(["walk/1.avi"]))
    assert (label, clip_id) == ("walk", "walk/1.avi")
    assert (picture == 3).all()


def test_four_pictures_are_read_row_by_row():
    picture = four_pictures(Table(["walk/1.avi"]), "walk/1.avi")
    assert picture.shape == (4, 6, 3)
    assert picture[::2, ::3, 0].tolist() == [[0, 2], [4, 6]]
