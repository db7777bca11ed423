"""The clips on which the fusion errs most."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from hmdb_kedro.evaluation.metrics import FLOOR
from hmdb_kedro.evaluation.scores import class_names, part, unstacked
from hmdb_kedro.params import FUSED
from hmdb_kedro.reporting.examples import four_pictures
from hmdb_kedro.reporting.sheets import Tile, contact_sheet, thumbnail_uri
from hmdb_kedro.reporting.style import empty_figure
from hmdb_kedro.video.tables import ClipTable

_CLIPS = 12
_NO_FRAMES = "No clip has frames here."
_TITLE = "The test clips the fusion finds hardest, four frames each"


def show_hardest_clips(
    frames: ClipTable | None, compared_scores: pd.DataFrame
) -> tuple[list[dict[str, Any]], go.Figure]:
    """Return the test clips of the highest log loss of the fused score, hardest first.

    Args:
        frames: RGB frames, None where there are none; clips without are passed over.
        compared_scores: Of all models.

    Returns:
        A row a clip (clip_id, label, predicted, p_label, p_predicted, log_loss in nats, and
        picture: four frames as a small JPEG), and the contact sheet of them.
    """
    if frames is None:
        return [], empty_figure(_TITLE, _NO_FRAMES)
    rows = _hardest(unstacked(compared_scores)[FUSED], set(frames.clip_ids))
    pictures = [four_pictures(frames, row["clip_id"]) for row in rows]
    tiles = [
        Tile(_title(row), _note(row), picture) for row, picture in zip(rows, pictures, strict=True)
    ]
    found = [
        row | {"picture": thumbnail_uri(picture)}
        for row, picture in zip(rows, pictures, strict=True)
    ]
    sheet = contact_sheet(tiles, _TITLE) if tiles else empty_figure(_TITLE, _NO_FRAMES)
    return found, sheet


def _hardest(scores: pd.DataFrame, held: set[str]) -> list[dict[str, Any]]:
    scores = scores[scores["clip_id"].isin(held)]
    probabilities, labels = part(scores, "test")
    clips = scores.loc[scores["partition"] == "test", "clip_id"].to_list()
    classes = class_names(scores)
    p_labels = probabilities[np.arange(len(labels)), labels]
    predicted = probabilities.argmax(axis=1)
    return [
        {
            "clip_id": clips[i],
            "label": classes[labels[i]],
            "predicted": classes[predicted[i]],
            "p_label": float(p_labels[i]),
            "p_predicted": float(probabilities[i].max()),
            "log_loss": float(-np.log(max(p_labels[i], FLOOR))),
        }
        for i in np.argsort(p_labels, kind="stable")[:_CLIPS]
    ]


def _title(row: dict[str, Any]) -> str:
    if row["label"] == row["predicted"]:
        return f"{row['label']}, and found so"
    return f"{row['label']}, taken for {row['predicted']}"


def _note(row: dict[str, Any]) -> str:
    return (
        f"{row['clip_id']}<br>{row['label']}: {row['p_label']:.1%}<br>"
        f"{row['predicted']}: {row['p_predicted']:.1%}<br>log loss {row['log_loss']:.2f} nats"
    )
