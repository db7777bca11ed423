"""Pictures that are made on demand: the same as those a table holds."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from clips import index_of, moving_clip, write_clip
from params import make

from hmdb_kedro.extraction.rows import ClipTask, flow_row, frames_row
from hmdb_kedro.params import FlowSettings, FramesSettings
from hmdb_kedro.video import live
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import UnreadableClipError, read_frames
from hmdb_kedro.video.encoding import decode_flow, decode_frame

FRAMES = {"short_side": 64, "stride": 2, "quality": 90}
FLOW = {
    "algorithm": "dis",
    "dis_preset": "fast",
    "short_side": 48,
    "stride": 2,
    "gamma": "auto",
    "bound_px": 8.0,
    "quality": 95,
}


@pytest.fixture
def task(tmp_path):
    file = write_clip(tmp_path / "wave" / "a.avi", moving_clip(2, 1, n_frames=12) // 2)
    (row,) = index_of(ClipFolder(tmp_path)).itertuples()
    return ClipTask(row.clip_id, file, row.content_hash, row.n_frames, row.fps)


def held(task, *settings):
    pictures = live.hold_clip(read_frames(task.file, reuse=True), settings)
    return [pictures[how] for how in settings]


@pytest.mark.parametrize(
    ("native_bytes", "raw_bytes"), [(live._NATIVE_BYTES, live._RAW_BYTES), (0, 10**9), (0, 0)]
)
def test_frames_are_those_that_extraction_stores(task, monkeypatch, native_bytes, raw_bytes):
    monkeypatch.setattr(live, "_NATIVE_BYTES", native_bytes)
    monkeypatch.setattr(live, "_RAW_BYTES", raw_bytes)
    stored = frames_row(task, make("frames", **FRAMES))
    (frames,) = held(task, FramesSettings(**FRAMES))
    assert frames.shape("any") == (stored["n_pictures"], stored["height"], stored["width"])
    for reduce in (1, 2):
        expected = [decode_frame(stored["frames"][i], reduce) for i in (5, 0, 5)]
        assert np.array_equal(frames.take("any", [5, 0, 5], reduce), expected)


@pytest.mark.parametrize("native_bytes", [live._NATIVE_BYTES, 0])
@pytest.mark.parametrize("gamma", ["auto", None])
def test_flow_is_what_extraction_stores(task, monkeypatch, native_bytes, gamma):
    monkeypatch.setattr(live, "_NATIVE_BYTES", native_bytes)
    stored = flow_row(task, make("flow", **FLOW | {"gamma": gamma}))
    (flow,) = held(task, FlowSettings(**FLOW | {"gamma": gamma}))
    assert (stored["gamma"] > 1) == (gamma == "auto")
    assert flow.shape("any") == (stored["n_pictures"], stored["height"], stored["width"])
    expected = [decode_flow(encoded, FLOW["bound_px"]) for encoded in stored["flow"]]
    assert np.array_equal(flow.take("any", range(len(expected))), expected)


def test_what_is_begun_while_the_clip_is_read_is_the_same(task):
    rgb, motion = FramesSettings(**FRAMES), FlowSettings(**FLOW | {"gamma": None})
    frames, flow = held(task, rgb, motion)
    kept = {rgb: {1, 4}, motion: {0, 1, 5, 6}}
    likely = {rgb: {4}, motion: {0, 5, 6}}
    with ThreadPoolExecutor(1) as beside:
        plan = live.Plan(kept, likely, beside)
        begun = live.hold_clip(read_frames(task.file, reuse=True), [rgb, motion], plan)
        for how, expected in ((rgb, frames), (motion, flow)):
            indices = sorted(kept[how])
            assert begun[how].shape("any") == expected.shape("any")
            assert np.array_equal(begun[how].take("any", indices), expected.take("any", indices))
    with pytest.raises(IndexError, match="Frame 2 was not asked for"):
        begun[rgb].take("any", [2])


def test_a_fault_in_the_other_thread_is_raised_where_the_field_is_taken(task, monkeypatch):
    def fails(*_):
        raise MemoryError

    motion = FlowSettings(**FLOW | {"gamma": None})
    monkeypatch.setattr(live, "encode_flow", fails)
    with ThreadPoolExecutor(1) as beside:
        plan = live.Plan(likely={motion: {0}}, beside=beside)
        begun = live.hold_clip(read_frames(task.file), [motion], plan)
        with pytest.raises(MemoryError):
            begun[motion].take("any", [0])


def test_pictures_know_their_frames():
    assert live.frames_behind(FramesSettings(**FRAMES), {0, 3}) == {0, 6}
    assert live.frames_behind(FlowSettings(**FLOW), {0, 3}) == {0, 2, 3, 5}


def test_threads_take_the_same_flow(task):
    (flow,) = held(task, FlowSettings(**FLOW))
    n_fields, _, _ = flow.shape("any")
    alone = flow.take("any", range(n_fields))
    with ThreadPoolExecutor(4) as threads:
        taken = threads.map(lambda _: flow.take("any", range(n_fields)), range(40))
        assert all(np.array_equal(fields, alone) for fields in taken)


def test_settings_of_a_model_are_read_as_they_were_stored():
    params = make("flow", **FLOW)
    stored = json.loads(json.dumps(params.settings()))
    assert FlowSettings(**stored).model_dump() == params.settings()


def test_a_section_counts_from_its_own_beginning(task):
    (frames,) = held(task, FramesSettings(**FRAMES))
    section = live.Section(frames, 2, 5)
    assert section.shape("any")[0] == 3
    assert np.array_equal(section.take("any", [0, 2]), frames.take("any", [2, 4]))


def test_too_few_frames_and_other_sizes_are_refused():
    settings = [FramesSettings(**FRAMES), FlowSettings(**FLOW)]
    black = np.zeros((96, 128, 3), np.uint8)
    with pytest.raises(UnreadableClipError, match="2 frame"):
        live.hold_clip([black, black], settings)
    with pytest.raises(UnreadableClipError, match="no frame decodes"):
        live.hold_clip([], settings)
    with pytest.raises(UnreadableClipError, match="size changes"):
        live.hold_clip([black, black[:, :64]], settings)


def test_a_clip_that_does_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr(live, "_NATIVE_BYTES", 0)
    monkeypatch.setattr(live, "_RAW_BYTES", 0)
    monkeypatch.setattr(live, "_MOST_BYTES", 1000)
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    with pytest.raises(UnreadableClipError, match="cut it"):
        live.hold_clip([noise] * 9, [FramesSettings(**FRAMES)])
