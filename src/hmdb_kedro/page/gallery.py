"""The test clips of a run with what was said of them: stored tables, nothing is computed anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.evaluation.fusion import FusionRule
from hmdb_kedro.evaluation.scores import aligned, class_names
from hmdb_kedro.inference import Prediction, StreamAnswer
from hmdb_kedro.inference.recogniser import TOP_K
from hmdb_kedro.inference.results import accepted_label, most_probable
from hmdb_kedro.params import FUSED

RIGHT, WRONG = "right", "wrong"
# What HMDB51's file names say, in words.
FIELDS = {
    "camera_motion": "Camera",
    "viewpoint": "Seen from",
    "visible_body": "Visible body",
    "num_people": "People",
    "quality": "Quality",
}
_DESCRIBED = ["clip_id", "path", "duration_s", *FIELDS]


@dataclass(frozen=True)
class Gallery:
    """Test clips that all streams have a score of.

    Attributes:
        clips: One row a clip, the one that the fusion finds hardest first: clip_id, path, label,
            duration_s, the fields of HMDB51's names, predicted, p_predicted, p_label, outcome
            (right or wrong), who (the streams that are right, in words).
        streams: The titles of the streams, by name.
        scores: Of the streams and of the fusion, indexed by clip_id: a column a class.
        fusion: As `two_stream.fusion` is stored.
    """

    clips: pd.DataFrame
    streams: Mapping[str, str]
    scores: Mapping[str, pd.DataFrame]
    fusion: Mapping[str, Any]

    def choices(self, column: str) -> list[str]:
        """Return the values of a column that clips have, sorted; none where all have the same."""
        values = sorted(self.clips[column].dropna().astype(str).unique())
        return values if len(values) > 1 else []

    def chosen(self, wanted: Mapping[str, str | None]) -> pd.DataFrame:
        """Return the clips that have all values asked for.

        Args:
            wanted: A value by column; None stands for any.
        """
        is_chosen = np.ones(len(self.clips), bool)
        for column, value in wanted.items():
            if value is not None:
                is_chosen &= (self.clips[column].astype(str) == value).to_numpy()
        return self.clips[is_chosen]

    def clip(self, clip_id: str) -> "pd.Series[Any]":
        """Return the row of a clip.

        Raises:
            KeyError: It is no clip of the gallery.
        """
        found: pd.Series[Any] = self.clips.set_index("clip_id", drop=False).loc[clip_id]
        return found

    def answer(self, clip_id: str) -> Prediction:
        """Return the stored answer of a clip, as the recogniser would give it.

        Raises:
            KeyError: It is no clip of the gallery.
        """
        row = self.clip(clip_id)
        classes = tuple(self.fusion["classes"])
        fused = self.scores[FUSED].loc[clip_id].to_numpy(np.float64)
        weights = FusionRule.from_json(self.fusion).weights
        alone = [
            (name, self.scores[name].loc[clip_id].to_numpy(np.float64)) for name in self.streams
        ]
        threshold = self.fusion.get("threshold")
        return Prediction(
            name=clip_id,
            label=accepted_label(classes, fused, threshold),
            probability=float(fused.max()),
            top=most_probable(classes, fused, TOP_K),
            threshold=threshold,
            streams=tuple(
                StreamAnswer(name, classes[p.argmax()], float(p.max()), weight, tuple(p.tolist()))
                for (name, p), weight in zip(alone, weights, strict=True)
            ),
            probabilities=tuple(fused.tolist()),
            seconds=float(row["duration_s"]),
        )


def gather(
    clip_index: pd.DataFrame,
    scores: Mapping[str, pd.DataFrame],
    streams: Mapping[str, str],
    fusion: Mapping[str, Any],
) -> Gallery:
    """Put together what is known of each test clip.

    Args:
        clip_index: One row a clip.
        scores: Stored scores of the streams, and of the fusion as `two_stream`.
        streams: The titles of the fusion's streams, in its order.
        fusion: As `two_stream.fusion` is stored.

    Raises:
        UserError: The tables do not belong together.
    """
    same = aligned({name: scores[name] for name in (*streams, FUSED)})
    tests = {
        name: table[table["partition"] == "test"].reset_index(drop=True)
        for name, table in same.items()
    }
    judged = _judged(tests, streams)
    clips = judged.merge(clip_index[_DESCRIBED], on="clip_id", how="left")
    clips = clips.sort_values(["p_label", "clip_id"], ignore_index=True)
    by_clip = {
        name: table.set_index("clip_id")[class_names(table)] for name, table in tests.items()
    }
    return Gallery(clips, streams, by_clip, fusion)


def stream_titles(preprocessing: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what streams are called on the page: after what they look at.

    Args:
        preprocessing: Of each stream, as the model's sidecar has it.
    """
    plain = {name: _looks_at(how["sampler"]) for name, how in preprocessing.items()}
    shared = {title for title in plain.values() if list(plain.values()).count(title) > 1}
    return {
        name: f"{title} ({name})" if title in shared else title for name, title in plain.items()
    }


def _looks_at(sampler: Mapping[str, Any]) -> str:
    if sampler["modality"] == "flow":
        return "Motion"
    return "Single frames" if sampler["window"] == 1 else "Frames in a row"


def _judged(tests: Mapping[str, pd.DataFrame], streams: Mapping[str, str]) -> pd.DataFrame:
    """Return clip_id, label, and what fusion and streams make of each clip."""
    fused = tests[FUSED]
    values = fused[class_names(fused)]
    best = values.idxmax(axis=1)
    hits = {name: _best(tests[name]) == fused["label"] for name in streams}
    columns = values.columns.get_indexer(fused["label"])
    return pd.DataFrame(
        {
            "clip_id": fused["clip_id"],
            "label": fused["label"],
            "predicted": best,
            "p_predicted": values.max(axis=1),
            "p_label": values.to_numpy()[np.arange(len(values)), columns],
            "outcome": np.where(best == fused["label"], RIGHT, WRONG),
            "who": [
                _who([streams[name] for name in streams if hits[name][row]], len(streams))
                for row in range(len(fused))
            ],
        }
    )


def _best(scores: pd.DataFrame) -> "pd.Series[str]":
    best: pd.Series[str] = scores[class_names(scores)].idxmax(axis=1)
    return best


def _who(right: list[str], n_streams: int) -> str:
    """Say which streams are right."""
    if not right:
        return "neither" if n_streams == 2 else "none"
    if len(right) == n_streams:
        return "both" if n_streams == 2 else "all"
    return "only " + " and ".join(title.lower() for title in right)
