import hashlib
import os

import numpy as np
import pytest
from clips import moving_clip, write_clip

from hmdb_kedro.video.decode import Capture, UnreadableClipError, hash_file, probe_clip, read_frames


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.avi", moving_clip(2, 1, n_frames=12), fps=25.0)


def test_a_probe_counts_what_decodes(clip):
    probe = probe_clip(clip, min_frames=2, min_decoded_share=0.9)
    assert (probe.n_frames, probe.fps, probe.width, probe.height) == (12, 25.0, 128, 96)
    assert (probe.status, probe.reason) == ("ok", None)


def test_frames_come_in_order(clip):
    frames = list(read_frames(clip))
    assert len(frames) == 12
    for read, drawn in zip(frames, moving_clip(2, 1, n_frames=12), strict=True):
        assert np.abs(read.astype(int) - drawn).mean() < 4


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"no video at all\n" * 40, "no video that OpenCV")]
)
def test_what_is_no_video_is_unreadable_with_a_reason(tmp_path, content, reason):
    file = tmp_path / "clip.avi"
    file.write_bytes(content)
    probe = probe_clip(file, 2, 0.9)
    assert probe.status == "unreadable"
    assert reason in probe.reason
    with pytest.raises(UnreadableClipError, match=reason):
        next(read_frames(file))


def test_frames_that_nobody_asks_for_are_counted_alone(clip):
    expected = [frame.copy() for frame in read_frames(clip)]
    with Capture(clip) as capture:
        assert capture.expected(capture.fps) == len(expected)
        found = [None if f is None else f.copy() for f in capture.frames_of({0, 3})]
    assert [number for number, frame in enumerate(found) if frame is not None] == [0, 3]
    assert len(found) == len(expected)
    assert np.array_equal([found[0], found[3]], [expected[0], expected[3]])


def test_a_clip_that_lost_half_of_its_bytes_is_truncated(clip):
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    probe = probe_clip(clip, 2, 0.9)
    assert probe.status == "unreadable"
    assert probe.reason


def test_a_clip_of_one_frame_is_too_short(tmp_path):
    file = write_clip(tmp_path / "clip.avi", moving_clip(0, 0, n_frames=1))
    probe = probe_clip(file, 2, 0.9)
    assert (probe.status, probe.n_frames) == ("too_short", 1)
    assert "at least 2" in probe.reason


@pytest.mark.parametrize("name", ["a b (c) [d]+!#&,.avi", "Šíp_日本.avi", "100%d.avi", "x:y.avi"])
def test_odd_names_are_read(tmp_path, name):
    file = write_clip(tmp_path / "clip.avi", moving_clip(1, 0)).rename(tmp_path / name)
    assert probe_clip(file, 2, 0.9).status == "ok"


def test_real_clips_decode_to_the_last_frame(real_clips):
    clips = sorted((real_clips / "hmdb51" / "videos").rglob("*.avi"))
    counts = {clip.name: probe_clip(clip, 2, 0.9).n_frames for clip in clips}
    assert len(counts) == 6
    for clip in clips:
        with Capture(clip) as capture:
            assert capture.expected(capture.fps) == counts[clip.name] == capture.announced - 1
    # Its container announces 409.
    assert counts["April_09_brush_hair_u_nm_np1_ba_goo_0.avi"] == 408


def test_a_file_is_hashed_anew_when_its_time_changes(tmp_path):
    file = tmp_path / "clip.avi"
    for content, time_ns in ((b"first", 10**18), (b"other", 10**18 + 1000)):
        file.write_bytes(content)
        os.utime(file, ns=(time_ns, time_ns))
        assert hash_file(file) == hash_file(file) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["clip.txt", "clip.avi"])
def test_a_text_is_no_video(tmp_path, name):
    file = tmp_path / name
    file.write_text("all work and no play\n" * 200, encoding="utf-8")
    with pytest.raises(UnreadableClipError, match="no video"):
        next(read_frames(file))


def test_a_playlist_does_not_open_what_it_names(tmp_path):
    write_clip(tmp_path / "secret.avi", moving_clip(1, 0, n_frames=4))
    playlist = tmp_path / "clip.avi"
    playlist.write_text(f"ffconcat version 1.0\nfile '{tmp_path}/secret.avi'\n", encoding="utf-8")
    with pytest.raises(UnreadableClipError, match="no video"):
        next(read_frames(playlist))
