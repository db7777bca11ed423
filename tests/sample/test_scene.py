"""What is drawn: colours carry the appearance and nothing else, the ground the motion."""

from itertools import combinations, islice, pairwise

import cv2
import numpy as np
import pytest

from hmdb_kedro.sample.avi import encode_avi
from hmdb_kedro.sample.ground import KINDS, LUMA_RANGE, SIZE, draw_ground
from hmdb_kedro.sample.palette import GREY_BGR, tint_table
from hmdb_kedro.sample.scene import Source, draw_clip, draw_source
from hmdb_kedro.sample.truth import (
    APPEARANCES,
    FPS,
    HEIGHT,
    WIDTH,
    SampleClip,
    SampleSet,
    factors,
    true_scroll,
)

PLAN = SampleSet(seed=3, sources_per_class=2, clips_per_source=1, frames=16)
# One clip a motion, each from another appearance.
CLIPS = {
    label: next(clip for clip in PLAN.clips.values() if clip.label == label)
    for label in ("amber_up", "teal_down", "violet_sway")
}
SIDE = 48  # columns at either side that the figure never reaches


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    return {label: draw_source(clip.source_key) for label, clip in CLIPS.items()}


def _through_mjpg(frames: list[np.ndarray], folder) -> np.ndarray:
    file = folder / "clip.avi"
    file.write_bytes(encode_avi(frames, fps=FPS, quality=90))
    capture = cv2.VideoCapture(str(file))
    decoded = []
    while (read := capture.read())[0]:
        decoded.append(read[1])
    return np.stack(decoded)


def _grey(frames: np.ndarray) -> np.ndarray:
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames])


def _at_training_size(grey: np.ndarray) -> np.ndarray:
    return np.stack([cv2.resize(g, (171, 128), interpolation=cv2.INTER_AREA) for g in grey])


def _flow(grey: np.ndarray) -> np.ndarray:
    """Return DIS flow, (T - 1, H, W, 2)."""
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.stack([estimator.calc(a, b, None) for a, b in pairwise(grey)])


def _scroll_seen(grey: np.ndarray) -> np.ndarray:
    """Return the median flow at the sides of the picture, (T - 1, 2)."""
    flow = _flow(grey)[:, 12:-12]
    sides = np.concatenate([flow[:, :, 8:SIDE], flow[:, :, -SIDE:-8]], axis=2)
    return np.median(sides, axis=(1, 2))


@pytest.mark.parametrize("layer", ["ground", "figure"])
def test_every_tint_of_a_luma_has_that_luma_as_its_grey_value(layer):
    for appearance in APPEARANCES:
        table = tint_table(appearance, layer)
        colours = np.ascontiguousarray(table.T[None, 40:201])
        np.testing.assert_array_equal(
            cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[0], np.arange(40, 201)
        )
        np.testing.assert_allclose(GREY_BGR @ table[:, 40:201], np.arange(40, 201), atol=0.5)


def test_the_tints_differ_in_hue():
    # OpenCV's hues, in steps of two degrees.
    pixels = np.stack([tint_table(name, "ground")[:, 130] for name in APPEARANCES])[None]
    hues = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)[0, :, 0].astype(int)
    distances = [min(abs(a - b), 180 - abs(a - b)) for a, b in combinations(hues, 2)]
    assert min(distances) > 40


@pytest.mark.parametrize("label", CLIPS)
def test_the_palettes_are_equal_in_grey_and_flow_after_mjpg(label, sources, tmp_path):
    greys = {}
    for appearance in APPEARANCES:
        drawn = list(islice(draw_clip(CLIPS[label], sources[label], appearance), 4))
        assert np.min(drawn) > 0
        assert np.max(drawn) < 255
        greys[appearance] = _grey(_through_mjpg(drawn, tmp_path))
    for first, second in combinations(APPEARANCES, 2):
        difference = np.abs(greys[first].astype(int) - greys[second])
        assert difference.mean() < 0.1
        assert difference.max() <= 4
        flows = [_flow(_at_training_size(greys[name])) for name in (first, second)]
        assert np.abs(flows[0] - flows[1]).mean() < 0.01


@pytest.mark.parametrize("label", CLIPS)
def test_the_flow_of_the_ground_is_the_true_scroll(label, sources, tmp_path):
    clip = CLIPS[label]
    decoded = _through_mjpg(list(draw_clip(clip, sources[label])), tmp_path)
    assert decoded.shape == (clip.n_frames, HEIGHT, WIDTH, 3)
    np.testing.assert_allclose(_scroll_seen(_grey(decoded)), true_scroll(clip), atol=0.15)


@pytest.mark.parametrize("label", CLIPS)
def test_a_mirrored_clip_shows_the_same_motion(label, sources):
    clip = CLIPS[label]
    mirrored = _grey(np.stack(list(draw_clip(clip, sources[label])))[:, :, ::-1])
    seen = _scroll_seen(mirrored)
    np.testing.assert_allclose(seen, true_scroll(clip) * (-1, 1), atol=0.15)
    assert _motion(seen) == factors(label)[1]


def _motion(scroll: np.ndarray) -> str:
    if np.abs(scroll[:, 0]).mean() > np.abs(scroll[:, 1]).mean():
        return "sway"
    return "down" if scroll[:, 1].mean() > 0 else "up"


def test_the_figure_walks_in_the_middle_while_the_ground_scrolls(sources):
    clip, source = CLIPS["amber_up"], sources["amber_up"]
    still = Source(np.full_like(source.ground, 140), source.light, source.stride, source.place)
    frames = _grey(np.stack(list(draw_clip(clip, still)))).astype(int)
    changed = np.abs(np.diff(frames, axis=0)).max(axis=0)
    assert changed[:, WIDTH // 3 : -WIDTH // 3].max() > 40
    assert changed[:, :SIDE].max() == 0
    assert changed[:, -SIDE:].max() == 0


def test_clips_of_a_source_differ_and_repeat_exactly(sources):
    plan = SampleSet(seed=3, sources_per_class=2, clips_per_source=2, frames=16)
    clips = [clip for clip in plan.clips.values() if clip.label == "amber_up" and clip.source == 0]
    source = draw_source(clips[0].source_key)
    first, second = (_first_frame(clip, source) for clip in clips)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, _first_frame(clips[0], draw_source(clips[0].source_key)))


def _first_frame(clip: SampleClip, source: Source) -> np.ndarray:
    return next(draw_clip(clip, source))


@pytest.mark.parametrize("kind", KINDS)
def test_ground_has_no_seam_and_looks_the_same_everywhere(kind):
    ground = draw_ground(kind, np.random.default_rng(5)).astype(float)
    assert ground.shape == (SIZE, SIZE)
    assert ground.min() >= LUMA_RANGE[0]
    assert ground.max() <= LUMA_RANGE[1]
    for axis in (0, 1):
        steps = np.abs(np.diff(ground, axis=axis, append=ground.take([0], axis))).mean(1 - axis)
        # Across the border as from any line to its neighbour.
        assert steps[-1] <= 1.05 * steps[:-1].max()
    quarters = ground.reshape(2, SIZE // 2, 2, SIZE // 2).mean(axis=(1, 3))
    assert np.ptp(quarters) < 16
