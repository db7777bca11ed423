"""A worker's share of the sample set: the clips of one source, put into files.

Workers import this module alone, which needs neither Kedro nor pandas.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from hmdb_kedro.sample.scene import draw_source, write_clip
from hmdb_kedro.sample.truth import SampleClip

UNFINISHED = ".part"


def draw_files(clips: list[SampleClip], root: Path) -> None:
    """Draw clips of one source to `root/<clip_id>`; each appears there whole or not at all.

    Raises:
        OSError: A file cannot be written.
    """
    with _serial_opencv():
        source = draw_source(clips[0].source_key)
        for clip in clips:
            unfinished = unfinished_file(root, clip.file_name)
            try:
                write_clip(clip, source, unfinished)
                os.replace(unfinished, root / clip.clip_id)
            finally:
                unfinished.unlink(missing_ok=True)


def unfinished_file(root: Path, name: str) -> Path:
    """Name a file in the making: no video, and this process's alone, so that two may draw."""
    return root / f".{os.getpid()}-{name}{UNFINISHED}"


@contextmanager
def _serial_opencv() -> Iterator[None]:
    """Keep OpenCV from starting threads of its own in every worker."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)
