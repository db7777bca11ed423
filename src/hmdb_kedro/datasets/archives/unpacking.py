"""Unpack archives once, folder by folder, so that a killed run goes on where it stopped.

A folder is filled under another name and renamed when it is whole. What is whole stays; a marker
that names the archive (name, size, time of change) says that everything is.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from kedro.io import DatasetError

from hmdb_kedro.datasets.archives.reading import (
    SUFFIXES,
    Allowance,
    Archive,
    Member,
    open_archive,
)
from hmdb_kedro.video.clips import VIDEO_SUFFIXES

logger = logging.getLogger(__name__)

_MARKER = ".unpacked.json"
_UNFINISHED = ".unfinished-"
_NESTED = ".archive"
_FILES = "files"


def locate(path: Path) -> Path:
    """Return the archive `<path>.rar`, `<path>.zip`, … where it is there and the path is not."""
    candidates = (path, *(path.with_name(f"{path.name}{suffix}") for suffix in SUFFIXES))
    return next((place for place in candidates if place.exists()), path)


def archives_in(folder: Path) -> dict[str, Path]:
    """Return the archives that lie in a folder, by name without suffix."""
    files = sorted(file for file in folder.iterdir() if _is_archive(file.name))
    return {_stem(file.name): file for file in files if file.name[0] != "." and file.is_file()}


def place_to_unpack(unpack_to: Mapping[str, str] | None) -> Path | None:
    """Return the `path` that a catalog entry names, if it does.

    Kedro makes keys of that name absolute, at any depth: below the project, wherever it is opened
    from, a notebook's folder for one. It leaves all other names to the working directory.
    """
    return None if unpack_to is None else Path(unpack_to["path"]).expanduser()


def unpack_classes(source: Path, unpack_to: Path) -> Path:
    """Unpack videos to `<class>/<file>`, if that was not done before.

    Args:
        source: An archive of class folders or of one archive a class, or a folder of the latter.
        unpack_to: Holds one folder a source.

    Returns:
        The folder of class folders.

    Raises:
        DatasetError: One line says which archive cannot be used and why, or that space is short.
    """
    return _unpack_once(source, unpack_to, _classes)


def unpack_folder(source: Path, unpack_to: Path, is_wanted: Callable[[str], bool]) -> Path:
    """Unpack the files of wanted names, which must lie in one folder, if not done before.

    Args:
        source: An archive.
        unpack_to: Holds one folder a source.
        is_wanted: Tells by a file's name.

    Returns:
        The folder of those files.

    Raises:
        DatasetError: As for `unpack_classes`.
    """
    return _unpack_once(source, unpack_to, partial(_only_folder, is_wanted=is_wanted)) / _FILES


@dataclass(frozen=True)
class _Part:
    """A folder that comes out of an archive: its name, its bytes as far as known, its filling."""

    name: str
    size: int
    fill: Callable[[Path], None]


_Parts = Callable[[Path], AbstractContextManager[list[_Part]]]


def _unpack_once(source: Path, unpack_to: Path, open_parts: _Parts) -> Path:
    identity = _identity(source)
    root = unpack_to / f"{_stem(source.name)}-{_digest(identity)}"
    if _is_complete(root):
        return root
    try:
        with open_parts(source) as parts:
            _unpack_missing(source, parts, root)
        _mark_complete(root, identity)
    except (OSError, DatasetError) as error:
        # Another process may have been faster, and have cleared away what we were filling.
        if _is_complete(root):
            return root
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{source} cannot be unpacked to {root}: {error}. Free some space there, or name "
            "another folder with --params data_root=…"
        ) from error
    return root


def _unpack_missing(source: Path, parts: list[_Part], root: Path) -> None:
    missing = [part for part in parts if not (root / part.name).is_dir()]
    root.mkdir(parents=True, exist_ok=True)
    _check_space(sum(part.size for part in missing), root, str(source))
    logger.info("Unpacking %d of %d folders of %s to %s.", len(missing), len(parts), source, root)
    for part in missing:
        if (root / part.name).is_dir():  # by another process, meanwhile
            continue
        with TemporaryDirectory(prefix=_UNFINISHED, dir=root) as unfinished:
            folder = Path(unfinished) / part.name
            folder.mkdir()
            part.fill(folder)
            _publish(folder, root / part.name)


def _publish(folder: Path, place: Path) -> None:
    try:
        folder.rename(place)
    except OSError:
        if not place.is_dir():  # where it is, another process has put the same there
            raise


@contextmanager
def _classes(source: Path) -> Iterator[list[_Part]]:
    allowance = Allowance()
    if source.is_dir():
        yield [
            _Part(label, file.stat().st_size, partial(_fill_from_archive, file, allowance))
            for label, file in archives_in(source).items()
        ]
        return
    with open_archive(source) as archive:
        files = archive.files(allowance)
        if videos := [member for member in files if _is_video(member.path.name)]:
            yield _class_folders(archive, videos)
        else:
            yield _class_archives(archive, files, allowance)


@contextmanager
def _only_folder(source: Path, is_wanted: Callable[[str], bool]) -> Iterator[list[_Part]]:
    with open_archive(source) as archive:
        members = [m for m in archive.files(Allowance()) if is_wanted(m.path.name)]
        if not members:
            raise DatasetError(
                f"{archive.name} holds no file of the kind that is looked for here. Check that it "
                "is the right archive."
            )
        _check_one_folder([m.path.parent for m in members], archive, "files")
        yield [_Part(_FILES, _bytes(members), partial(_write, archive, members))]


def _class_folders(archive: Archive, videos: list[Member]) -> list[_Part]:
    if loose := [m.path for m in videos if len(m.path.parts) < 2]:
        raise DatasetError(
            f"{archive.name} holds videos outside of a class folder. Received: {loose[0]}. "
            "Put each below the folder of its class."
        )
    _check_one_folder([m.path.parent.parent for m in videos], archive, "class folders")
    by_class: dict[str, list[Member]] = {}
    for member in videos:
        by_class.setdefault(member.path.parent.name, []).append(member)
    return [
        _Part(label, _bytes(members), partial(_write, archive, members))
        for label, members in by_class.items()
    ]


def _class_archives(archive: Archive, files: list[Member], allowance: Allowance) -> list[_Part]:
    nested = [member for member in files if _is_archive(member.path.name)]
    if not nested:
        raise DatasetError(_nothing_in(archive))
    _check_one_folder([m.path.parent for m in nested], archive, "archives of classes")
    return [
        _Part(
            _stem(member.path.name),
            member.size,
            partial(_fill_from_nested, archive, member, allowance),
        )
        for member in nested
    ]


def _fill_from_nested(archive: Archive, member: Member, allowance: Allowance, folder: Path) -> None:
    # Written first, because the programs that unpack RAR read files; removed with the folder.
    nested = folder.parent / _NESTED
    _check_space(member.size, folder, archive.name)
    _write_file(archive, member, nested)
    name = f"{member.path.name} in {archive.name}"
    _fill_from_archive(nested, allowance, folder, name)


def _fill_from_archive(
    file: Path, allowance: Allowance, folder: Path, name: str | None = None
) -> None:
    with open_archive(file, name) as archive:
        files = archive.files(allowance)
        videos = [member for member in files if _is_video(member.path.name)]
        if not videos and any(_is_archive(member.path.name) for member in files):
            raise DatasetError(
                f"{archive.name} should hold the videos of one class, and holds archives. Name it "
                "itself instead, or unpack it."
            )
        if not videos:
            raise DatasetError(_nothing_in(archive))
        _check_one_folder([m.path.parent for m in videos], archive, "videos of one class")
        _check_space(_bytes(videos), folder, archive.name)
        _write(archive, videos, folder)


def _write(archive: Archive, members: list[Member], folder: Path) -> None:
    for member in members:
        _write_file(archive, member, folder / member.path.name)


def _write_file(archive: Archive, member: Member, file: Path) -> None:
    with file.open("wb") as out:
        for chunk in archive.chunks(member):
            out.write(chunk)


def _check_one_folder(folders: list[PurePosixPath], archive: Archive, what: str) -> None:
    if len(found := sorted(set(folders))) > 1:
        raise DatasetError(
            f"{archive.name} is nested in an unknown way: its {what} should lie in one folder. "
            f"Received: {', '.join(map(str, found[:3]))}{', …' if len(found) > 3 else ''}. Unpack "
            "it yourself and name a folder of class folders instead."
        )


def _check_space(needed: int, folder: Path, archive: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DatasetError(
            f"{archive} needs {needed / 1e9:.2f} GB to be unpacked below {folder.resolve()}, where "
            f"{free / 1e9:.2f} GB are free. Free some space there, or name another folder with "
            "--params data_root=…"
        )


def _bytes(members: list[Member]) -> int:
    return sum(member.size for member in members)


def _nothing_in(archive: Archive) -> str:
    return (
        f"{archive.name} holds no video ({', '.join(sorted(VIDEO_SUFFIXES))}) and no archive of a "
        "class. Check that it is the right archive."
    )


def _identity(source: Path) -> list[dict[str, Any]]:
    files = archives_in(source).values() if source.is_dir() else [source]
    stats = [(file.name, file.stat()) for file in files]
    return [{"name": n, "size": s.st_size, "mtime_ns": s.st_mtime_ns} for n, s in stats]


def _digest(identity: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]


def _is_complete(root: Path) -> bool:
    return (root / _MARKER).is_file()


def _mark_complete(root: Path, identity: list[dict[str, Any]]) -> None:
    with TemporaryDirectory(prefix=_UNFINISHED, dir=root) as unfinished:
        marker = Path(unfinished) / _MARKER
        marker.write_text(json.dumps({"archives": identity}, indent=1) + "\n", encoding="utf-8")
        os.replace(marker, root / _MARKER)
    # Left by killed runs, or being filled by a process that will find the marker.
    for leftover in root.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _is_video(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES


def _is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def _stem(name: str) -> str:
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]
