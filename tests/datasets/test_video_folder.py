import pytest
from clips import moving_clip, write_clip
from kedro.io import DatasetError

from hmdb_kedro.datasets import VideoFolder


def test_clips_are_listed_by_class_and_name(tmp_path):
    for name in ("wave/b.avi", "sit/a.avi", "wave/a.avi"):
        write_clip(tmp_path / name, moving_clip(0, 0, n_frames=2))
    (tmp_path / "wave" / "notes.txt").write_text("no clip")
    assert list(VideoFolder(path=str(tmp_path)).load()) == ["sit/a.avi", "wave/a.avi", "wave/b.avi"]


def test_an_absent_folder_says_how_to_name_another(tmp_path):
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere.*raw_videos_dir"):
        VideoFolder(path=str(tmp_path / "nowhere")).load()


def test_a_folder_without_a_clip_says_what_counts_as_one(tmp_path):
    (tmp_path / "wave").mkdir()
    with pytest.raises(DatasetError, match=r"holds no class folder with a video \(.*\.avi"):
        VideoFolder(path=str(tmp_path)).load()
