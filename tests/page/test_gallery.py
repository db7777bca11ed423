"""The test clips of a run, with what was said of them."""

import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.inference.results import NONE_OF_THESE
from hmdb_kedro.page.gallery import gather, stream_titles

CLASSES = ["amber", "teal"]
FUSION = {
    "streams": ["spatial", "temporal"],
    "classes": CLASSES,
    "name": "average",
    "weights": [0.25, 0.75],
    "temperatures": [1.0, 1.0],
    "svm": None,
    "fallback": None,
    "threshold": 0.6,
}
TITLES = {"spatial": "Single frames", "temporal": "Motion"}
# Clip → its class, then what spatial, temporal and both give to that class.
CLIPS = {
    "amber/a.avi": ("amber", 0.9, 0.8, 0.85),
    "amber/b.avi": ("amber", 0.9, 0.2, 0.3),
    "teal/c.avi": ("teal", 0.1, 0.7, 0.55),
    "teal/d.avi": ("teal", 0.2, 0.4, 0.35),
}


def scores(column):
    rows = [
        {
            "clip_id": clip,
            "partition": "test",
            "label": label,
            label: given[column],
            **{other: 1 - given[column] for other in CLASSES if other != label},
        }
        for clip, (label, *given) in CLIPS.items()
    ]
    known = {"clip_id": "amber/val.avi", "partition": "val", "label": "amber"}
    table = pd.DataFrame([*rows, known | {"amber": 0.5, "teal": 0.5}])
    return table[["clip_id", "partition", "label", *CLASSES]]


def index():
    n = len(CLIPS)
    return pd.DataFrame(
        {
            "clip_id": list(CLIPS),
            "path": [f"there/{clip}" for clip in CLIPS],
            "duration_s": np.arange(n) + 1.5,
            "camera_motion": ["static", "moving", "moving", None],
            "viewpoint": ["front"] * n,
            "visible_body": [None] * n,
            "num_people": ["1", "2", "1", "1"],
            "quality": ["good"] * n,
        }
    )


@pytest.fixture
def gallery():
    named = {"spatial": 0, "temporal": 1, "two_stream": 2}
    return gather(index(), {name: scores(at) for name, at in named.items()}, TITLES, FUSION)


def test_test_clips_alone_are_there_the_hardest_first(gallery):
    assert gallery.clips["clip_id"].to_list() == [
        "amber/b.avi",
        "teal/d.avi",
        "teal/c.avi",
        "amber/a.avi",
    ]
    assert gallery.clips["p_label"].to_list() == pytest.approx([0.3, 0.35, 0.55, 0.85])


def test_it_is_said_whether_the_fusion_is_right_and_which_stream_is(gallery):
    found = gallery.clips.set_index("clip_id")
    assert found["outcome"].to_dict() == {
        "amber/a.avi": "right",
        "amber/b.avi": "wrong",
        "teal/c.avi": "right",
        "teal/d.avi": "wrong",
    }
    assert found["who"].to_dict() == {
        "amber/a.avi": "both",
        "amber/b.avi": "only single frames",
        "teal/c.avi": "only motion",
        "teal/d.avi": "neither",
    }
    assert found.loc["amber/b.avi", "predicted"] == "teal"


def test_filters_hold_together(gallery):
    def chosen(**wanted):
        return gallery.chosen(wanted)["clip_id"].to_list()

    assert len(chosen(label=None, who=None)) == 4
    assert chosen(outcome="wrong", label="teal") == ["teal/d.avi"]
    assert chosen(who="only motion") == ["teal/c.avi"]
    assert chosen(camera_motion="moving", num_people="2") == ["amber/b.avi"]
    assert chosen(outcome="right", who="neither") == []


def test_a_field_is_a_choice_where_clips_differ_in_it(gallery):
    assert gallery.choices("camera_motion") == ["moving", "static"]
    assert gallery.choices("num_people") == ["1", "2"]
    assert gallery.choices("viewpoint") == gallery.choices("visible_body") == []


def test_the_answer_is_the_stored_one(gallery):
    answer = gallery.answer("amber/b.avi")
    assert (answer.label, answer.probability) == ("teal", pytest.approx(0.7))
    assert answer.top == (("teal", pytest.approx(0.7)), ("amber", pytest.approx(0.3)))
    said = [(s.stream, s.label, s.weight) for s in answer.streams]
    assert said == [("spatial", "amber", 0.25), ("temporal", "teal", 0.75)]
    assert answer.seconds == 2.5
    assert gallery.answer("teal/c.avi").label == NONE_OF_THESE  # 0.55 is below 0.6
    with pytest.raises(KeyError):
        gallery.answer("amber/val.avi")


def test_more_than_two_streams_are_all_or_some_or_none(gallery):
    named = {"spatial": 0, "temporal": 1, "cnn3d_v1": 1, "two_stream": 2}
    titles = TITLES | {"cnn3d_v1": "Frames in a row"}
    fusion = FUSION | {"streams": list(titles), "weights": [0.4, 0.3, 0.3]}
    found = gather(index(), {name: scores(at) for name, at in named.items()}, titles, fusion)
    assert set(found.clips["who"]) == {
        "all",
        "only single frames",
        "only motion and frames in a row",
        "none",
    }


def test_streams_are_called_after_what_they_look_at():
    rgb, stack = {"modality": "rgb", "window": 1}, {"modality": "rgb", "window": 6}
    flow = {"modality": "flow", "window": 6}
    given = {"spatial": rgb, "cnn3d_v1": stack, "cnn3d_v2": stack, "temporal": flow}
    assert stream_titles({name: {"sampler": how} for name, how in given.items()}) == {
        "spatial": "Single frames",
        "cnn3d_v1": "Frames in a row (cnn3d_v1)",
        "cnn3d_v2": "Frames in a row (cnn3d_v2)",
        "temporal": "Motion",
    }
