"""What a run has stored, as an evaluation over several runs takes it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from hmdb_kedro.params import hash_values


@dataclass(frozen=True)
class ScoredRun:
    """What one run stored of one model's scores.

    Attributes:
        model: The model, `two_stream` among them.
        split: The split.
        seed: The seed.
        version: The catalog's version of the scores.
        protocol: What was stored beside them; `settings_key` tells runs that go together.
        load_scores: Reads the scores.
        sources: Source video by clip.
        data_set: Where it comes from; told apart when several are pooled.
    """

    model: str
    split: int
    seed: int
    version: str
    protocol: Mapping[str, Any]
    load_scores: Callable[[], pd.DataFrame]
    sources: Mapping[str, str]
    data_set: str = ""


def fused_settings_key(fused: Mapping[str, Any], streams: Iterable[Mapping[str, Any]]) -> str:
    """Return the `settings_key` of a fusion: 16 hex digits, of its rule and of its streams' keys.

    Args:
        fused: streams, rule and temperature of its protocol.
        streams: The protocols of its streams, in its order.
    """
    recipe = [fused["streams"], fused["rule"], fused["temperature"]]
    return hash_values([recipe, [stream["settings_key"] for stream in streams]])


def read_stored(file: Path) -> dict[str, Any]:
    """Return what a run has stored as JSON; nothing where a kill has cut it off."""
    try:
        stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return stored
