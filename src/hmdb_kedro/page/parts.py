"""What the page is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmdb_kedro.page.drawing import Drawing, Picture
from hmdb_kedro.page.gallery import Gallery
from hmdb_kedro.page.looking import Look


@dataclass(frozen=True)
class Parts:
    """A run, as the page shows it.

    Attributes:
        gallery: The test clips and their stored answers.
        drawing: Turns answers into HTML.
        look: Answers a video and makes its film.
        film: Makes the film of a clip of so many seconds.
        picture: A picture of a test clip as a page holds it, or None.
        files: Where a test clip lies, by its path in the index.
    """

    gallery: Gallery
    drawing: Drawing
    look: Callable[[Path], Look]
    film: Callable[[Path, float], bytes]
    picture: Picture
    files: Callable[[str], Path]
