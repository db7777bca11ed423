import time

import pytest
from clips import moving_clip, write_clip
from params import make

from hmdb_kedro.errors import UserError
from hmdb_kedro.extraction import planning
from hmdb_kedro.extraction.planning import plan
from hmdb_kedro.video.clips import ClipFolder

FRAMES, FLOW = make("frames"), make("flow", short_side=48, n_jobs=2)


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        frames = moving_clip(1, 1, n_frames=6, height=64, width=80, seed=number)
        write_clip(tmp_path / "wave" / f"{number}.avi", frames)
    return tmp_path


@pytest.mark.slow
def test_every_step_is_timed_and_scaled_to_the_whole_set(folder):
    work, estimates = plan(list(ClipFolder(folder).values()), FRAMES, FLOW, 2)
    assert (work.n_clips, len(work.tried), work.unreadable) == (4, 2, {})
    assert work.n_frames == pytest.approx(24, abs=2)
    steps = {estimate.step: estimate for estimate in estimates}
    assert {"data_prep", "frames", "flow: farneback", "flow: tvl1"} < set(steps)
    assert all(estimate.ms_per_frame > 0 for estimate in estimates)
    assert steps["data_prep"].gigabytes == 0
    assert steps["frames"].gigabytes > steps["flow: dis fast"].gigabytes > 0
    assert steps["flow: tvl1"].hours > steps["flow: dis ultrafast"].hours
    for estimate in estimates:
        expected = estimate.ms_per_frame / 1e3 * work.n_frames / 2 / 3600
        assert estimate.hours == pytest.approx(expected)


@pytest.mark.slow
def test_a_long_clip_is_tried_in_part_and_counted_whole(folder, monkeypatch):
    monkeypatch.setattr("hmdb_kedro.extraction.planning._MOST_FRAMES", 3)
    work, _ = plan(list(ClipFolder(folder).values()), FRAMES, FLOW, 4)
    assert work.n_frames == 24


@pytest.mark.slow
def test_a_clip_that_cannot_be_tried_is_named(folder):
    (folder / "wave" / "0.avi").write_bytes(b"no video")
    work, _ = plan(list(ClipFolder(folder).values()), FRAMES, FLOW, 4)
    assert list(work.unreadable) == ["wave/0.avi"]
    assert len(work.tried) == 3


def test_no_readable_clip_is_the_users_to_mend(tmp_path):
    (tmp_path / "wave").mkdir()
    (tmp_path / "wave" / "a.avi").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"None of 1 clips can be read.*wave/a\.avi"):
        plan(list(ClipFolder(tmp_path).values()), FRAMES, FLOW, 3)


def test_a_stride_longer_than_every_clip_is_the_users_to_mend(folder):
    flow = FLOW.model_copy(update={"stride": 6})
    with pytest.raises(
        UserError, match=r"`flow\.stride`.*Received: 6, .* at most 6 frames of a clip"
    ):
        plan(list(ClipFolder(folder).values()), FRAMES, flow, 2)


def test_a_decoder_that_hangs_is_named(folder, monkeypatch):
    monkeypatch.setattr(planning, "probe_clip", lambda *_, **__: time.sleep(1))
    hasty = FRAMES.model_copy(update={"clip_timeout_s": 0.05})
    with pytest.raises(UserError, match=r"None of 2 clips can be read.*not done after 0\.05 s"):
        plan(list(ClipFolder(folder).values()), hasty, FLOW, 2)
