"""The clips that benchmarks work on: drawn ones, or a folder of one's own."""

import os
from pathlib import Path

import pandas as pd

from hmdb_kedro.sample import RenderedVideos
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import probe_clip

N_DRAWN = 48


def some_clips(folder: Path) -> ClipFolder:
    """Return the class folders that BENCH_CLIPS names, or draw the sample set."""
    given = os.environ.get("BENCH_CLIPS")
    return ClipFolder(Path(given)) if given else RenderedVideos(path=str(folder / "videos")).load()


def index_of(clips: ClipFolder, n_clips: int = N_DRAWN) -> pd.DataFrame:
    """Return the columns of the clip index that extraction reads, for evenly spread clips."""
    found = list(clips.values())
    rows = []
    for clip in found[:: max(1, len(found) // n_clips)][:n_clips]:
        probe = probe_clip(clip.file, 2, 0.9)
        if probe.status == "ok":
            rows.append(
                {
                    "clip_id": clip.clip_id,
                    "label": clip.label,
                    "path": clip.path,
                    "content_hash": probe.content_hash,
                    "n_frames": probe.n_frames,
                    "fps": probe.fps,
                    "status": "ok",
                }
            )
    return pd.DataFrame(rows)
