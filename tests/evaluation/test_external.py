import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.external import adopt

REFERENCE = pd.DataFrame(
    {
        "clip_id": ["run/1.avi", "run/2.avi", "sit/1.avi", "sit/3.avi"],
        "partition": ["test", "test", "val", "test"],
        "label": ["run", "run", "sit", "sit"],
        "run": np.float32([0.9, 0.8, 0.3, 0.4]),
        "sit": np.float32([0.1, 0.2, 0.7, 0.6]),
    }
)
OTHER = pd.DataFrame(
    {
        "clip_id": ["sit/3.avi", "sit/1.avi", "run/2.avi", "run/1.avi", "fly/9.avi"],
        "sit": [0.5, 0.75, 0.0, 0.25, 0.5],
        "run": [0.5, 0.25, 1.0, 0.75, 0.5],
    }
)


def test_parts_labels_and_the_order_of_classes_are_ours_and_extra_clips_are_counted():
    scores, extra = adopt("other", OTHER, REFERENCE)
    assert list(scores) == list(REFERENCE)
    assert scores["clip_id"].tolist() == REFERENCE["clip_id"].tolist()
    assert scores["partition"].tolist() == REFERENCE["partition"].tolist()
    assert scores["run"].tolist() == [0.75, 1.0, 0.25, 0.5]
    assert extra == 1


def test_file_names_and_stems_do_where_they_are_unique():
    short = OTHER.assign(clip_id=["3", "sit/1.avi", "2.avi", "run/1.avi", "9.avi"])
    pd.testing.assert_frame_equal(
        adopt("other", short, REFERENCE)[0], adopt("other", OTHER, REFERENCE)[0]
    )
    with pytest.raises(UserError, match=r"`other`: a name fits several clips. Received: 1.avi"):
        adopt("other", short.assign(clip_id=["3", "1.avi", "2", "run/1.avi", "9"]), REFERENCE)


def test_without_all_validation_clips_none_is_used():
    scores, extra = adopt("other", OTHER[OTHER["clip_id"] != "sit/1.avi"], REFERENCE)
    assert set(scores["partition"]) == {"test"}
    assert extra == 1


def test_what_differs_is_listed():
    with pytest.raises(UserError, match=r"`o` lack 1 test clips. Received none of: run/2.avi"):
        adopt("o", OTHER[OTHER["clip_id"] != "run/2.avi"], REFERENCE)
    with pytest.raises(UserError, match="table that lacks sit and has sleep"):
        adopt("o", OTHER.rename(columns={"sit": "sleep"}), REFERENCE)
    with pytest.raises(UserError, match="4 clips are no probabilities"):
        adopt("o", OTHER.assign(run=[3.0, 2, 9, 4, 1]), REFERENCE)
    twice = pd.concat([OTHER, OTHER.head(1)])
    with pytest.raises(UserError, match=r"1 clips stand twice. Received: sit/3.avi"):
        adopt("o", twice, REFERENCE)
