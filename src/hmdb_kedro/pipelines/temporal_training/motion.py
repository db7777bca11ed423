"""What the evaluation asks of the flow, measured here so that it needs no pictures itself."""

import pandas as pd

from hmdb_kedro.training.streams import clips_of
from hmdb_kedro.video.motion import mean_motion
from hmdb_kedro.video.tables import ClipTable

COLUMNS = ["clip_id", "motion_px", "shared_motion_px"]


def measure_motion(clip_index: pd.DataFrame, flow: ClipTable) -> pd.DataFrame:
    """Return how much each test clip moves.

    Returns:
        clip_id, motion_px and shared_motion_px: see `mean_motion`.
    """
    test = clips_of({"test"}, clip_index, flow)["clip_id"]
    rows = [{"clip_id": clip_id, **mean_motion(flow, clip_id)} for clip_id in test]
    return pd.DataFrame(rows, columns=COLUMNS)
