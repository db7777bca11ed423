"""How long will it take, and how much room? Measured on a few of the user's own clips."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, get_args

import cv2
import numpy as np
from joblib import cpu_count

from hmdb_kedro.errors import UserError
from hmdb_kedro.extraction.limits import within
from hmdb_kedro.params import DisPreset, FlowAlgorithm, FlowParams, FramesParams
from hmdb_kedro.video.clips import ClipFile
from hmdb_kedro.video.decode import UnreadableClipError, probe_clip, read_frames
from hmdb_kedro.video.encoding import encode_flow, encode_frame
from hmdb_kedro.video.flow import flow_fields, make_estimator, shrink, small_greys

# The pairs a clip that flow is timed on: TV-L1 takes a second for each.
_PAIRS, _FEW_PAIRS = 40, {"tvl1": 4}
# Of a long clip, frames and flow are tried in part: memory stays small.
_MOST_FRAMES = 200


@dataclass(frozen=True)
class Estimate:
    """What one step will take for the whole set.

    Attributes:
        step: `data_prep`, `frames` or a way to compute flow.
        ms_per_frame: On one core, decoding included.
        hours: On this machine, all workers busy.
        gigabytes: What will be stored (10⁹ bytes).
    """

    step: str
    ms_per_frame: float
    hours: float
    gigabytes: float


@dataclass(frozen=True)
class Work:
    """What there is to do.

    Attributes:
        n_clips: Clips in all.
        n_frames: Their frames, scaled by file size from the clips that were tried.
        tried: clip_ids of those.
        unreadable: clip_id → reason, of clips that could not be tried.
    """

    n_clips: int
    n_frames: int
    tried: tuple[str, ...]
    unreadable: dict[str, str]


@dataclass(frozen=True)
class _Cost:
    seconds: float
    n_bytes: int
    n_frames: int


def plan(
    clips: Sequence[ClipFile], frames: FramesParams, flow: FlowParams, n_tried: int
) -> tuple[Work, list[Estimate]]:
    """Time every step on a few clips, spread over the set, and scale to all of it.

    Raises:
        UserError: None of them can be read, or none is long enough for flow.
    """
    cv2.setNumThreads(1)
    chosen = [clips[i] for i in np.linspace(0, len(clips) - 1, n_tried).round().astype(int)]
    costs: dict[str, list[_Cost]] = {}
    sizes, unreadable = {}, {}
    for clip in dict.fromkeys(chosen):
        try:
            for step, cost in _try_clip(clip, frames, flow):
                costs.setdefault(step, []).append(cost)
            sizes[clip.clip_id] = clip.file.stat().st_size
        except UnreadableClipError as error:
            unreadable[clip.clip_id] = str(error)
    if not sizes:
        raise UserError(f"None of {len(unreadable)} clips can be read. Received: {unreadable}.")
    _check_pairs(costs, flow)
    read = sum(cost.n_frames for cost in costs["data_prep"])
    total = round(read * sum(clip.file.stat().st_size for clip in clips) / sum(sizes.values()))
    work = Work(len(clips), total, tuple(sizes), unreadable)
    n_jobs = cpu_count() if flow.n_jobs == -1 else flow.n_jobs
    return work, [_estimate(step, found, total, n_jobs) for step, found in costs.items()]


def _check_pairs(costs: dict[str, list[_Cost]], flow: FlowParams) -> None:
    if not all(any(cost.n_frames for cost in found) for found in costs.values()):
        longest = max(cost.n_frames for cost in costs["data_prep"])
        raise UserError(
            "`flow.stride` leaves no pair of frames in any clip that was tried. Received: "
            f"{flow.stride}, and at most {min(longest, _MOST_FRAMES)} frames of a clip. Choose a "
            "smaller stride."
        )


def _estimate(step: str, costs: list[_Cost], n_frames: int, n_jobs: int) -> Estimate:
    tried = sum(cost.n_frames for cost in costs)
    seconds = sum(cost.seconds for cost in costs) / tried
    stored = sum(cost.n_bytes for cost in costs) / tried
    return Estimate(
        step, 1e3 * seconds, seconds * n_frames / n_jobs / 3600, stored * n_frames / 1e9
    )


def _try_clip(
    clip: ClipFile, frames: FramesParams, flow: FlowParams
) -> Iterator[tuple[str, _Cost]]:
    start = time.perf_counter()
    probe = within(
        frames.clip_timeout_s,
        lambda: probe_clip(clip.file, min_frames=2, min_decoded_share=0.0),
    )
    if probe.reason:
        raise UnreadableClipError(probe.reason)
    yield "data_prep", _Cost(time.perf_counter() - start, 0, probe.n_frames)
    pictures: list[np.ndarray] = []
    decoding = _timed(
        lambda: pictures.extend(islice(read_frames(clip.file), _MOST_FRAMES)),
        lambda: len(pictures),
    )
    yield "frames", _added(decoding, _encode_frames(pictures, frames))
    greys: list[np.ndarray] = []
    shrinking = _timed(
        lambda: greys.extend(small_greys(pictures, flow.short_side)), lambda: len(greys)
    )
    for step, params in _ways_to_compute(flow):
        if params.algorithm == "tvl1" and not hasattr(cv2, "optflow"):
            continue
        estimating = _compute_flow(greys, params, _FEW_PAIRS.get(params.algorithm, _PAIRS))
        yield step, _added(_added(decoding, shrinking), estimating)


def _ways_to_compute(flow: FlowParams) -> Iterator[tuple[str, FlowParams]]:
    """Yield every algorithm, quick ones first, DIS in each of its presets."""
    for preset in get_args(DisPreset):
        changed = {"algorithm": "dis", "dis_preset": preset}
        yield f"flow: dis {preset}", flow.model_copy(update=changed)
    for algorithm in get_args(FlowAlgorithm):
        if algorithm != "dis":
            yield f"flow: {algorithm}", flow.model_copy(update={"algorithm": algorithm})


def _encode_frames(pictures: list[np.ndarray], params: FramesParams) -> _Cost:
    stored: list[bytes] = []
    kept = pictures[:: params.stride]
    return _timed(
        lambda: stored.extend(
            encode_frame(shrink(picture, params.short_side), params.quality) for picture in kept
        ),
        lambda: len(pictures),
        stored,
    )


def _compute_flow(greys: list[np.ndarray], params: FlowParams, n_pairs: int) -> _Cost:
    stored: list[bytes] = []
    make_estimator(params)(greys[0], greys[1])  # the first call allocates
    few = greys[: n_pairs + params.stride]
    return _timed(
        lambda: stored.extend(
            encode_flow(field, params.bound_px, params.quality)
            for field in flow_fields(few, params)
        ),
        lambda: len(stored),
        stored,
    )


def _timed(
    action: Callable[[], Any], n_frames: Callable[[], int], stored: Sequence[bytes] = ()
) -> _Cost:
    start = time.perf_counter()
    action()
    return _Cost(time.perf_counter() - start, sum(map(len, stored)), n_frames())


def _added(first: _Cost, second: _Cost) -> _Cost:
    """Return the second step's cost with the first one's, of as many frames."""
    share = second.n_frames / first.n_frames
    return _Cost(first.seconds * share + second.seconds, second.n_bytes, second.n_frames)
