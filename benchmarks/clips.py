"""The clips that benchmarks work on: drawn ones, or a folder of one's own."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml

from hmdb_kedro.params import DataPrepParams, FlowParams, FramesParams
from hmdb_kedro.pipelines.data_prep.nodes import list_clips, scan_clips
from hmdb_kedro.sample import RenderedVideos
from hmdb_kedro.video.clips import ClipFolder

CONF = Path(__file__).parents[1] / "conf" / "base"
N_FEW, N_MANY = 48, 240


def base_params(branch: str, **changes: Any) -> Any:
    """Return a branch of conf/base as its typed model, with changes."""
    model = {"frames": FramesParams, "flow": FlowParams, "data_prep": DataPrepParams}[branch]
    values = yaml.safe_load((CONF / f"parameters_{branch}.yml").read_text("utf-8"))[branch]
    return model(**(values | changes))


def some_clips(folder: Path) -> ClipFolder:
    """Return the class folders that BENCH_CLIPS names, or draw the sample set."""
    given = os.environ.get("BENCH_CLIPS")
    return ClipFolder(Path(given)) if given else RenderedVideos(path=str(folder / "videos")).load()


def files_of(clips: ClipFolder) -> pd.DataFrame:
    """List all clips as data_prep does, none scanned yet."""
    no_lists = pd.DataFrame(columns=["clip_id", "label", "split", "part"])
    nothing = pd.DataFrame(columns=["clip_id", "path", "size_bytes", "mtime_ns", "settings_hash"])
    return list_clips(clips, nothing, no_lists, base_params("data_prep", splits="auto"))


def index_of(clips: ClipFolder, n_clips: int) -> pd.DataFrame:
    """Return the columns of the clip index that extraction reads, for evenly spread clips."""
    files = files_of(clips)
    files = files.iloc[:: max(1, len(files) // n_clips)].head(n_clips)
    scanned = pa.concat_tables(scan_clips(clips, files, base_params("data_prep"))).to_pandas()
    usable = scanned[scanned["status"] == "ok"].sort_values("clip_id", ignore_index=True)
    return usable.assign(label=usable["clip_id"].str.partition("/")[0])
