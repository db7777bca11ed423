"""Features of a frozen backbone, computed once: what phase 1 of the spatial stream learns from."""

import hashlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa

from hmdb_kedro.models.backbones import backbone_of, fingerprint
from hmdb_kedro.params import SpatialParams
from hmdb_kedro.video.augmentation import fixed_views
from hmdb_kedro.video.samples import FixedViews, Pictures, make_sampler

_CLIPS_AT_ONCE = 16
_COLUMNS = [
    ("clip_id", pa.string()),
    ("content_hash", pa.string()),
    ("settings_hash", pa.string()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("n_pictures", pa.int32()),
    ("status", pa.string()),
    ("seconds", pa.float64()),
    ("features", pa.list_(pa.binary())),
]


def head_samples(params: SpatialParams) -> int:
    """Return a clip's samples in phase 1: fixed views × segments."""
    return params.head_views * params.samples_per_clip


def head_sampler(params: SpatialParams) -> FixedViews:
    """Return what reads the pictures of phase 1; the centre view's come first."""
    return FixedViews(make_sampler(params), fixed_views, params.samples_per_clip)


def feature_settings(
    model: keras.Model, params: SpatialParams, extraction: dict[str, Any]
) -> dict[str, Any]:
    """Return what shapes a clip's features: backbone and weights, preprocessing and views.

    Args:
        model: One that `build_extractor` is the body of.
        params: Sizes and views.
        extraction: Settings of the table of frames.
    """
    centre = [layer.get_config() for layer in model.layers if layer.name == "centre"]
    return {
        "weights_hash": fingerprint(backbone_of(model)),
        "centre": [[layer["mean"], layer["variance"]] for layer in centre],
        "is_bgr": any(operation.name.startswith("flip") for operation in model.operations),
        "image_size": params.image_size,
        "views": params.head_views,
        "segments": params.samples_per_clip,
        "frames": extraction,
    }


def hash_settings(settings: dict[str, Any]) -> str:
    """Return 16 hex digits that change when a setting does."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def features_schema(settings: dict[str, Any]) -> pa.Schema:
    """Return the columns of a features table, its settings in the metadata."""
    return pa.schema(_COLUMNS, metadata={"settings": json.dumps(settings, sort_keys=True)})


def feature_batches(
    extractor: keras.Model,
    clips: pd.DataFrame,
    frames: Pictures,
    params: SpatialParams,
    settings: dict[str, Any],
) -> Iterator[pa.Table]:
    """Yield one row a clip, a batch at a time; the next one is read while one is computed.

    Args:
        extractor: From RGB pictures to features.
        clips: clip_id and content_hash of the clips to do.
        frames: The table they are read from.
        params: Views, segments, sizes.
        settings: See `feature_settings`.
    """
    schema, key = features_schema(settings), hash_settings(settings)
    parts = [clips.iloc[i : i + _CLIPS_AT_ONCE] for i in range(0, len(clips), _CLIPS_AT_ONCE)]
    with ThreadPoolExecutor(params.loader_threads) as readers:
        waiting = [_read(part, frames, params, readers) for part in parts[:1]]
        for number, part in enumerate(parts):
            start = time.perf_counter()
            pictures = np.stack([future.result() for future in waiting.pop()])
            waiting += [_read(after, frames, params, readers) for after in parts[number + 1 :][:1]]
            features = _extract(extractor, pictures, params.batch_size)
            seconds = (time.perf_counter() - start) / len(part)
            rows = _rows(part, features.reshape(len(part), head_samples(params), -1))
            common = {"settings_hash": key, "status": "ok", "seconds": seconds}
            yield pa.Table.from_pylist([row | common for row in rows], schema=schema)


def _read(
    clips: pd.DataFrame, frames: Pictures, params: SpatialParams, readers: ThreadPoolExecutor
) -> list[Any]:
    sampler, n_samples = head_sampler(params), head_samples(params)
    return [
        readers.submit(sampler, frames, clip_id, (number, n_samples))
        for clip_id in clips["clip_id"]
        for number in range(n_samples)
    ]


def _extract(extractor: keras.Model, pictures: np.ndarray, batch_size: int) -> np.ndarray:
    starts = range(0, len(pictures), batch_size)
    found = [extractor.predict_on_batch(pictures[i : i + batch_size]) for i in starts]
    return np.concatenate(found).astype(np.float32)


def _rows(clips: pd.DataFrame, features: np.ndarray) -> Iterator[dict[str, Any]]:
    for clip, vectors in zip(clips.itertuples(), features, strict=True):
        yield {
            "clip_id": clip.clip_id,
            "content_hash": clip.content_hash,
            "height": 1,
            "width": vectors.shape[1],
            "n_pictures": len(vectors),
            "features": [vector.tobytes() for vector in vectors],
        }
