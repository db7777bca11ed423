"""What the page asks of a run."""

import pytest
from clips import moving_clip, write_clip
from kedro.io import DataCatalog, MemoryDataset
from recognising import FUSION

from hmdb_kedro.datasets import VideoFolder
from hmdb_kedro.errors import UserError
from hmdb_kedro.page.serving import serve, video_files
from hmdb_kedro.video.decode import UnreadableClipError

ENTRIES = {
    "two_stream.fusion": FUSION,
    "two_stream.scores": "a table",
    "clip_index": "a table",
    "spatial.onnx": "a file",
    "spatial.scores": "a table",
    "temporal.onnx": "a file",
    "temporal.scores": "a table",
}


class Missing(MemoryDataset):
    """An entry that no run has made yet."""

    def __init__(self):
        super().__init__()

    def _exists(self):
        return False


@pytest.mark.parametrize("missing", ENTRIES)
def test_with_nothing_trained_one_line_says_what_to_do(missing):
    stored = {name: MemoryDataset(data) for name, data in ENTRIES.items() if name != missing}
    catalog = DataCatalog(stored | {missing: Missing()})
    with pytest.raises(UserError) as refused:
        serve(catalog, None, "make run", print)
    assert str(refused.value).endswith(f"no {missing}. Do: make run")


def test_clips_are_found_and_where_they_are_gone_that_is_said(tmp_path):
    video = write_clip(tmp_path / "wave" / "a.avi", moving_clip(1, 0))
    there = DataCatalog({"raw_videos": VideoFolder(path=str(tmp_path))})
    assert video_files(there)("wave/a.avi") == video
    gone = DataCatalog({"raw_videos": VideoFolder(path=str(tmp_path / "gone"))})
    with pytest.raises(UnreadableClipError, match="not there any more"):
        video_files(gone)("wave/a.avi")
