"""`kedro hmdb demo`: from the catalog to the page."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol, DatasetError

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Limits, Workers, write_export
from hmdb_kedro.inference.exported import Exported
from hmdb_kedro.jobs.predicting import exported_of
from hmdb_kedro.page.drawing import Drawing, Picture
from hmdb_kedro.page.folders import own_folder
from hmdb_kedro.page.gallery import gather, stream_titles
from hmdb_kedro.page.looking import film, look
from hmdb_kedro.page.parts import Parts
from hmdb_kedro.page.uploads import MOST_BYTES, private_uploads
from hmdb_kedro.params import FUSED
from hmdb_kedro.reporting.sheets import thumbnail_uri
from hmdb_kedro.video.decode import UnreadableClipError
from hmdb_kedro.video.tables import ClipTable

_KEPT_PICTURES = 2000
_LIMITS = Limits(max_bytes=MOST_BYTES)

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
    exported = _exported(catalog, train)
    with private_uploads() as uploads, _workers(exported) as workers:
        # Gradio makes a folder of its own below TMPDIR when it is imported.
        from hmdb_kedro.page.app import build_page, launch_page  # noqa: PLC0415

        page = build_page(parts_of(catalog, exported, workers), uploads)
        say(f"The page: {launch_page(page, port)} (Ctrl-C ends it)")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            say("")
        finally:
            page.close(verbose=False)


def parts_of(catalog: Catalog, exported: Exported, workers: Workers) -> Parts:
    """Return what the page is made of, from what a run has stored."""
    how = {name: preprocessing for name, (_, preprocessing) in exported.streams.items()}
    titles = stream_titles(how)
    scores = {name: catalog.load(f"{name}.scores") for name in (*titles, FUSED)}
    tones = {name: preprocessing["sampler"]["modality"] for name, preprocessing in how.items()}
    return Parts(
        gallery=gather(catalog.load("clip_index"), scores, titles, exported.fusion),
        drawing=Drawing(titles, tones, exported.fusion),
        look=partial(look, workers),
        film=lambda video, seconds: workers.run(film, video, seconds=seconds),
        picture=_middle_picture(catalog.load("frames_if_any")),
        files=video_files(catalog),
    )


def video_files(catalog: Catalog) -> Callable[[str], Path]:
    """Return where clips lie, by their path in the index; looked for when one is asked for.

    The function raises UnreadableClipError where they are gone, without which the rest goes on.
    """
    load = cache(lambda: catalog.load("raw_videos"))

    def file_of(path: str) -> Path:
        try:
            return Path(load()[path].file)
        except DatasetError:
            raise UnreadableClipError("the videos of the run are not there any more") from None

    return file_of


def _exported(catalog: Catalog, train: str) -> Exported:
    """Return the networks of a finished run, once all is known to be there that the page shows."""
    _require(catalog, ["two_stream.fusion", f"{FUSED}.scores", "clip_index"], train)
    streams = catalog.load("two_stream.fusion")["streams"]
    _require(catalog, [f"{name}.{kind}" for name in streams for kind in ("onnx", "scores")], train)
    return exported_of(catalog)


@contextmanager
def _workers(exported: Exported) -> Iterator[Workers]:
    """Start workers on an export of their own: another run may replace the catalog's files."""
    with own_folder() as folder:
        write_export(exported, folder / "export")
        with Workers(folder / "export", _LIMITS) as workers:
            yield workers


def _require(catalog: Catalog, entries: list[str], train: str) -> None:
    missing = [entry for entry in entries if not catalog.exists(entry)]
    if missing:
        raise UserError(
            f"The page shows a finished run. Received: no {', '.join(missing)}. Do: {train}"
        )


def _middle_picture(frames: ClipTable | None) -> Picture:
    @lru_cache(maxsize=_KEPT_PICTURES)
    def picture(clip_id: str) -> str | None:
        if frames is None or clip_id not in frames:
            return None
        return thumbnail_uri(frames.take(clip_id, [frames.shape(clip_id)[0] // 2])[0])

    return picture
