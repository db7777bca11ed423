import shutil

import pytest
from clips import REPOSITORY, moving_clip, write_clip
from kedro.config import OmegaConfigLoader
from kedro.framework.context import KedroContext
from kedro.framework.hooks.manager import _NullPluginManager
from kedro.io import DatasetError
from rar import write_rar

from hmdb_kedro.datasets import VideoFolder


def test_clips_are_listed_by_class_and_name(tmp_path):
    for name in ("wave/b.avi", "sit/a.avi", "wave/a.avi"):
        write_clip(tmp_path / name, moving_clip(0, 0, n_frames=2))
    for name in ("notes.txt", "._a.avi", ".hidden.avi"):
        (tmp_path / "wave" / name).write_text("no clip")
    assert list(VideoFolder(path=str(tmp_path)).load()) == ["sit/a.avi", "wave/a.avi", "wave/b.avi"]


def test_an_absent_folder_says_how_to_name_another(tmp_path):
    with pytest.raises(DatasetError, match=r"there is no folder .*nowhere.*raw_videos_dir"):
        VideoFolder(path=str(tmp_path / "nowhere")).load()


def test_a_folder_without_a_clip_says_what_counts_as_one(tmp_path):
    (tmp_path / "wave").mkdir()
    with pytest.raises(DatasetError, match=r"holds no class folder with a video \(.*\.avi"):
        VideoFolder(path=str(tmp_path)).load()


def test_an_archive_is_unpacked_where_the_entry_says(tmp_path):
    archive = write_rar(
        tmp_path / "hmdb51_org.rar", {"set/wave/a.avi": b"a", "set/sit/b.avi": b"b"}
    )
    clips = VideoFolder(path=str(archive), unpack_to={"path": str(tmp_path / "out")}).load()
    assert list(clips) == ["sit/b.avi", "wave/a.avi"]
    assert clips.root.parent == tmp_path / "out"


def test_an_archive_is_found_where_its_folder_is_looked_for(tmp_path):
    write_rar(tmp_path / "hmdb51_org.rar", {"wave/a.avi": b"a"})
    dataset = VideoFolder(
        path=str(tmp_path / "hmdb51_org"), unpack_to={"path": str(tmp_path / "out")}
    )
    assert dataset.exists()
    assert not (tmp_path / "out").exists()
    assert list(dataset.load()) == ["wave/a.avi"]


def test_a_folder_of_one_archive_a_class_is_unpacked(tmp_path):
    for label in ("wave", "sit"):
        write_rar(tmp_path / "set" / f"{label}.rar", {f"{label}/a.avi": b"a"})
    dataset = VideoFolder(path=str(tmp_path / "set"), unpack_to={"path": str(tmp_path / "out")})
    assert dataset.exists()
    assert list(dataset.load()) == ["sit/a.avi", "wave/a.avi"]


def test_class_folders_go_before_archives_beside_them(tmp_path, caplog):
    write_clip(tmp_path / "wave" / "a.avi", moving_clip(0, 0, n_frames=2))
    for name in ("wave.rar", "test_train_splits.rar"):
        write_rar(tmp_path / name, {"b.avi": b"b"})
    clips = VideoFolder(path=str(tmp_path), unpack_to={"path": str(tmp_path / "out")}).load()
    assert list(clips) == ["wave/a.avi"]
    assert "are not read: test_train_splits.rar." in caplog.text


def test_an_archive_needs_a_place_to_be_unpacked(tmp_path):
    archive = write_rar(tmp_path / "set.rar", {"wave/a.avi": b"a"})
    with pytest.raises(DatasetError, match=r"set\.rar is packed.*Add `unpack_to: \{path"):
        VideoFolder(path=str(archive)).load()


def test_archives_are_unpacked_below_the_project_wherever_it_is_opened_from(tmp_path, monkeypatch):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for folder in (project / "conf" / "local", project / "conf" / "base", elsewhere):
        folder.mkdir(parents=True)
    for name in ("globals.yml", "parameters.yml", "catalog_data_prep.yml"):
        shutil.copy(REPOSITORY / "conf" / "base" / name, project / "conf" / "base")
    raw = project / "data" / "01_raw"
    write_rar(raw / "hmdb51_org.rar", {"wave/a.avi": b"a"})
    write_rar(raw / "test_train_splits.rar", {"wave_test_split1.txt": b"a.avi 1"})
    monkeypatch.chdir(elsewhere)
    loader = OmegaConfigLoader(str(project / "conf"), base_env="base", default_run_env="local")
    catalog = KedroContext(project, loader, None, "hmdb_kedro", _NullPluginManager()).catalog
    assert list(catalog.load("raw_videos")) == ["wave/a.avi"]
    assert list(catalog.load("raw_splits")["clip_id"]) == ["wave/a.avi"]
    assert not list(elsewhere.iterdir())
    unpacked = {place.name for place in raw.iterdir() if place.is_dir()}
    assert unpacked == {"unpacked_videos", "unpacked_splits"}
