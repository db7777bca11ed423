"""What a visitor reads."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from hmdb_kedro.inference import Action, Prediction, StreamAnswer
from hmdb_kedro.inference.results import NONE_OF_THESE
from hmdb_kedro.page.drawing import Drawing, styles, with_pictures
from hmdb_kedro.page.gallery import Gallery

FUSION = {"classes": ["run_fast", "wave"], "name": "log_average", "threshold": 0.6}
DRAWING = Drawing(
    {"spatial": "Single frames", "temporal": "Motion"},
    {"spatial": "rgb", "temporal": "flow"},
    FUSION,
)
ANSWER = Prediction(
    name="clip.avi",
    label="run_fast",
    probability=0.8,
    top=(("run_fast", 0.8), ("wave", 0.2)),
    threshold=0.6,
    streams=(
        StreamAnswer("spatial", "wave", 0.7, 1.0, (0.3, 0.7)),
        StreamAnswer("temporal", "run_fast", 0.9, 2.0, (0.9, 0.1)),
    ),
    probabilities=(0.8, 0.2),
    seconds=1.25,
)


class Words(HTMLParser):
    """Collects what is read, and the attributes of every tag."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tags = [], []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", "".join(self.words))

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def widths(html):
    return [float(w) for w in re.findall(r"width:([\d.]+)%", html)]


def test_each_stream_and_the_fusion_have_their_bars():
    html = DRAWING.result(ANSWER, b"film")
    said = Words(html).text.replace("\u202f", " ")
    assert widths(html) == [70, 30, 90, 10, 80, 20]
    order = [said.index(t) for t in ("Single frames", "wave", "Motion", "run fast 90", "Together")]
    assert order == sorted(order)
    assert "temporal, weight 2" in said
    assert "log average" in said


def test_it_says_how_sure_it_is():
    assert "Accepted: 80 % is above 60 %" in words(ANSWER)
    refused = replace(ANSWER, label=NONE_OF_THESE, probability=0.5, top=(("wave", 0.5),))
    assert "The nearest class is wave with 50 %: below 60 %" in words(refused)
    assert "No threshold is known" in words(replace(ANSWER, threshold=None))


def test_it_says_what_a_test_clip_shows():
    assert "✓ Right" in words(ANSWER, "run_fast")
    assert "✗ It shows wave." in words(ANSWER, "wave")
    refused = replace(ANSWER, label=NONE_OF_THESE)
    assert "✗ It shows run fast: the nearest class is the right one" in words(refused, "run_fast")
    assert "✓" not in words(ANSWER)


def test_the_film_stands_in_the_page():
    html = DRAWING.result(ANSWER, b"film")
    (video,) = [given for tag, given in Words(html).tags if tag == "video"]
    assert video["src"] == "data:video/webm;base64,ZmlsbQ=="
    assert "controls" in video
    assert "muted" in video
    assert "<video" not in DRAWING.result(ANSWER, None)


def test_a_timeline_is_as_wide_as_its_stretches_and_pressed_to_go_there():
    actions = (
        Action(0.0, 3.0, "wave", 0.9),
        Action(3.0, 4.5, NONE_OF_THESE, 0.4),
        Action(4.5, 12.0, "wave", 0.8),
    )
    html = DRAWING.result(replace(ANSWER, timeline=actions), b"film")
    buttons = [given for tag, given in Words(html).tags if tag == "button"]
    assert [b["data-seek"] for b in buttons] == ["0.0", "3.0", "4.5"]
    assert [b["style"] for b in buttons] == ["flex-grow:3.0", "flex-grow:1.5", "flex-grow:7.5"]
    assert [b["class"] for b in buttons] == ["tone0", "tonenone", "tone0"]
    assert buttons[1]["aria-label"].startswith("none of these, from 3.0 to 4.5 seconds")
    assert "data-seek" not in DRAWING.result(ANSWER, b"film")


def test_names_of_files_and_classes_are_text_and_no_html():
    evil = "<img src=x onerror=alert(1)>.avi"
    assert "<img src=x" not in DRAWING.error(evil, "no video")
    assert "<img src=x" not in DRAWING.result(replace(ANSWER, name=evil), None)
    assert (
        Words(DRAWING.error(evil, "no video.")).text.strip() == f"{evil} gets no answer: no video."
    )


def clips():
    return pd.DataFrame(
        {
            "clip_id": ["run_fast/a.avi", "wave/b.avi"],
            "label": ["run_fast", "wave"],
            "predicted": ["run_fast", "run_fast"],
            "p_predicted": [0.8, 0.7],
            "outcome": ["right", "wrong"],
            "who": ["both", "only motion"],
        }
    )


def test_a_card_a_clip_says_what_was_right():
    found = Gallery(clips(), DRAWING.streams, {}, FUSION)
    shown = with_pictures(clips(), lambda clip: f"data:image/jpeg;base64,{clip}")
    html = DRAWING.gallery(shown, clips(), found)
    buttons = [given for tag, given in Words(html).tags if tag == "button"]
    assert [(b["data-clip"], b["class"]) for b in buttons] == [
        ("run_fast/a.avi", "right"),
        ("wave/b.avi", "wrong"),
    ]
    said = Words(html).text.replace("\u202f", " ")
    assert "2 of 2 test clips; the fusion is right on 1 of them (50 %)" in said
    assert "✗ run fast 70 %" in said
    assert "shows wave" in said
    assert "only motion right alone" in said
    assert html.count("data:image/jpeg;base64,") == 2


def test_no_clip_and_no_picture_are_said():
    found = Gallery(clips(), DRAWING.streams, {}, FUSION)
    none = clips().head(0)
    html = DRAWING.gallery(with_pictures(none, lambda clip: None), none, found)
    assert "0 of 2 test clips" in Words(html).text
    assert "No test clip is like this." in html
    assert "no picture" in DRAWING.examples(with_pictures(clips(), lambda clip: None))


@pytest.mark.parametrize("ground", [(255, 255, 255), (11, 15, 25)])
def test_soft_text_is_legible_by_day_and_by_night(ground):
    """At least 4.5 : 1, as WCAG asks for."""
    by_day, by_night = re.findall(r"--soft: #([0-9a-f]{6})", styles())
    colour = by_day if ground[0] > 128 else by_night
    lights = [luminance(int(colour[i : i + 2], 16) for i in (0, 2, 4)), luminance(ground)]
    assert (max(lights) + 0.05) / (min(lights) + 0.05) >= 4.5


def luminance(colour):
    shares = [c / 255 for c in colour]
    linear = [s / 12.92 if s <= 0.03928 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def words(answer, truth=None):
    return Words(DRAWING.result(answer, None, truth)).text.replace("\u202f", " ")
