"""Class folders of videos, packed or not, as lazy readers."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.datasets.archives import (
    archives_in,
    locate,
    place_to_unpack,
    unpack_classes,
)
from hmdb_kedro.video.clips import VIDEO_SUFFIXES, ClipFolder

logger = logging.getLogger(__name__)


class VideoFolder(AbstractDataset[NoReturn, ClipFolder]):
    """Load the clips of class folders as lazy readers, unpacking them once where they are packed.

    `path` is a folder of class folders; an archive (RAR, ZIP, TAR) of those, or of one archive a
    class, as HMDB51 comes; or a folder of the latter. Where `path` is not there, an archive of
    that name is looked for (`<path>.rar`, …).

    Example catalog entry:
    ```yaml
    raw_videos:
      type: hmdb_kedro.datasets.VideoFolder
      path: data/01_raw/hmdb51_org
      unpack_to: {path: data/01_raw/unpacked_videos}
    ```
    """

    def __init__(
        self,
        *,
        path: str,
        unpack_to: Mapping[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ):
        """Describe the clips; nothing is opened.

        Args:
            path: Where they are.
            unpack_to: Where archives are unpacked (`path`); not needed for class folders.
            metadata: Ignored by Kedro; read by kedro-viz.
        """
        self._path = Path(path).expanduser()
        self._unpack_to = place_to_unpack(unpack_to)
        self.metadata = metadata

    def load(self) -> ClipFolder:
        """Return the clips; none is opened yet.

        Raises:
            DatasetError: Nothing is there, it holds no video, or an archive cannot be unpacked.
        """
        source = locate(self._path)
        if not source.exists():
            raise DatasetError(
                f"`raw_videos`: there is no folder {self._path}. Put the class folders or the "
                "archive there, or name theirs with --params raw_videos_dir=…"
            )
        clips = ClipFolder(self._folder(source))
        if next(iter(clips), None) is None:
            raise DatasetError(
                f"`raw_videos`: {source} holds no class folder with a video "
                f"({', '.join(sorted(VIDEO_SUFFIXES))}), and no archive of a class."
            )
        return clips

    def save(self, data: NoReturn) -> None:
        """Refuse: the raw clips are the user's."""
        raise DatasetError("`raw_videos` is read-only.")

    def _exists(self) -> bool:
        source = locate(self._path)
        if not source.is_dir():
            return source.exists()
        return next(iter(ClipFolder(source)), None) is not None or bool(archives_in(source))

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "unpack_to": str(self._unpack_to)}

    def _folder(self, source: Path) -> Path:
        """Return the folder of class folders, after unpacking it where it is packed."""
        archives = archives_in(source) if source.is_dir() else {source.name: source}
        if source.is_dir() and next(iter(ClipFolder(source)), None) is not None:
            _warn_of_unread(source, archives)
            return source
        if not archives:
            return source
        if self._unpack_to is None:
            raise DatasetError(
                f"`raw_videos`: {source} is packed, and its catalog entry does not say where to "
                "unpack it. Add `unpack_to: {path: …}`."
            )
        return unpack_classes(source, self._unpack_to)


def _warn_of_unread(folder: Path, archives: dict[str, Path]) -> None:
    if unread := [file.name for label, file in archives.items() if not (folder / label).is_dir()]:
        logger.warning(
            "%s holds class folders, so these archives beside them are not read: %s.",
            folder,
            ", ".join(unread),
        )
