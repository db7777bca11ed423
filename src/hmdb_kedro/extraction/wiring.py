"""The three steps of an extraction stage."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node

from hmdb_kedro.extraction.increments import extraction_report


def extraction_nodes(
    kind: str, list_new_clips: Callable[..., Any], extract: Callable[..., Any]
) -> list[Node]:
    """Return the nodes that list what is new, extract it, and account for all clips.

    Args:
        kind: The table and its branch of parameters: `frames` or `flow`.
        list_new_clips: From the index, the progress and the parameters to what is to do.
        extract: From the videos, what is to do and the parameters to batches of rows.
    """
    todo = f"{kind}_todo"
    return [
        Node(
            list_new_clips,
            inputs=["clip_index", f"{kind}_progress", f"params:{kind}"],
            outputs=todo,
            name=f"list_new_{kind}",
        ),
        Node(
            extract,
            inputs=["raw_videos", todo, f"params:{kind}"],
            outputs=kind,
            name=f"extract_{kind}",
            confirms=kind,
        ),
        Node(
            extraction_report,
            inputs=[kind, "clip_index", todo],
            outputs=f"{kind}_report",
            name=f"report_{kind}",
        ),
    ]
