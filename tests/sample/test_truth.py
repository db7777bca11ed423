"""The plan of the sample set: names, sources, splits and the true scroll."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmdb_kedro.errors import UserError
from hmdb_kedro.sample.truth import (
    APPEARANCES,
    LABELS,
    MOTIONS,
    SPEED_PX,
    SPLITS,
    SampleSet,
    factors,
    true_scroll,
)
from hmdb_kedro.video.names import parse_clip_name

FULL = SampleSet()
CLIPS = list(FULL.clips.values())


def test_nine_classes_are_all_pairs_of_appearance_and_motion():
    assert len(LABELS) == 9
    assert {factors(label) for label in LABELS} == {(a, m) for a in APPEARANCES for m in MOTIONS}


def test_a_foreign_label_is_refused():
    with pytest.raises(UserError, match=r"`label`.*Received: 'amber_left'"):
        factors("amber_left")


def test_the_full_set_holds_27_clips_of_9_sources_in_each_class():
    assert len(FULL.clips) == 243
    for label in LABELS:
        of_class = [clip for clip in CLIPS if clip.label == label]
        assert len(of_class) == 27
        assert len({clip.title for clip in of_class}) == 9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), sources=st.integers(2, 40))
def test_no_two_sources_share_a_title(seed: int, sources: int):
    plan = SampleSet(seed, sources_per_class=sources, clips_per_source=1)
    assert len({clip.title for clip in plan.clips.values()}) == 9 * sources


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_split_trains_on_five_sources_and_tests_on_the_other_four(seed: int):
    plan = SampleSet(seed)
    for label in LABELS:
        sides = []
        for split in SPLITS:
            parts: dict[int, set[int]] = {1: set(), 2: set()}
            for clip in plan.clips.values():
                if clip.label == label:
                    parts[plan.part(clip, split)].add(clip.source)
            assert (len(parts[1]), len(parts[2])) == (5, 4)
            assert not parts[1] & parts[2]
            sides.append(frozenset(parts[2]))
        assert len(set(sides)) == 3


@settings(max_examples=10, deadline=None)
@given(sources=st.integers(3, 30))
def test_the_three_splits_differ_for_any_number_of_sources(sources: int):
    plan = SampleSet(sources_per_class=sources, clips_per_source=1)
    lists = {tuple(plan.part(c, split) for c in plan.clips.values()) for split in SPLITS}
    assert len(lists) == 3


def test_names_read_as_hmdb51_names_whose_fields_are_true():
    for clip_id, clip in FULL.clips.items():
        name = parse_clip_name(clip_id)
        assert name.source_video == clip.title
        assert (name.visible_body, name.camera_motion, name.num_people) == ("full", "moving", 1)
        assert name.viewpoint == {"le": "left", "ri": "right"}[clip.facing]
        assert name.quality in {"medium", "good"}


def test_a_clip_does_not_depend_on_how_many_others_there_are():
    small = SampleSet(sources_per_class=3, clips_per_source=2)
    assert small.clips.items() <= FULL.clips.items()


def test_another_seed_gives_other_clips():
    other = SampleSet(seed=1)
    mean_speeds = [np.mean([c.speed_px for c in plan.clips.values()]) for plan in (FULL, other)]
    assert mean_speeds[0] != mean_speeds[1]
    assert len(other.clips.keys() & FULL.clips.keys()) < 27


def test_the_scene_goes_up_down_or_sideways_at_a_constant_speed():
    for clip in CLIPS:
        scroll = true_scroll(clip)
        dx, dy = scroll.T
        assert scroll.shape == (clip.n_frames - 1, 2)
        assert scroll.dtype == np.float32
        assert SPEED_PX[0] <= clip.speed_px <= SPEED_PX[1]
        np.testing.assert_allclose(np.hypot(dx, dy), clip.speed_px, rtol=1e-6)
        expected = {"up": (dy < 0) & (dx == 0), "down": (dy > 0) & (dx == 0), "sway": dy == 0}
        assert expected[factors(clip.label)[1]].all()


def test_a_swaying_scene_turns_in_every_clip_and_keeps_near_where_it_began():
    for clip in CLIPS:
        if factors(clip.label)[1] == "sway":
            x = true_scroll(clip)[:, 0].cumsum()
            assert len(np.unique(np.sign(np.diff(x)))) == 2
            assert np.ptp(x) <= clip.speed_px * clip.sway_frames * (1 + 1e-5)


def test_length_speed_and_facing_do_not_tell_the_class():
    many = SampleSet(sources_per_class=60).clips.values()
    facts = {
        label: [
            (clip.n_frames, clip.speed_px, clip.facing == "le")
            for clip in many
            if clip.label == label
        ]
        for label in LABELS
    }
    spread = np.ptp([np.mean(values, axis=0) for values in facts.values()], axis=0)
    # 180 clips a class: standard errors 0.19 frames, 0.026 px and 0.037; the range of nine means
    # lies within six of them.
    assert (spread < 6 * np.array([0.19, 0.026, 0.037])).all()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("seed", -1), ("sources_per_class", 1), ("clips_per_source", 0), ("frames", 7.5)],
)
def test_a_setting_out_of_range_is_named(setting: str, value: float):
    with pytest.raises(UserError, match=rf"`{setting}`.*Received: {value!r}"):
        SampleSet(**{setting: value})


def test_the_truth_imports_neither_kedro_nor_opencv():
    code = (
        "import sys, hmdb_kedro.sample.truth; "
        "sys.exit(any(name in sys.modules for name in ('kedro', 'cv2', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
