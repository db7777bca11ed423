"""Archives as people have them, and as nobody should: unpacked once, whole, and inside."""

import bz2
import gzip
import io
import logging
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest
import rarfile
from kedro.io import DatasetError
from rar import rar_bytes, write_rar

from hmdb_kedro.datasets.archives import reading, unpacking
from hmdb_kedro.datasets.archives.unpacking import unpack_classes, unpack_folder

CLASSES = {
    "wave/b [HQ] (1)!.avi": b"wave b" * 999,
    "wave/a.avi": b"wave a" * 999,
    "sit/a.mp4": b"sit a",
}
ONE = {"wave/a.avi": b"wave"}


def write_zip(file, files):
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file


def write_tar(file, files):
    with tarfile.open(file, f"w:{file.suffix[1:].replace('tar', '').replace('tgz', 'gz')}") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


WRITERS = {
    "set.rar": write_rar,
    "set.zip": write_zip,
    "set.tar": write_tar,
    "set.tgz": write_tar,
    "set.tar.gz": write_tar,
    "set.tar.xz": write_tar,
    "set.tar.bz2": write_tar,
}


def write(file, files):
    return WRITERS[f"set{file.name[file.name.index('.') :]}"](file, files)


def content(root):
    """The visible files below a folder."""
    return {
        f"{file.parent.name}/{file.name}": file.read_bytes()
        for file in root.glob("*/*")
        if file.parent.name[0] != "."
    }


def everything(folder):
    return sorted(path for path in folder.rglob("*"))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out" / "unpacked"


class TestWhatPeopleHave:
    @pytest.mark.parametrize("name", WRITERS)
    @pytest.mark.parametrize("top", ["", "hmdb51_org/", "a/b/"])
    def test_class_folders_at_any_depth(self, tmp_path, target, name, top):
        archive = write(tmp_path / name, {top + path: data for path, data in CLASSES.items()})
        assert content(unpack_classes(archive, target)) == CLASSES

    @pytest.mark.parametrize("inner_folder", ["{0}/", "", "deep/{0}/"])
    def test_hmdb51_is_a_rar_of_one_rar_a_class(self, tmp_path, target, inner_folder):
        archive = write_rar(tmp_path / "hmdb51_org.rar", nested(tmp_path, inner_folder))
        assert content(unpack_classes(archive, target)) == CLASSES

    @pytest.mark.parametrize("name", ["set.zip", "set.tar.gz"])
    def test_class_archives_within_other_archives(self, tmp_path, target, name):
        archive = write(tmp_path / name, {"x/" + k: v for k, v in nested(tmp_path, "").items()})
        assert content(unpack_classes(archive, target)) == CLASSES

    def test_a_folder_of_one_archive_a_class(self, tmp_path, target):
        folder = tmp_path / "classes"
        write_rar(folder / "wave.rar", {k: v for k, v in CLASSES.items() if "wave" in k})
        write_zip(folder / "sit.ZIP", {"a.mp4": CLASSES["sit/a.mp4"]})
        assert content(unpack_classes(folder, target)) == CLASSES

    def test_what_is_no_video_stays_packed(self, tmp_path, target):
        extra = ["readme.txt", "__MACOSX/wave/._a.avi", "wave/.hidden.avi", "wave/Thumbs.db"]
        archive = write_zip(tmp_path / "set.zip", CLASSES | dict.fromkeys(extra, b"no clip"))
        assert content(unpack_classes(archive, target)) == CLASSES

    def test_the_suffix_does_not_matter(self, tmp_path, target):
        archive = write_rar(tmp_path / "download", CLASSES)
        assert content(unpack_classes(archive, target)) == CLASSES


class TestOnce:
    def test_a_second_load_does_nothing(self, tmp_path, target, monkeypatch):
        archive = write_zip(tmp_path / "set.zip", CLASSES)
        root = unpack_classes(archive, target)
        before = [(path, path.stat().st_mtime_ns) for path in everything(target)]
        monkeypatch.setattr(unpacking, "open_archive", None)
        assert unpack_classes(archive, target) == root
        assert [(path, path.stat().st_mtime_ns) for path in everything(target)] == before

    def test_another_archive_of_that_name_is_another_set(self, tmp_path, target):
        archive = write_zip(tmp_path / "set.zip", CLASSES)
        first = unpack_classes(archive, target)
        second = unpack_classes(write_zip(archive, ONE), target)
        assert content(first) == CLASSES
        assert content(second) == ONE

    def test_an_archive_that_was_touched_is_unpacked_again(self, tmp_path, target):
        archive = write_zip(tmp_path / "set.zip", CLASSES)
        first = unpack_classes(archive, target)
        os.utime(archive, ns=(1, 1))
        assert content(unpack_classes(archive, target)) == CLASSES
        assert unpack_classes(archive, target) != first

    @pytest.mark.parametrize("kind", ["folders", "archives"])
    def test_a_killed_run_goes_on_where_it_stopped(self, tmp_path, target, monkeypatch, kind):
        files = CLASSES if kind == "folders" else nested(tmp_path, "{0}/")
        archive = write_rar(tmp_path / "set.rar", files)
        write_file, written = unpacking._write_file, []

        def dies_at_the_last(archive, member, file):
            if file.name == "a.mp4":
                file.write_bytes(b"half")
                raise KeyboardInterrupt
            write_file(archive, member, file)

        def notes(archive, member, file):
            written.append(file.name)
            write_file(archive, member, file)

        # As after kill -9, nothing is cleared away.
        monkeypatch.setattr(unpacking, "TemporaryDirectory", _LeftBehind)
        monkeypatch.setattr(unpacking, "_write_file", dies_at_the_last)
        with pytest.raises(KeyboardInterrupt):
            unpack_classes(archive, target)
        (root,) = target.iterdir()
        assert set(content(root)) == {name for name in CLASSES if "wave" in name}
        assert list(root.glob(".unfinished-*"))
        monkeypatch.undo()
        monkeypatch.setattr(unpacking, "_write_file", notes)
        assert content(unpack_classes(archive, target)) == CLASSES
        assert [name for name in written if name != ".archive"] == ["a.mp4"]
        assert not list(root.glob(".unfinished-*"))

    def test_two_processes_at_once_end_with_one_whole_set(self, tmp_path, target, monkeypatch):
        archive = write_rar(tmp_path / "set.rar", CLASSES)
        write_file, calls = unpacking._write_file, []

        def another_comes(archive_, member, file):
            calls.append(file)
            if len(calls) == 2:  # in the middle of the first class
                unpack_classes(archive, target)
            write_file(archive_, member, file)

        monkeypatch.setattr(unpacking, "_write_file", another_comes)
        assert content(unpack_classes(archive, target)) == CLASSES
        assert not list(target.rglob(".unfinished-*"))

    def test_a_fault_leaves_nothing_unfinished(self, tmp_path, target):
        archive = write_rar(tmp_path / "set.rar", CLASSES)
        os.truncate(archive, archive.stat().st_size - 10)
        with pytest.raises(DatasetError):
            unpack_classes(archive, target)
        assert not list(target.rglob(".unfinished-*"))
        assert set(content(next(target.iterdir()))) == {n for n in CLASSES if "wave" in n}


class TestFaults:
    @pytest.mark.parametrize("name", WRITERS)
    def test_a_truncated_archive_is_named(self, tmp_path, target, name):
        noise = {"wave/a.avi": os.urandom(1 << 16), "sit/a.avi": os.urandom(1 << 16)}
        archive = write(tmp_path / name, noise)
        os.truncate(archive, archive.stat().st_size * 2 // 3)
        refused(archive, target, "damaged")

    @pytest.mark.parametrize("fault", ["cut", "broken header"])
    @pytest.mark.parametrize("name", [name for name in WRITERS if ".t" in name])
    def test_a_tar_that_stops_between_two_files_is_named(self, tmp_path, target, name, fault):
        whole = write_tar(tmp_path / "whole.tar", CLASSES).read_bytes()
        with tarfile.open(tmp_path / "whole.tar") as tar:
            second = tar.getmembers()[1].offset
        rest = b"" if fault == "cut" else b"?" + whole[second + 1 :]
        opener = {"gz": gzip.open, "tgz": gzip.open, "xz": lzma.open, "bz2": bz2.open}
        with opener.get(name.rpartition(".")[2], open)(tmp_path / name, "wb") as out:
            out.write(whole[:second] + rest)
        refused(tmp_path / name, target, f"no end mark at byte {second:,}.*damaged")

    @pytest.mark.parametrize("data", [b"", b"no archive at all" * 99, b"Rar!\x1a\x07\x00"])
    def test_what_is_no_archive_is_named(self, tmp_path, target, data):
        archive = tmp_path / "set.rar"
        archive.write_bytes(data)
        refused(archive, target, "no RAR, ZIP or TAR|damaged|holds no video")

    @pytest.mark.parametrize("name", WRITERS)
    @pytest.mark.parametrize(
        "evil", ["../evil.avi", "wave/../../evil.avi", "/tmp/evil.avi", "C:/x/evil.avi"]
    )
    def test_a_name_that_leads_out_is_refused(self, tmp_path, target, name, evil):
        archive = write(tmp_path / name, ONE | {evil: b"evil"})
        before = everything(tmp_path)
        refused(archive, target, f"outside.*Received: .*{os.path.basename(evil)}")
        assert everything(tmp_path) == before

    def test_links_are_left_out_and_told(self, tmp_path, target, caplog):
        secret = tmp_path / "secret.avi"
        secret.write_bytes(b"secret")
        archive = tmp_path / "set.tar"
        with tarfile.open(archive, "w") as tar:
            for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
                info = tarfile.TarInfo(f"wave/link{kind.decode()}.avi")
                info.type, info.linkname = kind, str(secret)
                tar.addfile(info)
            # A folder that is a link, and a file that would be written through it.
            info = tarfile.TarInfo("sit")
            info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path)
            tar.addfile(info)
            info = tarfile.TarInfo("sit/a.avi")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"sit"))
        with caplog.at_level(logging.WARNING):
            root = unpack_classes(archive, target)
        assert content(root) == {"sit/a.avi": b"sit"}
        assert not any(path.is_symlink() for path in everything(root))
        assert not (tmp_path / "a.avi").exists()
        assert "wave/link2.avi and 4 more" in caplog.text

    def test_links_in_zip_and_rar_are_left_out_too(self, tmp_path, target):
        linked = zipfile.ZipInfo("wave/link.avi")
        linked.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
            archive.writestr(linked, "/etc/passwd")
            archive.writestr("wave/a.avi", ONE["wave/a.avi"])
        assert content(unpack_classes(tmp_path / "set.zip", target)) == ONE
        files = {"wave/link.avi": b"/etc/passwd", **ONE}
        rar = write_rar(tmp_path / "set.rar", files, link="wave/link.avi")
        assert content(unpack_classes(rar, target)) == ONE

    def test_a_zip_that_declares_100_gb_is_refused(self, tmp_path, target):
        archive = tmp_path / "set.zip"
        with zipfile.ZipFile(archive, "w") as bomb:
            bomb.writestr("wave/a.avi", b"small")
            bomb.filelist[0].file_size = 100 << 30
        refused(archive, target, "more than 50 GB")

    @pytest.mark.parametrize("name", ["set.tar", "set.tgz"])
    def test_a_tar_that_declares_100_gb_is_refused(self, tmp_path, target, name):
        archive = tmp_path / name
        with tarfile.open(archive, "w:gz" if name.endswith("gz") else "w") as bomb:
            info = tarfile.TarInfo("wave/a.avi")
            info.size = 100 << 30
            # Its header alone: from 3.13 on `addfile` wants the bytes, too.
            bomb.fileobj.write(info.tobuf())
        refused(archive, target, "more than 50 GB")

    def test_too_many_files_are_refused(self, tmp_path, target, monkeypatch):
        archive = write_zip(tmp_path / "set.zip", CLASSES)
        monkeypatch.setattr(unpacking, "Allowance", lambda: reading.Allowance(files_left=2))
        refused(archive, target, "500,000 files")

    def test_archives_within_one_share_its_allowance(self, tmp_path, target, monkeypatch):
        archive = write_rar(tmp_path / "set.rar", nested(tmp_path, ""))
        size = sum(map(len, nested(tmp_path, "").values()))
        monkeypatch.setattr(unpacking, "Allowance", lambda: reading.Allowance(size + 6000))
        refused(archive, target, r"wave\.rar in .*set\.rar would unpack to more")

    def test_more_than_declared_is_never_written(self, tmp_path, target):
        class Lies:
            def entries(self):
                yield reading._Entry("wave/a.avi", 10, "file", False, None)

            def open(self, handle):
                return io.BytesIO(bytes(1000))

        archive = reading.Archive("lies.zip", Lies())
        (member,) = archive.files(reading.Allowance())
        with pytest.raises(DatasetError, match=r"wave/a\.avi is longer than declared"):
            list(archive.chunks(member))

    def test_a_locked_zip_is_named(self, tmp_path, target):
        archive = write_zip(tmp_path / "set.zip", ONE)
        data = bytearray(archive.read_bytes())
        for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            data[data.index(signature) + flags] |= 1
        archive.write_bytes(data)
        refused(archive, target, "protected by a password")

    def test_a_locked_rar_is_named(self, tmp_path, target):
        archive = write_rar(tmp_path / "set.rar", ONE, locked="wave/a.avi")
        refused(archive, target, "protected by a password")

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ({"a.avi": b"1", "b.avi": b"2"}, "outside of a class folder"),
            ({"train/wave/a.avi": b"1", "test/wave/b.avi": b"2"}, "Received: test, train"),
            ({"wave/a.avi": b"1", "wave/more/b.avi": b"2"}, r"Received: \., wave"),
            ({"readme.txt": b"1"}, r"holds no video \(\.avi"),
            ({}, "holds no video"),
        ],
    )
    def test_a_wrong_layout_is_named(self, tmp_path, target, files, message):
        refused(write_zip(tmp_path / "set.zip", files), target, message)

    def test_archives_are_opened_one_level_deep(self, tmp_path, target):
        middle = rar_bytes(tmp_path, nested(tmp_path, ""))
        archive = write_rar(tmp_path / "set.rar", {"middle.rar": middle})
        refused(archive, target, r"middle\.rar in .*set\.rar should hold the videos of one class")

    def test_a_class_archive_holds_one_class(self, tmp_path, target):
        write_zip(tmp_path / "all.zip", CLASSES)
        (tmp_path / "classes").mkdir()
        shutil.move(tmp_path / "all.zip", tmp_path / "classes")
        with pytest.raises(DatasetError, match="videos of one class should lie in one folder"):
            unpack_classes(tmp_path / "classes", target)

    def test_a_full_disk_is_told_before_anything_is_written(self, tmp_path, target, monkeypatch):
        archive = write_zip(tmp_path / "set.zip", CLASSES)
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 9, 11000))
        monkeypatch.setattr(unpacking, "_write_file", None)
        refused(archive, target, r"needs 0\.00 GB to be unpacked below .* 0\.00 GB are free")
        assert content(next(target.iterdir())) == {}

    def test_a_disk_that_fills_meanwhile_is_told(self, tmp_path, target, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        archive = write_zip(tmp_path / "set.zip", CLASSES)
        monkeypatch.setattr(unpacking, "_write_file", full)
        refused(archive, target, r"cannot be unpacked.*No space left.*data_root=")


class TestPrograms:
    """Compressed RAR needs a program; our stored ones are declared to need it here."""

    @pytest.fixture(autouse=True)
    def _compressed(self, monkeypatch):
        monkeypatch.setattr(rarfile, "RAR_M0", -1)
        monkeypatch.setattr(rarfile, "CURRENT_SETUP", None)

    def test_without_one_the_message_names_them(self, tmp_path, target, monkeypatch):
        archive = write_rar(tmp_path / "set.rar", CLASSES)
        monkeypatch.setenv("PATH", str(tmp_path))
        refused(archive, target, r"unrar, unar or 7z\. Install one")

    def test_with_one_every_clip_comes_out(self, tmp_path, target):
        try:
            rarfile.tool_setup(bsdtar=False)
        except rarfile.RarCannotExec:
            pytest.skip("NO PROGRAM FOR RAR: none of unrar, unar and 7z is installed")
        archive = write_rar(tmp_path / "hmdb51_org.rar", nested(tmp_path, "{0}/"))
        assert content(unpack_classes(archive, target)) == CLASSES


def test_lists_are_found_in_the_folder_they_are_packed_in(tmp_path, target):
    lists = {f"testTrainMulti_7030_splits/wave_test_split{n}.txt": b"a.avi 1 " for n in (1, 2, 3)}
    archive = write_rar(tmp_path / "test_train_splits.rar", lists | {"readme.txt": b"no list"})
    folder = unpack_folder(archive, target, lambda name: "split" in name)
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        name.rpartition("/")[2] for name in lists
    )
    assert unpack_folder(archive, target, lambda name: "split" in name) == folder


def refused(archive, target, message):
    """It is refused with one line that begins with an archive's name."""
    with pytest.raises(DatasetError, match=message) as caught:
        unpack_classes(archive, target)
    text = str(caught.value)
    assert str(archive) in text
    assert "\n" not in text


def nested(tmp_path, inner_folder):
    """CLASSES as one RAR a class; `{0}` in the inner folder is the class."""
    by_class = {}
    for path, data in CLASSES.items():
        label, name = path.split("/")
        by_class.setdefault(label, {})[inner_folder.format(label) + name] = data
    return {f"{label}.rar": rar_bytes(tmp_path, files) for label, files in by_class.items()}


class _LeftBehind:
    """A temporary folder that survives, as after kill -9."""

    def __init__(self, prefix, dir):
        self.path = dir / f"{prefix}left"
        self.path.mkdir()

    def __enter__(self):
        return str(self.path)

    def __exit__(self, kind, *_):
        if kind is None:
            shutil.rmtree(self.path)
