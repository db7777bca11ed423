import pytest
from kedro.io import DatasetError
from rar import write_rar

from hmdb_kedro.datasets import SplitLists

LISTS = {f"wave_test_split{split}.txt": b"a.avi 1 \nb.avi 2 \n" for split in (1, 2, 3)}
BELOW = {f"testTrainMulti_7030_splits/{name}": text for name, text in LISTS.items()}


def write_folder(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)
    return folder


@pytest.mark.parametrize("files", [LISTS, BELOW])
@pytest.mark.parametrize("packed", [True, False])
def test_lists_are_read_from_where_they_stand(tmp_path, files, packed):
    name = "test_train_splits.rar" if packed else "test_train_splits"
    (write_rar if packed else write_folder)(tmp_path / name, files)
    for given in (name, "test_train_splits"):
        lists = SplitLists(path=str(tmp_path / given), unpack_to={"path": str(tmp_path / "out")})
        assert lists.exists()
        rows = lists.load()
        assert len(rows) == 6
        assert dict(zip(rows["clip_id"], rows["part"], strict=True)) == {
            "wave/a.avi": 1,
            "wave/b.avi": 2,
        }


def test_no_lists_are_no_rows(tmp_path):
    lists = SplitLists(path=str(tmp_path / "nowhere"), unpack_to={"path": str(tmp_path / "out")})
    assert lists.load().empty
    assert not lists.exists()


def test_an_archive_without_a_list_is_named(tmp_path):
    archive = write_rar(tmp_path / "videos.rar", {"wave/a.avi": b"a"})
    with pytest.raises(DatasetError, match=r"videos\.rar holds no file of the kind"):
        SplitLists(path=str(archive), unpack_to={"path": str(tmp_path / "out")}).load()


def test_an_archive_needs_a_place_to_be_unpacked(tmp_path):
    archive = write_rar(tmp_path / "lists.rar", LISTS)
    with pytest.raises(DatasetError, match=r"Add `unpack_to: \{path"):
        SplitLists(path=str(archive)).load()


def test_a_line_that_is_none_is_named(tmp_path):
    write_folder(tmp_path, {"wave_test_split1.txt": b"a.avi 1 \na.avi 7\n"})
    with pytest.raises(DatasetError, match=r"line 2: .*Received: 'a\.avi 7'"):
        SplitLists(path=str(tmp_path)).load()


def test_a_mark_in_front_of_a_list_is_no_part_of_the_first_name(tmp_path):
    write_folder(tmp_path, {"wave_test_split1.txt": b"\xef\xbb\xbfa.avi 1 \nb.avi 2 \n"})
    assert SplitLists(path=str(tmp_path)).load()["clip_id"].to_list() == [
        "wave/a.avi",
        "wave/b.avi",
    ]


def test_a_list_that_is_not_utf_8_is_named(tmp_path):
    write_folder(tmp_path, {"wave_test_split1.txt": "café.avi 1\n".encode("latin-1")})
    with pytest.raises(
        DatasetError,
        match=r"wave_test_split1\.txt is not UTF-8.*0xe9 at position 3.*Save it as UTF-8",
    ):
        SplitLists(path=str(tmp_path)).load()


def test_what_macos_leaves_beside_a_list_is_none(tmp_path):
    write_folder(tmp_path, {"._wave_test_split1.txt": b"\x00\x05\x16\x07", **LISTS})
    assert len(SplitLists(path=str(tmp_path)).load()) == 6
