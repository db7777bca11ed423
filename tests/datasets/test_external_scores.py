import unicodedata

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from hmdb_kedro.datasets import ExternalScores

CLIPS, CLASSES = ["run/a.avi", "sit/b.avi"], ["run", "sit"]
DECOMPOSED, COMPOSED = (unicodedata.normalize(form, "sauté") for form in ("NFD", "NFC"))
SCORES = np.array([[0.75, 0.25], [0.5, 0.5]])


def save_npz(file, **changes):
    arrays = {"clip_id": np.array(CLIPS), "classes": np.array(CLASSES), "scores": SCORES}
    np.savez(file, **(arrays | changes))


def test_csv_and_npz_hold_the_same(tmp_path):
    save_npz(tmp_path / "theirs.npz")
    table = pd.DataFrame(SCORES, columns=CLASSES).assign(clip_id=CLIPS)
    table.to_csv(tmp_path / "other.csv", index=False)
    (tmp_path / "README.md").write_text("not a table")
    found = ExternalScores(path=str(tmp_path)).load()
    assert list(found) == ["other", "theirs"]
    pd.testing.assert_frame_equal(found["other"], found["theirs"], check_dtype=False)
    assert found["other"].columns.to_list() == ["clip_id", "run", "sit"]


def test_no_folder_named_is_no_tables_and_a_wrong_one_is_said(tmp_path):
    assert ExternalScores(path="").load() == {}
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere.*external_scores_dir"):
        ExternalScores(path=str(tmp_path / "nowhere")).load()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": SCORES.T[:, :1]}, r"shape \(2, 1\), not \(2, 2\)"),
        ({"clip_id": np.array(CLIPS, dtype=object)}, "is no score table"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path, changes, message):
    save_npz(tmp_path / "bad.npz", **changes)
    with pytest.raises(DatasetError, match=message) as caught:
        ExternalScores(path=str(tmp_path)).load()
    assert "bad.npz" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,run\na,1\n", "no column clip_id"),
        ("clip_id,run\na,fast\n", "column run holds no numbers"),
        ("", "is no score table"),
        (f"clip_id,{DECOMPOSED},{COMPOSED}\na,1,0\n", f"column {COMPOSED} stands twice"),
    ],
)
def test_a_csv_that_is_no_table_is_named(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        ExternalScores(path=str(tmp_path)).load()


def test_two_files_of_one_model_are_refused_by_name(tmp_path):
    save_npz(tmp_path / "theirs.npz")
    (tmp_path / "theirs.csv").write_text("clip_id,run,sit\nrun/a.avi,1,0\n")
    with pytest.raises(DatasetError, match=r"theirs\.csv and .*theirs\.npz"):
        ExternalScores(path=str(tmp_path)).load()


def test_names_of_clips_and_classes_are_composed_as_ours_are(tmp_path):
    clips = [f"{DECOMPOSED}/a.avi", "sit/b.avi"]
    table = pd.DataFrame(SCORES, columns=[DECOMPOSED, "sit"])
    table.assign(clip_id=clips).to_csv(tmp_path / "other.csv", index=False)
    save_npz(
        tmp_path / "theirs.npz", clip_id=np.array(clips), classes=np.array([DECOMPOSED, "sit"])
    )
    for found in ExternalScores(path=str(tmp_path)).load().values():
        assert found.columns.to_list() == ["clip_id", COMPOSED, "sit"]
        assert found["clip_id"].to_list() == [f"{COMPOSED}/a.avi", "sit/b.avi"]


def test_it_is_read_only(tmp_path):
    with pytest.raises(DatasetError, match="read-only"):
        ExternalScores(path=str(tmp_path)).save({})
