"""How good the stored flow is: what storing costs in pixels, what was clipped, what it weighs."""

from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.video.tables import ClipTable


def measure_flow_quality(flow: ClipTable, clip_index: pd.DataFrame) -> dict[str, Any]:
    """Sum up what every row says of its own quality; no video is read, no picture decoded.

    Returns:
        clips, rejected, pairs, clipped_share (of all stored values), error_px (mean end-point error
        of stored vectors against those computed, in pixels at the stored size, clipping included),
        bytes_per_clip and bytes_per_pair, over all and `by_class`; and worst, the five clips of
        the largest error (clip_id → px). A figure without a clip to stand on is None.
    """
    usable = clip_index.loc[clip_index["status"] == "ok", ["clip_id", "label"]]
    rows = flow.info().merge(usable, on="clip_id")
    return {
        **_sums(rows),
        "worst": rows.set_index("clip_id")["error_px"].dropna().nlargest(5).round(4).to_dict(),
        "by_class": {str(label): _sums(clips) for label, clips in rows.groupby("label")},
    }


def _sums(rows: pd.DataFrame) -> dict[str, Any]:
    stored = rows.loc[rows["status"] == "ok"]
    counts = {"clips": len(stored), "rejected": len(rows) - len(stored)}
    names = ("clipped_share", "error_px", "bytes_per_clip", "bytes_per_pair")
    if stored.empty:
        return counts | {"pairs": 0} | dict.fromkeys(names)
    pairs, size = int(stored["n_pictures"].sum()), int(stored["n_bytes"].sum())
    values = stored["n_pictures"].astype("float64") * stored["height"] * stored["width"]
    return counts | {
        "pairs": pairs,
        "clipped_share": round(float(np.average(stored["clipped_share"], weights=values)), 6),
        "error_px": round(float(np.average(stored["error_px"], weights=values)), 4),
        "bytes_per_clip": round(size / len(stored)),
        "bytes_per_pair": round(size / pairs),
    }
