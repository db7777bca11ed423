"""From one clip to one row of the `frames` or the `flow` table."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa

from hmdb_kedro.extraction.limits import TimedOutError, within
from hmdb_kedro.extraction.parallel import Row, table_schema
from hmdb_kedro.params import FlowParams, FramesParams, WorkParams
from hmdb_kedro.video.decode import UnreadableClipError, hash_file, read_frames
from hmdb_kedro.video.encoding import decode_flow, encode_flow, encode_frame
from hmdb_kedro.video.flow import brighten, flow_fields, shrink, small_greys
from hmdb_kedro.video.live import same_size

# Every so many flow fields, one is read back: a check of what was written, at 1 % of the time.
_CHECKED_EVERY = 10
# A file that could not be read (a drive that is away) is tried in the next run: none has this hash.
_TRY_AGAIN = None
_COMMON = [
    ("clip_id", pa.string()),
    ("content_hash", pa.string()),
    ("settings_hash", pa.string()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("n_pictures", pa.int32()),
    ("n_bytes", pa.int64()),
    ("status", pa.string()),
    ("reason", pa.string()),
    ("seconds", pa.float64()),
]
_FRAMES = [*_COMMON, ("fps", pa.float64()), ("frames", pa.list_(pa.binary()))]
_FLOW = [
    *_COMMON,
    ("algorithm", pa.string()),
    ("bound_px", pa.float64()),
    ("gamma", pa.float64()),
    ("clipped_share", pa.float64()),
    ("error_px", pa.float64()),
    ("flow", pa.list_(pa.binary())),
]


@dataclass(frozen=True)
class ClipTask:
    """A clip to extract: who it is, where it lies, what it must hold.

    Attributes:
        clip_id: `<label>/<file name>`.
        file: The video.
        content_hash: SHA-256 the index has seen; another one is a clip replaced meanwhile.
        n_frames: Frames the index has counted.
        fps: Frames a second.
    """

    clip_id: str
    file: Path
    content_hash: str
    n_frames: int
    fps: float


def frames_schema(params: FramesParams) -> pa.Schema:
    """Return the columns of the `frames` table, its settings in the metadata."""
    return table_schema(_FRAMES, params)


def flow_schema(params: FlowParams) -> pa.Schema:
    """Return the columns of the `flow` table, its settings in the metadata."""
    return table_schema(_FLOW, params)


def frames_row(task: ClipTask, params: FramesParams) -> Row:
    """Decode a clip and encode its frames; a clip that fails gives a row that says why."""
    row = {"settings_hash": params.settings_hash(), "fps": task.fps}
    return row | _guarded(task, partial(_frames_content, task, params), params)


def flow_row(task: ClipTask, params: FlowParams) -> Row:
    """Decode a clip and encode its flow; a clip that fails gives a row that says why."""
    row = {
        "settings_hash": params.settings_hash(),
        "algorithm": params.algorithm,
        "bound_px": params.bound_px,
    }
    return row | _guarded(task, partial(_flow_content, task, params), params)


def _guarded(task: ClipTask, content: Callable[[], Row], work: WorkParams) -> Row:
    start = time.perf_counter()
    row: Row = {"clip_id": task.clip_id, "content_hash": task.content_hash}
    row |= {"n_pictures": 0, "n_bytes": 0}
    try:
        row |= {**within(work.clip_timeout_s, content), "status": "ok", "reason": None}
    except TimedOutError as error:
        key = work.settings_hash_timed_out()
        row |= {"status": "unreadable", "reason": str(error), "settings_hash": key}
    except (UnreadableClipError, ValueError, cv2.error) as error:
        row |= {"status": "unreadable", "reason": str(error)}
    except OSError as error:
        row |= {"status": "unreadable", "reason": str(error), "content_hash": _TRY_AGAIN}
    return row | {"seconds": time.perf_counter() - start}


def _frames_content(task: ClipTask, params: FramesParams) -> Row:
    encoded: list[bytes] = []
    shape: tuple[int, int] | None = None
    for frame in islice(_checked_frames(task), 0, None, params.stride):
        picture = shrink(frame, params.short_side)
        shape = same_size(shape, picture)
        encoded.append(encode_frame(picture, params.quality))
    return {"frames": encoded, **_sizes(encoded, shape)}


def _flow_content(task: ClipTask, params: FlowParams) -> Row:
    gamma, greys = brighten(small_greys(_checked_frames(task), params.short_side), params.gamma)
    encoded: list[bytes] = []
    errors_px: list[float] = []
    clipped, shape = 0, None
    for field in flow_fields(greys, params):
        shape = same_size(shape, field)
        clipped += _count_clipped(field, params.bound_px, len(encoded))
        encoded.append(encode_flow(field, params.bound_px, params.quality))
        if len(encoded) % _CHECKED_EVERY == 1:
            errors_px.append(_error_px(encoded[-1], field, params.bound_px))
    if shape is None:
        raise UnreadableClipError(
            f"{task.n_frames} frame(s) are too few for a stride of {params.stride}"
        )
    n_values = 2 * shape[0] * shape[1] * len(encoded)
    quality = {"clipped_share": clipped / n_values, "error_px": float(np.mean(errors_px))}
    return {"flow": encoded, "gamma": gamma, **_sizes(encoded, shape), **quality}


def _count_clipped(field: np.ndarray, bound_px: float, pair: int) -> int:
    # The sum shows a NaN, the maximum does not; both are fast passes.
    if not math.isfinite(cv2.norm(field, cv2.NORM_L1)):
        raise UnreadableClipError(f"flow of pair {pair} is not finite")
    if cv2.norm(field, cv2.NORM_INF) <= bound_px:
        return 0
    return int(np.count_nonzero(np.abs(field) > bound_px))


def _error_px(encoded: bytes, field: np.ndarray, bound_px: float) -> float:
    """Read a field back as it was written; return how far its vectors are off in the mean."""
    errors = cv2.subtract(decode_flow(encoded, bound_px), field)
    return float(cv2.mean(cv2.magnitude(*cv2.split(errors)))[0])


def _sizes(encoded: list[bytes], shape: tuple[int, int] | None) -> Row:
    height, width = shape or (0, 0)
    return {
        "height": height,
        "width": width,
        "n_pictures": len(encoded),
        "n_bytes": sum(map(len, encoded)),
    }


def _checked_frames(task: ClipTask) -> Iterator[np.ndarray]:
    """Yield the frames, each until the next, and hold the clip to what the index saw."""
    _check_content(task)
    n_frames = 0
    for frame in read_frames(task.file, reuse=True):
        n_frames += 1
        yield frame
    # Again: a file written over meanwhile may hold as many frames. One that was not costs a look.
    _check_content(task)
    if n_frames != task.n_frames:
        raise UnreadableClipError(f"{n_frames} frames decode, the index counted {task.n_frames}")


def _check_content(task: ClipTask) -> None:
    if hash_file(task.file) != task.content_hash:
        raise UnreadableClipError("the file changed since data_prep; run data_prep again")
