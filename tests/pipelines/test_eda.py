"""The exploratory figures of data_prep; those of durations and counts are in test_data_prep."""

import json

import pandas as pd
import pytest

from hmdb_kedro.pipelines.data_prep.eda import (
    ANNOTATIONS,
    plot_annotations_by_class,
    plot_measures_by_class,
)


@pytest.fixture
def index():
    """Return an index as Parquet gives it: text with NaN for null, integers with NA."""
    columns = {
        "clip_id": ["walk/a.avi", "walk/b.avi", "jump/c.avi", "jump/d.avi"],
        "label": ["walk", "walk", "jump", "jump"],
        "n_frames": [40, 60, 90, None],
        "fps": [30.0, 25.0, 30.0, None],
        "width": [320, 240, 320, None],
        "height": [240, 480, 240, None],
        "camera_motion": ["static", "moving", "moving", None],
        "visible_body": ["full", "upper", "head", None],
        "viewpoint": ["front", "left", "left", None],
        "quality": ["good", "bad", "medium", None],
        "num_people": [1, 7, 2, None],
        "status": ["ok", "ok", "ok", "unreadable"],
    }
    integers = dict.fromkeys(["n_frames", "width", "height", "num_people"], "Int64")
    return pd.DataFrame(columns).astype(integers)


def bars(figure, choice):
    (menu,) = figure.layout.updatemenus
    (visible,) = (b.args[0]["visible"] for b in menu.buttons if b.label == choice)
    return {
        bar.name: dict(zip(bar.y, bar.x, strict=True))
        for bar, shown in zip(figure.data, visible, strict=True)
        if shown
    }


def test_measures_are_those_of_usable_clips(index):
    figure = plot_measures_by_class(index)
    boxes = figure.data[::2]
    medians = [dict(zip(box.y, box.median, strict=True)) for box in boxes]
    assert medians[0] == {"walk": 50, "jump": 90}
    assert medians[1] == {"walk": 27.5, "jump": 30}
    assert medians[4] == pytest.approx({"walk": (320 / 240 + 0.5) / 2, "jump": 320 / 240}, abs=1e-3)
    assert json.loads(figure.to_json())["layout"]["title"]["text"]


def test_annotations_are_shares_of_a_class(index):
    figure = plot_annotations_by_class(index)
    assert bars(figure, "camera motion") == {
        "static": {"walk": 0.5, "jump": 0},
        "moving": {"walk": 0.5, "jump": 1},
    }
    assert bars(figure, "people")["4 or more"] == {"walk": 0.5, "jump": 0}
    assert bars(figure, "people")["2"] == {"walk": 0, "jump": 1}
    for name, _ in ANNOTATIONS.values():
        for label in ("walk", "jump"):
            assert sum(shares[label] for shares in bars(figure, name).values()) == 1


def test_clips_without_annotations_are_shown_as_such(index):
    index.loc[0, list(ANNOTATIONS)] = None
    assert bars(plot_annotations_by_class(index), "quality")["not given"]["walk"] == 0.5


def test_a_set_without_annotations_says_so(index):
    figure = plot_annotations_by_class(index.assign(**dict.fromkeys(ANNOTATIONS)))
    assert not figure.data
    assert "HMDB51" in figure.layout.annotations[0].text


def test_a_set_without_a_usable_clip_still_has_figures(index):
    none = index.assign(status="unreadable")
    assert plot_annotations_by_class(none).layout.annotations
    assert plot_measures_by_class(none).layout.title.text
