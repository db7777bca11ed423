"""RAR, ZIP and TAR archives, read alike and distrusted alike.

Only plain files come out, chunk by chunk; the caller decides where they go. So no library ever
writes a path, a link or a permission that an archive asks for.
"""

import logging
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, Literal, NamedTuple, Protocol

from kedro.io import DatasetError

logger = logging.getLogger(__name__)

SUFFIXES = (".rar", ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
# HMDB51 unpacks to 2 GB and 6,766 files, UCF101 to 7 GB and 13,320.
MAX_BYTES = 50 * 10**9
MAX_FILES = 500_000
_CHUNK_BYTES = 1 << 20
_RAR, _ZIPS = b"Rar!\x1a\x07", (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Member:
    """A plain file in an archive.

    Attributes:
        path: Its folders and name; relative, and without `..`.
        size: Its bytes, as declared.
        handle: What its library calls it.
    """

    path: PurePosixPath
    size: int
    handle: Any


@dataclass
class Allowance:
    """What may still come out of an archive and those within it, so that none fills the disk."""

    bytes_left: int = MAX_BYTES
    files_left: int = MAX_FILES

    def take(self, size: int, archive: str) -> None:
        """Subtract a file.

        Raises:
            DatasetError: There is not so much left.
        """
        self.bytes_left -= size
        self.files_left -= 1
        if self.bytes_left < 0 or self.files_left < 0:
            raise DatasetError(
                f"{archive} would unpack to more than {MAX_BYTES // 10**9} GB or {MAX_FILES:,} "
                "files, which looks like a fault or an attack. If it is meant, unpack it yourself "
                "and name the folder instead."
            )


class Archive:
    """An archive that is open for reading.

    Attributes:
        name: What messages call it.
    """

    def __init__(self, name: str, library: "_Library"):
        self.name = name
        self._library = library

    def files(self, allowance: Allowance) -> list[Member]:
        """List the plain files, hidden ones excepted, in the order they are stored in.

        Raises:
            DatasetError: A name leads out of the archive, a password is needed, the declared
                sizes exceed the allowance, or the archive is damaged.
        """
        members, others = [], []
        with _named_faults(self.name):
            for entry in self._library.entries():
                path = _checked_path(entry.name, self.name)
                allowance.take(entry.size, self.name)
                if entry.is_locked:
                    raise DatasetError(_locked(self.name))
                if entry.kind == "other":
                    others.append(entry.name)
                elif entry.kind == "file" and not _is_hidden(path):
                    members.append(Member(path, entry.size, entry.handle))
        if others:
            logger.warning(
                "%s: links and special files are left out: %s%s.",
                self.name,
                others[0],
                f" and {len(others) - 1} more" if len(others) > 1 else "",
            )
        return members

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of a file, never more than its declared size.

        Raises:
            DatasetError: There is more or less of it, or it is damaged.
        """
        left = member.size
        with _named_faults(self.name), closing(self._library.open(member.handle)) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise EOFError(f"{member.path} is longer than declared")
                yield chunk
            if left:
                raise EOFError(f"{member.path} ends {left:,} bytes early")


@contextmanager
def open_archive(file: Path, name: str | None = None) -> Iterator[Archive]:
    """Open an archive, told by its content and not by its suffix.

    Args:
        file: Where it lies.
        name: What messages call it, where that is not its path.

    Raises:
        DatasetError: It is no archive, is damaged, or needs a password.
    """
    name = name or str(file)
    with _named_faults(name):
        library = _library_of(file, name)
    with closing(library):
        yield Archive(name, library)


class _Entry(NamedTuple):
    name: str
    size: int
    kind: Literal["file", "folder", "other"]
    is_locked: bool
    handle: Any


class _Library(Protocol):
    def entries(self) -> Iterator[_Entry]: ...
    def open(self, handle: Any) -> IO[bytes]: ...
    def close(self) -> None: ...


class _Zip:
    def __init__(self, file: Path):
        self._zip = zipfile.ZipFile(file)
        self.close = self._zip.close

    def entries(self) -> Iterator[_Entry]:
        for info in self._zip.infolist():
            # The mode that Unix tools store; 0 from others, which store plain files and folders.
            mode = stat.S_IFMT(info.external_attr >> 16)
            kind: Literal["file", "folder", "other"] = "folder"
            if not info.is_dir():
                kind = "file" if mode in (0, stat.S_IFREG) else "other"
            yield _Entry(info.filename, info.file_size, kind, bool(info.flag_bits & 1), info)

    def open(self, handle: zipfile.ZipInfo) -> IO[bytes]:
        return self._zip.open(handle)


class _Tar:
    def __init__(self, file: Path, name: str):
        try:
            self._tar = tarfile.open(file)  # noqa: SIM115 - closed by who opened the archive
        except tarfile.ReadError as error:
            raise DatasetError(
                f"{name} is no RAR, ZIP or TAR archive, or its beginning is damaged. Fetch it "
                "again, or name a folder of class folders instead."
            ) from error
        self.close = self._tar.close

    def entries(self) -> Iterator[_Entry]:
        # One by one, so that a bomb is met at its header, before its content is decompressed.
        for info in self._tar:
            kind: Literal["file", "folder", "other"] = "folder"
            if not info.isdir():
                kind = "file" if info.isreg() else "other"
            yield _Entry(info.name, info.size, kind, False, info)
        self._check_end()

    def _check_end(self) -> None:
        # To tarfile a broken header, and nothing at all, is an end like the zeros that mark one.
        stream = self._tar.fileobj
        if stream is not None:
            stream.seek(self._tar.offset)
            if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise EOFError(f"no file and no end mark at byte {self._tar.offset:,}")

    def open(self, handle: tarfile.TarInfo) -> IO[bytes]:
        stream = self._tar.extractfile(handle)
        if stream is None:
            raise tarfile.ReadError(f"{handle.name} has no content")
        return stream


class _Rar:
    def __init__(self, file: Path, name: str):
        import rarfile  # type: ignore[import-untyped]  # noqa: PLC0415 - looks for cryptography

        self._library = rarfile
        self._name = name
        self._rar = rarfile.RarFile(file, errors="strict")
        self.close = self._rar.close

    def entries(self) -> Iterator[_Entry]:
        infos = self._rar.infolist()
        if self._rar.needs_password() and not infos:  # even the names are encrypted
            raise DatasetError(_locked(self._name))
        for info in infos:
            kind: Literal["file", "folder", "other"] = "folder"
            if not info.is_dir():
                # A redirection is a link, or the copy of another file.
                is_plain = info.is_file() and not getattr(info, "file_redir", None)
                kind = "file" if is_plain else "other"
            yield _Entry(info.filename, info.file_size or 0, kind, info.needs_password(), info)

    def open(self, handle: Any) -> IO[bytes]:
        if handle.compress_type != self._library.RAR_M0:
            self._find_program()
        stream: IO[bytes] = self._rar.open(handle)
        return stream

    def _find_program(self) -> None:
        try:
            # rarfile 4.5 calls bsdtar in a way that fails (`-f --`), so that one is not asked.
            self._library.tool_setup(bsdtar=False)
        except self._library.RarCannotExec as error:
            raise DatasetError(
                f"{self._name} is compressed, and none of the programs that unpack it is here: "
                "unrar, unar or 7z. Install one (Debian and Ubuntu: apt-get install unar; macOS: "
                "brew install unar), or unpack it yourself and name the folder instead."
            ) from error


def _library_of(file: Path, name: str) -> _Library:
    with file.open("rb") as opened:
        beginning = opened.read(8)
    if beginning.startswith(_RAR):
        return _Rar(file, name)
    return _Zip(file) if beginning.startswith(_ZIPS) else _Tar(file, name)


@contextmanager
def _named_faults(name: str) -> Iterator[None]:
    try:
        yield
    except (DatasetError, ModuleNotFoundError):
        raise
    # Three libraries and five decompressors raise what they like on damaged bytes.
    except Exception as error:
        raise DatasetError(
            f"{name} cannot be read to its end: {error}. It seems damaged or incomplete: fetch it "
            "again, or unpack it yourself and name the folder instead."
        ) from error


def _checked_path(name: str, archive: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or PureWindowsPath(name).drive:
        raise DatasetError(
            f"{archive} is refused: a file in it wants to lie outside of the folder it is unpacked "
            f"to. Received: {name!r}. Pack it anew, with relative names."
        )
    return path


def _is_hidden(path: PurePosixPath) -> bool:
    """Tell what file managers and macOS add to an archive."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _locked(archive: str) -> str:
    return f"{archive} is protected by a password. Unpack it yourself and name the folder instead."
