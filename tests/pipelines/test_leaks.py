"""No recording stands on both sides of a split, and HMDB51 is whole, or is said not to be."""

import json
import logging
from typing import get_args

import pandas as pd
import pytest
from clips import REPOSITORY
from params import make

from hmdb_kedro.datasets import SplitLists
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import KnownSet
from hmdb_kedro.pipelines.data_prep.expected import EXPECTED, HMDB51, compare_with_expected
from hmdb_kedro.pipelines.data_prep.index import build_clip_index
from hmdb_kedro.pipelines.data_prep.leaks import Leaks, find_leaks, stop_leaks

PARAMS = make("data_prep", expect=None)
WARN = make("data_prep", on_leak="warn")
HMDB = make("data_prep", expect="hmdb51")
NONE = Leaks([], [], [], [])


def name_of(label, film, number=0):
    return f"{label}/{film}_{label}_f_nm_np1_fr_med_{number}.avi"


def scan_of(clip_ids):
    columns = {
        "path": clip_ids,
        "content_hash": [f"hash of {clip_id}" for clip_id in clip_ids],
        "status": "ok",
        "reason": None,
    }
    unknown = ["n_frames", "fps", "width", "height", "duration_s"]
    return pd.DataFrame({"clip_id": clip_ids, **columns, **dict.fromkeys(unknown)})


def lists_of(parts):
    rows = [(clip, clip.split("/")[0], n, part) for clip, part in parts.items() for n in (1, 2, 3)]
    return pd.DataFrame(rows, columns=["clip_id", "label", "split", "part"])


def index_of(parts, params=PARAMS, same_bytes=(), split=1):
    scan = scan_of(list(parts))
    scan.loc[scan["clip_id"].isin(same_bytes), "content_hash"] = "the same"
    return build_clip_index(scan, scan, lists_of(parts), params, split=split, seed=0)


def sound():
    """Two classes, five films of each: three to train, two to test."""
    return {
        name_of(label, f"{label}{film}"): 1 if film < 3 else 2
        for label in ("sit", "wave")
        for film in range(5)
    }


@pytest.fixture(scope="module")
def official():
    folder = REPOSITORY.parent / "shared" / "hmdb51_splits"
    if not folder.is_dir():
        pytest.skip(f"OFFICIAL LISTS MISSING: there is no folder {folder}")
    return SplitLists(path=str(folder)).load()


def test_a_sound_split_has_no_leak():
    assert find_leaks(index_of(sound()), 1) == NONE


def test_a_film_of_one_class_on_both_sides_stops_the_run():
    parts = sound() | {name_of("wave", "wave0", 1): 2}
    with pytest.raises(UserError) as caught:
        index_of(parts)
    message = str(caught.value)
    assert "1 source(s) of one class in train and in test (wave/wave0)" in message
    assert "data_prep.on_leak=warn" in message


def test_warn_says_the_same_and_goes_on(caplog):
    parts = sound() | {name_of("wave", "wave0", 1): 2}
    index = index_of(parts, WARN)
    assert len(index) == 11
    assert "(wave/wave0)" in caplog.text
    assert find_leaks(index, 1).train_test == ["wave/wave0"]


def test_validation_is_on_the_training_side():
    index = index_of(sound())
    (film,) = index.loc[(index["partition"] == "val") & (index["label"] == "sit"), "source_video"]
    with pytest.raises(UserError, match=f"sit/{film}"):
        index_of(sound() | {name_of("sit", film, 1): 2}, make("data_prep", val_fraction=0.2))


def test_a_film_in_train_and_validation_counts_over_all_classes():
    index = index_of(sound())
    leaking = index.assign(
        source_video=index["source_video"].where(index["partition"] == "test", "one film")
    )
    assert find_leaks(leaking, 1).train_val == ["one film"]
    with pytest.raises(UserError, match=r"1 source\(s\) in train and in validation \(one film\)"):
        stop_leaks(leaking, PARAMS, 1)


def test_a_film_of_other_classes_on_the_other_side_is_counted_alone():
    parts = sound() | {name_of("wave", "sit0"): 2}
    leaks = find_leaks(index_of(parts), 1)
    assert leaks == Leaks([], [], [], across_classes=["sit0"])
    assert leaks.summary()["across_classes"] == {"count": 1, "first": ["sit0"]}


def test_clips_that_are_their_own_source_do_not_leak():
    parts = {f"{label}/{n}.avi": 1 + n % 2 for label in ("sit", "wave") for n in range(6)}
    assert find_leaks(index_of(parts), 1) == NONE


def test_the_same_bytes_on_both_sides_are_named():
    one, other = name_of("sit", "sit0"), name_of("wave", "wave4")
    with pytest.raises(UserError, match="same bytes in train and in test") as caught:
        index_of(sound(), same_bytes=[one, other])
    assert f"{other} in test is {one}" in str(caught.value)


def test_the_same_bytes_on_one_side_are_a_duplicate_and_no_leak():
    twins = [name_of("sit", "sit0"), name_of("wave", "wave0")]
    index = index_of(sound(), same_bytes=twins)
    assert (index["status"] == "duplicate").sum() == 1
    assert find_leaks(index, 1) == NONE


def test_many_offenders_are_counted():
    doubled = {name_of("wave", f"film{n}", k): 1 + k for n in range(8) for k in (0, 1)}
    with pytest.raises(UserError, match=r"8 source.*wave/film4 and 3 more\)"):
        index_of(sound() | doubled)


@pytest.mark.slow
@pytest.mark.parametrize(("split", "across"), [(1, 133), (2, 149), (3, 144)])
def test_the_official_lists_keep_every_film_of_a_class_on_one_side(official, split, across):
    scan = scan_of(sorted(official["clip_id"].unique()))
    index = build_clip_index(scan, scan, official, PARAMS, split=split, seed=0)
    used = index.loc[index["partition"].isin(["train", "val", "test"])]
    assert len(used) == 51 * 100
    assert index[["label", "source_video"]].drop_duplicates().shape[0] == 2291
    leaks = find_leaks(index, split)
    assert (leaks.train_val, leaks.train_test, leaks.same_bytes) == ([], [], [])
    assert len(leaks.across_classes) == across


@pytest.mark.parametrize(
    ("clips", "pattern", "own"),
    [
        ("ut_interaction_1", r"(?P<source>set\d_seq\d+)", 0),
        ("arid6", r"(?P<source>[A-Za-z]+_\d+)_\d+", 36),
    ],
)
def test_the_real_sets_have_no_leak(real_clips, clips, pattern, own):
    lists = SplitLists(path=str(real_clips / clips / "splits")).load()
    scan = scan_of(sorted(lists["clip_id"].unique()))
    params = make("data_prep", source_pattern=pattern)
    for split in (1, 2, 3):
        index = build_clip_index(scan, scan, lists, params, split=split, seed=1)
        assert (index["source_video"] == index["clip_id"]).sum() == own
        assert find_leaks(index, split).train_test == []


class TestExpectedCounts:
    @pytest.mark.parametrize("known", get_args(KnownSet))
    def test_every_known_set_has_its_counts(self, known):
        other = pd.DataFrame({"clip_id": ["no class of it/a.avi"]})
        params = make("data_prep", expect=known, splits="auto")
        found = compare_with_expected(other, other, params)
        assert found["missing"] == EXPECTED[known]

    def test_the_table_is_that_of_the_official_lists(self, official):
        named = official.drop_duplicates("clip_id")["label"].value_counts().to_dict()
        assert named == HMDB51
        assert (len(HMDB51), sum(HMDB51.values())) == (51, 6766)

    def test_the_whole_set_is_as_expected_and_silent(self, official, caplog):
        files = official[["clip_id"]].drop_duplicates()
        found = compare_with_expected(files, official, HMDB)
        assert found["clips"] == {"here": 6766, "expected": 6766}
        assert found["classes"] == {"here": 51, "expected": 51}
        assert found["missing"] == found["too_many"] == found["lists"] == {}
        assert not caplog.records

    def test_what_differs_is_told_by_class(self, official, caplog):
        files = official[["clip_id"]].drop_duplicates()
        files = files.loc[~files["clip_id"].str.startswith("wave/")].iloc[1:]
        files = pd.concat([files, pd.DataFrame({"clip_id": ["sit/new.avi", "dance/a.avi"]})])
        with caplog.at_level(logging.WARNING):
            found = compare_with_expected(files, official.iloc[1:], HMDB)
        assert found["missing"] == {"brush_hair": 1, "wave": 104}
        assert found["too_many"] == {"dance": 1, "sit": 1}
        assert found["classes"] == {"here": 50, "expected": 51}
        assert list(found["lists"]) == ["brush_hair"]
        assert json.loads(json.dumps(found)) == found
        (record,) = caplog.records
        assert record.getMessage().startswith(
            "HMDB51: 6,663 of 6,766 clips, 50 of 51 classes are here; missing: brush_hair 1, "
            "wave 104; too many: dance 1, sit 1; lists that are not 70 train and 30 test"
        )

    def test_chosen_classes_are_compared_alone(self, official):
        params = make("data_prep", expect="hmdb51", classes=["wave", "sit"])
        files = official.loc[official["label"] == "wave", ["clip_id"]].drop_duplicates()
        found = compare_with_expected(files, official, params)
        assert found["clips"] == {"here": 104, "expected": 246}
        assert found["missing"] == {"sit": 142}

    def test_drawn_parts_need_no_lists(self):
        files = pd.DataFrame({"clip_id": ["wave/a.avi"]})
        params = make("data_prep", expect="hmdb51", splits="auto")
        assert compare_with_expected(files, lists_of({}), params)["lists"] == {}

    def test_nothing_is_compared_where_nothing_is_expected(self, caplog):
        assert compare_with_expected(pd.DataFrame({"clip_id": []}), lists_of({}), PARAMS) is None
        assert not caplog.records
