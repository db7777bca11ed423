"""`kedro hmdb demo`: from the catalog to the page."""

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import CatalogProtocol

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Recogniser, Stream
from hmdb_kedro.page.app import Parts, build_page, launch_page
from hmdb_kedro.page.drawing import Drawing
from hmdb_kedro.page.gallery import FUSED, gather, stream_titles
from hmdb_kedro.page.looking import film, look
from hmdb_kedro.page.uploads import private_uploads
from hmdb_kedro.predicting import exported_of
from hmdb_kedro.video.tables import ClipTable

_KEPT_PICTURES = 2000

Catalog = CatalogProtocol[Any, Any]


def serve(catalog: Catalog, port: int | None, train: str, say: Callable[[str], None]) -> None:
    """Serve the page until it is stopped.

    Args:
        catalog: Of a finished run.
        port: Where; None takes the first free one from 7860 on.
        train: The command that makes what is missing.
        say: Takes the lines for the terminal.

    Raises:
        UserError: Nothing is trained yet, or the port is taken.
    """
    parts = parts_of(catalog, train)
    with private_uploads() as uploads:
        page = build_page(parts, uploads)
        say(f"The page: {launch_page(page, port)} (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say("")
        finally:
            page.close()


def parts_of(catalog: Catalog, train: str) -> Parts:
    """Return what the page is made of, from what a run has stored.

    Raises:
        UserError: Something is missing; it names the command that makes it.
    """
    _require(catalog, ["two_stream.fusion", f"{FUSED}.scores", "clip_index"], train)
    streams = catalog.load("two_stream.fusion")["streams"]
    needed = [f"{name}.{kind}" for name in streams for kind in ("onnx", "scores")]
    _require(catalog, needed, train)
    exported = exported_of(catalog)
    recogniser = Recogniser(
        [Stream.of_file(name, *made) for name, made in exported.streams.items()], exported.fusion
    )
    how = {name: preprocessing for name, (_, preprocessing) in exported.streams.items()}
    titles = stream_titles(how)
    scores = {name: catalog.load(f"{name}.scores") for name in (*streams, FUSED)}
    videos = catalog.load("raw_videos")
    return Parts(
        gallery=gather(catalog.load("clip_index"), scores, titles, exported.fusion),
        drawing=Drawing(titles, _tones(how), exported.fusion),
        look=lambda video: look(recogniser, video),
        film=lambda video, seconds: film(video, seconds, recogniser.flow),
        picture=_middle_picture(catalog.load("frames_if_any")),
        files=lambda path: Path(videos[path].file),
    )


def _require(catalog: Catalog, entries: list[str], train: str) -> None:
    missing = [entry for entry in entries if not catalog.exists(entry)]
    if missing:
        raise UserError(
            f"The page shows a finished run. Received: no {', '.join(missing)}. Do: {train}"
        )


def _tones(how: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {name: preprocessing["sampler"]["modality"] for name, preprocessing in how.items()}


def _middle_picture(frames: ClipTable | None) -> Callable[[str], np.ndarray | None]:
    @lru_cache(maxsize=_KEPT_PICTURES)
    def picture(clip_id: str) -> np.ndarray | None:
        if frames is None or clip_id not in frames:
            return None
        found: np.ndarray = frames.take(clip_id, [frames.shape(clip_id)[0] // 2])[0]
        return found

    return picture
