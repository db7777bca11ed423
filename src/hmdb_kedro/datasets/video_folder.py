"""A folder of class folders of videos, as lazy readers."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.video.clips import VIDEO_SUFFIXES, ClipFolder


class VideoFolder(AbstractDataset[NoReturn, ClipFolder]):
    """Load the clips below `path/<class>/` as lazy readers.

    Example catalog entry:
    ```yaml
    raw_videos:
      type: hmdb_kedro.datasets.VideoFolder
      path: data/01_raw/hmdb51_org
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path).expanduser()
        self.metadata = metadata

    def load(self) -> ClipFolder:
        """Return the clips; nothing is opened or listed yet.

        Raises:
            DatasetError: The folder is absent, or holds no video in a class folder.
        """
        clips = ClipFolder(self._path)
        if not self._path.is_dir():
            raise DatasetError(
                f"`raw_videos`: there is no folder {self._path}. Put the class folders there, or "
                "name theirs with --params raw_videos_dir=…"
            )
        if next(iter(clips), None) is None:
            raise DatasetError(
                f"`raw_videos`: {self._path} holds no class folder with a video "
                f"({', '.join(sorted(VIDEO_SUFFIXES))})."
            )
        return clips

    def save(self, data: NoReturn) -> None:
        """Refuse: the raw clips are the user's."""
        raise DatasetError("`raw_videos` is read-only.")

    def _exists(self) -> bool:
        return next(iter(ClipFolder(self._path)), None) is not None

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}
