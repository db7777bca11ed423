"""Every flow algorithm against the true scroll of drawn scenes."""

from itertools import islice

import numpy as np
import pytest
from params import make

from hmdb_kedro.sample.scene import draw_clip, draw_source
from hmdb_kedro.sample.truth import HEIGHT, SampleClip, SampleSet, true_scroll
from hmdb_kedro.video.flow import flow_fields, small_greys

pytestmark = pytest.mark.slow
PLAN = SampleSet(seed=5, sources_per_class=2, clips_per_source=1, frames=16)
SHORT_SIDE = 128
# The figure stays out of the outer columns; at the very edge, what comes in has no past.
SIDE, EDGE = 25, 6


def background_error_px(clip: SampleClip, pairs: int, **settings) -> float:
    """Return the median end-point error beside the figure, in pixels at a short side of 128."""
    frames = islice(draw_clip(clip, draw_source(clip.source_key)), pairs + 1)
    params = make("flow", short_side=SHORT_SIDE, **settings)
    fields = np.stack(list(flow_fields(small_greys(frames, SHORT_SIDE), params)))
    truth = true_scroll(clip)[:pairs, None, None] * (SHORT_SIDE / HEIGHT)
    errors = np.linalg.norm(fields - truth, axis=-1)[:, EDGE:-EDGE]
    return float(np.median(np.concatenate([errors[..., EDGE:SIDE], errors[..., -SIDE:-EDGE]], 2)))


def clip_of(motion: str) -> SampleClip:
    return next(clip for clip in PLAN.clips.values() if clip.label.endswith(motion))


@pytest.mark.parametrize("motion", ["up", "down", "sway"])
@pytest.mark.parametrize(
    ("settings", "pairs", "most_px"),
    [
        ({"algorithm": "dis", "dis_preset": "ultrafast"}, 12, 0.5),
        ({"algorithm": "dis", "dis_preset": "fast"}, 12, 0.4),
        ({"algorithm": "dis", "dis_preset": "medium"}, 12, 0.12),
        ({"algorithm": "farneback"}, 12, 0.05),
        ({"algorithm": "tvl1"}, 2, 0.15),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_the_background_moves_as_it_was_drawn(motion, settings, pairs, most_px):
    assert background_error_px(clip_of(motion), pairs, **settings) < most_px
