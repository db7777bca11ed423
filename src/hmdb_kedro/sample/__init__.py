"""The drawn sample set and its truth.

The datasets are imported on first use, so that `hmdb_kedro.sample.truth` needs neither Kedro nor
OpenCV.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmdb_kedro.sample.rendered import RenderedSplits, RenderedVideos

__all__ = ["RenderedSplits", "RenderedVideos"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from hmdb_kedro.sample import rendered  # noqa: PLC0415 (Kedro is heavy)

    return getattr(rendered, name)
