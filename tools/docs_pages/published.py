"""What others have published on HMDB51, as a table."""

from hmdb_kedro.reporting.published import published_figures


def table() -> str:
    """Return a row a figure."""
    head = [
        "| model | input | pretraining | splits | top-1 | source |",
        "|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {f.model} | {f.streams} | {f.pretraining} | {f.splits} | {f.top1:.3f} | {f.source} |"
        for f in published_figures().itertuples()
    ]
    return "\n".join([*head, *rows])
