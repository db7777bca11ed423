"""What others have published on HMDB51: cited, not measured here."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd

UNCHECKED = "not checked"


def published_figures() -> pd.DataFrame:
    """Return a row a figure.

    Returns:
        short (a name for figures), model, top1 (share of test clips), splits, streams,
        pretraining, source, address, where (the table the figure stands in), read_in and read_on
        (what was read to check it, and when; null where nobody has), kind (published), and
        checked: the same in words.
    """
    text = files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    rows = json.loads(text)
    return pd.DataFrame(rows).assign(kind="published", checked=[_checked(row) for row in rows])


def _checked(row: Mapping[str, Any]) -> str:
    if not row.get("read_on"):
        return UNCHECKED
    return f"{row['where']}; checked {row['read_on']} in the {row['read_in']}"
