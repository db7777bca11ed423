"""The pictures of the documentation, drawn as the sample set is."""

from itertools import islice

import cv2
import numpy as np

from hmdb_kedro.reporting.sheets import flow_colours
from hmdb_kedro.sample.scene import draw_clip, draw_source
from hmdb_kedro.sample.truth import LABELS, SampleSet
from hmdb_kedro.video.encoding import encode_frame

_CLASSES_A_ROW = 3
_SHOWN = (200, 150)
_GAP_PX = 10
_MOST_PX = 2.8  # the fastest scroll of the sample set, a frame
_QUALITY = 88


def files() -> dict[str, bytes]:
    """Return the pictures by where they stand."""
    return {"assets/sample-classes.jpg": encode_frame(_classes(), _QUALITY)}


def _classes() -> np.ndarray:
    """Lay a frame and its flow of every class side by side: uint8 (H, W, 3), BGR."""
    clips = SampleSet().clips
    first = {clip.label: clip for clip in reversed(clips.values())}
    cells = [_cell(first[label]) for label in LABELS]
    rows = [np.hstack(cells[i : i + _CLASSES_A_ROW]) for i in range(0, len(cells), _CLASSES_A_ROW)]
    return np.vstack(rows)[:-_GAP_PX, :-_GAP_PX]


def _cell(clip) -> np.ndarray:
    before, after = islice(draw_clip(clip, draw_source(clip.source_key)), 2)
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in (before, after)]
    estimate = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = flow_colours(estimate.calc(*grey, None), _MOST_PX)
    pair = [before, cv2.cvtColor(flow, cv2.COLOR_RGB2BGR)]
    shown = np.hstack([cv2.resize(p, _SHOWN, interpolation=cv2.INTER_AREA) for p in pair])
    return cv2.copyMakeBorder(
        shown, 0, _GAP_PX, 0, _GAP_PX, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )
