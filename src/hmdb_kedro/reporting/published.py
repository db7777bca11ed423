"""What others have published on HMDB51: cited, not measured here."""

import json
from importlib.resources import files

import pandas as pd

CITED = "as cited by this project; not checked at its source"


def published_figures() -> pd.DataFrame:
    """Return a row a figure.

    Returns:
        short (a name for figures), model, top1 (share of test clips), splits, streams,
        pretraining, source, kind (published), and checked: how far the figure was checked.
    """
    text = files(__package__).joinpath("published.json").read_text(encoding="utf-8")
    return pd.DataFrame(json.loads(text)).assign(kind="published", checked=CITED)
