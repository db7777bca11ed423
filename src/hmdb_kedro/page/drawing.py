"""Answers and clips as HTML."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from hmdb_kedro.inference import Prediction, StreamAnswer
from hmdb_kedro.inference.results import NONE_OF_THESE, most_probable
from hmdb_kedro.page.gallery import RIGHT, Gallery
from hmdb_kedro.reporting.page import count, number, share, short
from hmdb_kedro.reporting.sheets import colour_wheel, data_uri

_CLASSES_SHOWN = 4
# Colours of a timeline; from the seventh label on they come again.
_TONES = 6

# From a clip's name to its picture as a page holds it.
Picture = Callable[[str], str | None]


@dataclass(frozen=True)
class Drawing:
    """Draws the parts of the page.

    Attributes:
        streams: Titles of the streams, by name.
        tones: `rgb` or `flow`, by stream.
        fusion: As `two_stream.fusion` is stored.
    """

    streams: Mapping[str, str]
    tones: Mapping[str, str]
    fusion: Mapping[str, Any]

    def start(self) -> str:
        """Return what stands where a result will."""
        return _part("start")

    def hint(self) -> str:
        """Return what stands where an opened clip will."""
        return _part("hint")

    def error(self, name: str, reason: str) -> str:
        """Say why a file gets no answer."""
        return _part("error", name, reason.rstrip("."))

    def result(self, answer: Prediction, film: bytes | None, truth: str | None = None) -> str:
        """Show an answer.

        Args:
            answer: What the recogniser says.
            film: WebM: the clip beside its flow; None where the video is gone.
            truth: The class it has, where that is known.
        """
        fused = {
            "top": answer.top[:_CLASSES_SHOWN],
            "rule": _plain(self.fusion["name"]),
            "tones": _tones_in_time(answer),
        }
        shown = [self._stream(found) for found in answer.streams]
        verdict = None if truth is None else _verdict(answer, truth)
        return _part("result", answer, _film_uri(film), shown, fused, self._wheel, verdict)

    def gallery(self, shown: pd.DataFrame, chosen: pd.DataFrame, gallery: Gallery) -> str:
        """Show clips of the gallery.

        Args:
            shown: The rows that get a card, with a `picture`.
            chosen: All that the filters choose.
            gallery: All there is.
        """
        return _part("gallery", _cards(shown), _tally(chosen), _tally(gallery.clips))

    def examples(self, shown: pd.DataFrame) -> str:
        """Show clips to pick from: rows of a gallery with a `picture`."""
        return _part("examples", _cards(shown))

    def _stream(self, found: StreamAnswer) -> dict[str, Any]:
        classes = tuple(self.fusion["classes"])
        probabilities = np.array(found.probabilities)
        return {
            "name": found.stream,
            "title": self.streams[found.stream],
            "tone": self.tones[found.stream],
            "weight": found.weight,
            "top": most_probable(classes, probabilities, _CLASSES_SHOWN),
        }

    @cached_property
    def _wheel(self) -> str:
        return data_uri(colour_wheel(1.0).picture)


def with_pictures(clips: pd.DataFrame, picture: Picture) -> pd.DataFrame:
    """Return rows of a gallery with their `picture`; None without one."""
    return clips.assign(picture=[picture(clip_id) for clip_id in clips["clip_id"]])


def styles() -> str:
    """Return the page's style sheet."""
    return (files("hmdb_kedro.page") / "templates/page.css").read_text(encoding="utf-8")


def _verdict(answer: Prediction, truth: str) -> dict[str, Any]:
    """Say how an answer stands to the truth; one that is refused may have been right."""
    return {
        "truth": truth,
        "is_right": answer.label == truth,
        "is_nearest": answer.top[0][0] == truth,
    }


def _cards(clips: pd.DataFrame) -> list[dict[str, Any]]:
    cards: list[dict[str, Any]] = clips.astype(object).to_dict("records")
    return cards


def _tally(clips: pd.DataFrame) -> dict[str, int]:
    return {"n": len(clips), "right": int((clips["outcome"] == RIGHT).sum())}


def _tones_in_time(answer: Prediction) -> dict[str, str]:
    """Give each label of a timeline its colour, in the order in which they come."""
    labels = dict.fromkeys(
        action.label for action in answer.timeline if action.label != NONE_OF_THESE
    )
    return {NONE_OF_THESE: "none"} | {label: str(i % _TONES) for i, label in enumerate(labels)}


def _film_uri(film: bytes | None) -> str | None:
    return None if film is None else f"data:video/webm;base64,{base64.b64encode(film).decode()}"


def _plain(label: str) -> str:
    return label.replace("_", " ")


def _part(name: str, *given: Any) -> str:
    return str(getattr(_parts(), name)(*given))


@cache
def _parts() -> Any:
    environment = Environment(
        loader=PackageLoader("hmdb_kedro.page", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": _plain, "share": share, "number": number}
    environment.filters |= {"short": short, "count": count}
    return environment.get_template("parts.html.j2").module
