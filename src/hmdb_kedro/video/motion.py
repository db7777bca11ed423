"""How much a clip moves, told from a few of its flow fields."""

import numpy as np

from hmdb_kedro.video.sampling import segment_position
from hmdb_kedro.video.tables import ClipTable

_FIELDS = 8
# Every fourth pixel tells the same, in a sixteenth of the time.
_PIXEL_STEP = 4


def mean_motion(flow: ClipTable, clip_id: str) -> dict[str, float]:
    """Return how long a clip's vectors are, from eight fields evenly spread over it.

    Returns:
        motion_px, the mean length of all vectors, and shared_motion_px, that of each field's
        median vector, which is mostly the camera's: pixels a pair, at the stored size.
    """
    n_fields = flow.shape(clip_id)[0]
    n_taken = min(_FIELDS, n_fields)
    indices = [int(segment_position(number, n_taken) * n_fields) for number in range(n_taken)]
    fields = flow.take(clip_id, indices)[:, ::_PIXEL_STEP, ::_PIXEL_STEP]
    shared = np.median(fields, axis=(1, 2))
    return {
        "motion_px": float(np.linalg.norm(fields, axis=-1).mean()),
        "shared_motion_px": float(np.linalg.norm(shared, axis=-1).mean()),
    }
