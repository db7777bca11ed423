"""The sample set as the catalog holds it: clips drawn on first use, split lists computed."""

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from joblib import cpu_count
from joblib.externals.loky import ProcessPoolExecutor
from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.datasets.split_lists import COLUMNS
from hmdb_kedro.errors import UserError
from hmdb_kedro.sample.drawing import UNFINISHED, draw_files, unfinished_file
from hmdb_kedro.sample.scene import DRAWING_VERSION
from hmdb_kedro.sample.truth import SPLITS, SampleClip, SampleSet
from hmdb_kedro.video.clips import ClipFolder

logger = logging.getLogger(__name__)

_STAMP = "drawn.json"
# A clip is drawn in well under a second: an unfinished file this old was left by a killed run.
_LEFTOVER_S = 600.0
# Starting a worker takes about as long as drawing this many pictures.
_PICTURES_PER_WORKER = 500


class RenderedVideos(AbstractDataset[NoReturn, ClipFolder]):
    """Load the sample set below `path/<class>/`, drawing what is missing.

    Example catalog entry:
    ```yaml
    raw_videos:
      type: hmdb_kedro.sample.RenderedVideos
      path: data/01_raw/sample
      seed: 0
    ```
    """

    def __init__(
        self,
        *,
        path: str,
        seed: int = 0,
        sources_per_class: int = 9,
        clips_per_source: int = 3,
        frames: int = 40,
        metadata: dict[str, Any] | None = None,
    ):
        self._path = Path(path).expanduser()
        self._settings = _settings(seed, sources_per_class, clips_per_source, frames)
        self.metadata = metadata

    def load(self) -> ClipFolder:
        """Return the clips, after drawing those that are not there yet.

        A folder drawn with other settings is drawn anew; files that were not drawn here stay.

        Raises:
            DatasetError: A setting is out of range, or the folder cannot be written.
        """
        plan = _plan(self._settings)
        try:
            _draw_missing(plan, self._path)
        except OSError as error:
            raise DatasetError(
                f"`raw_videos`: the sample set cannot be drawn in {self._path}: {error}. Free some "
                "space there, or name another folder with --params data_root=…"
            ) from error
        return ClipFolder(self._path)

    def save(self, data: NoReturn) -> None:
        """Refuse: the clips are drawn, not given."""
        raise DatasetError("`raw_videos` is read-only.")

    def _exists(self) -> bool:
        plan = _plan(self._settings)
        return _read_stamp(self._path) == _stamp(plan) and not _missing(plan, self._path)

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), **self._settings}


class RenderedSplits(AbstractDataset[NoReturn, pd.DataFrame]):
    """Compute the sample set's split lists; the columns are those of `SplitLists`.

    The settings must be those of `RenderedVideos`. Nothing is drawn.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        sources_per_class: int = 9,
        clips_per_source: int = 3,
        frames: int = 40,
        metadata: dict[str, Any] | None = None,
    ):
        self._settings = _settings(seed, sources_per_class, clips_per_source, frames)
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Return a row for every clip and split: 1 train, 2 test.

        Raises:
            DatasetError: A setting is out of range.
        """
        plan = _plan(self._settings)
        rows = [
            (clip_id, clip.label, split, plan.part(clip, split))
            for split in SPLITS
            for clip_id, clip in plan.clips.items()
        ]
        return pd.DataFrame(rows, columns=COLUMNS)

    def save(self, data: NoReturn) -> None:
        """Refuse: the lists follow from the settings."""
        raise DatasetError("`raw_splits` is read-only.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return dict(self._settings)


def _settings(
    seed: int, sources_per_class: int, clips_per_source: int, frames: int
) -> dict[str, int]:
    return {
        "seed": seed,
        "sources_per_class": sources_per_class,
        "clips_per_source": clips_per_source,
        "frames": frames,
    }


def _plan(settings: dict[str, int]) -> SampleSet:
    try:
        return SampleSet(**settings)
    except UserError as error:
        raise DatasetError(str(error)) from None


def _draw_missing(plan: SampleSet, root: Path) -> None:
    """Bring the folder to the plan, clip by clip, so that a killed run goes on where it stopped."""
    if _read_stamp(root) != _stamp(plan):
        _remove_drawn(root)
        _write_stamp(plan, root)
    missing = _missing(plan, root)
    if not missing:
        return
    logger.info("Drawing %d of %d sample clips in %s.", len(missing), len(plan.clips), root)
    _remove_leftovers(root)
    for label in {clip.label for clip in missing}:
        (root / label).mkdir(exist_ok=True)
    _draw_sources(list(_by_source(missing)), root)


def _draw_sources(sources: list[list[SampleClip]], root: Path) -> None:
    """Draw clips source by source, in parallel where that pays."""
    draw = partial(draw_files, root=root)
    pictures = sum(clip.n_frames for clips in sources for clip in clips)
    workers = min(cpu_count(), pictures // _PICTURES_PER_WORKER)
    if workers < 2:
        _exhaust(map(draw, sources))
        return
    # Processes, because drawing is many short calls, between which threads wait for each other;
    # an executor of its own, because joblib's shared one keeps idle workers for minutes.
    with ProcessPoolExecutor(workers) as pool:
        _exhaust(pool.map(draw, sources))


def _exhaust(results: Iterable[None]) -> None:
    for _ in results:
        pass


def _missing(plan: SampleSet, root: Path) -> list[SampleClip]:
    return [clip for clip_id, clip in plan.clips.items() if not (root / clip_id).is_file()]


def _by_source(clips: Iterable[SampleClip]) -> Iterator[list[SampleClip]]:
    def key(clip: SampleClip) -> tuple[int, int, int]:
        return clip.source_key

    return (list(group) for _, group in groupby(sorted(clips, key=key), key=key))


def _stamp(plan: SampleSet) -> dict[str, Any]:
    return {"drawing": DRAWING_VERSION, **asdict(plan), "clips": list(plan.clips)}


def _read_stamp(root: Path) -> dict[str, Any] | None:
    try:
        stamp = json.loads((root / _STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) else None


def _write_stamp(plan: SampleSet, root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_file(root, _STAMP)
    unfinished.write_text(json.dumps(_stamp(plan), indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, root / _STAMP)


def _remove_drawn(root: Path) -> None:
    """Remove the clips that the stamp accounts for, and no other file."""
    stamp = _read_stamp(root) or {}
    for clip_id in stamp.get("clips", []):
        (root / clip_id).unlink(missing_ok=True)


def _remove_leftovers(root: Path) -> None:
    """Remove what killed runs left unfinished, but not what another process draws right now."""
    for file in root.glob(f".*{UNFINISHED}"):
        with suppress(FileNotFoundError):
            if time.time() - file.stat().st_mtime > _LEFTOVER_S:
                file.unlink()
