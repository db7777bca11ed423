import json

import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.reporting.by_class import NOT_GIVEN, boxes_by_class, shares_by_class

LABELS = ["jump", "sit", "walk"]
MEASURES = {"n_frames": "frames", "fps": "frames a second"}


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    label = np.repeat(LABELS, 40)
    starts = np.array([[300], [100], [200]])
    frames = starts + rng.permuted(np.tile(np.arange(40), (3, 1)), axis=1)
    return pd.DataFrame(
        {
            "clip_id": [f"{label}/{number}.avi" for number, label in enumerate(label)],
            "label": label,
            "n_frames": pd.array(frames.ravel(), "Int64"),
            "fps": 30.0,
            "viewpoint": np.tile(["left", "right", "left", None], 30),
        }
    )


def shown(figure):
    return [position for position, trace in enumerate(figure.data) if trace.visible]


def test_boxes_are_the_quantiles_in_order_of_the_median(clips):
    figure = boxes_by_class(clips, MEASURES, "Measures")
    box = figure.data[0]
    assert list(box.y) == list(figure.layout.yaxis.categoryarray) == ["sit", "walk", "jump"]
    assert list(box.median) == [119.5, 219.5, 319.5]
    for name, share in {"lowerfence": 0.05, "q1": 0.25, "q3": 0.75, "upperfence": 0.95}.items():
        assert list(box[name]) == pytest.approx([start + share * 39 for start in (100, 200, 300)])


def test_the_most_extreme_clips_tell_their_names(clips):
    points = boxes_by_class(clips, MEASURES, "Measures").data[1]
    assert len(points.x) == 3 * 10
    named = dict(zip(points.text, points.x, strict=True))
    true = clips.set_index("clip_id")["n_frames"].astype(float)
    assert named == {clip_id: true[clip_id] for clip_id in named}
    assert {100, 104, 135, 139} <= set(points.x)
    assert not {105, 134} & set(points.x)


def test_each_choice_of_the_menu_shows_its_own_traces_axis_and_order(clips):
    figure = boxes_by_class(clips, MEASURES, "Measures")
    assert shown(figure) == [0, 1]
    (menu,) = figure.layout.updatemenus
    assert [button.label for button in menu.buttons] == list(MEASURES.values())
    visible, changes = menu.buttons[1].args
    assert visible["visible"] == [False, False, True, True]
    assert changes["xaxis.title.text"] == "frames a second"
    assert figure.layout.xaxis.title.text == "frames"


def test_unknown_values_are_left_out(clips):
    clips.loc[clips["label"] == "sit", "n_frames"] = pd.NA
    box, points, *_ = boxes_by_class(clips, MEASURES, "Measures").data
    assert set(box.y) == set(points.y) == {"jump", "walk"}


def test_shares_of_a_class_sum_to_one_and_nulls_are_named(clips):
    figure = shares_by_class(clips, {"viewpoint": ("view", ["front", "left", "right"])}, "Views")
    assert [bar.name for bar in figure.data] == ["left", "right", NOT_GIVEN]
    assert [list(bar.x) for bar in figure.data] == [[0.5] * 3, [0.25] * 3, [0.25] * 3]
    assert np.sum([bar.customdata for bar in figure.data], axis=0).tolist() == [40] * 3
    assert list(figure.layout.yaxis.categoryarray) == LABELS[::-1]
    assert figure.layout.showlegend


def test_figures_of_thousands_of_clips_stay_light(clips):
    many = pd.concat([clips.assign(label=f"class_{number}") for number in range(51)])
    assert len(boxes_by_class(many, MEASURES, "Measures").to_json()) < 300_000
    assert json.loads(boxes_by_class(many, MEASURES, "Measures").to_json())["layout"]["height"] > 51
