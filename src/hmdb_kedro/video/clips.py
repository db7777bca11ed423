"""The clips of a folder, as lazy readers."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

VIDEO_SUFFIXES = frozenset(
    {".avi", ".mp4", ".mkv", ".webm", ".mov", ".mpg", ".mpeg", ".m4v", ".wmv", ".flv"}
)


def is_video(file: Path) -> bool:
    """Whether a file is a video by its name, and not hidden.

    On drives that it does not know, macOS leaves a `._<name>` beside each file.
    """
    return file.suffix.lower() in VIDEO_SUFFIXES and file.name[0] != "." and file.is_file()


@dataclass(frozen=True)
class ClipFile:
    """One clip on disk; cheap to make and to send to a worker.

    Attributes:
        clip_id: `<label>/<file name>`, Unicode NFC.
        path: The same as on disk, relative to the folder, with `/`.
        file: Where it lies on this machine.
    """

    clip_id: str
    path: str
    file: Path

    @property
    def label(self) -> str:
        """The class folder's name."""
        return self.clip_id.split("/", 1)[0]


class ClipFolder(Mapping[str, ClipFile]):
    """The clips of a folder by their relative path; listed only when iterated."""

    def __init__(self, root: Path):
        self.root = root

    def __getitem__(self, path: str) -> ClipFile:
        return ClipFile(unicodedata.normalize("NFC", path), path, self.root / path)

    def __iter__(self) -> Iterator[str]:
        for folder in sorted(self._class_folders()):
            for file in sorted(folder.iterdir()):
                if is_video(file):
                    yield f"{folder.name}/{file.name}"

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _class_folders(self) -> Iterator[Path]:
        if not self.root.is_dir():
            return iter(())
        return (
            entry for entry in self.root.iterdir() if entry.is_dir() and entry.name[0] not in "._"
        )
