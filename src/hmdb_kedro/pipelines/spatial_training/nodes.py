"""Nodes of the spatial_training pipeline."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import pyarrow as pa

from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.datasets.weights_folder import Weights
from hmdb_kedro.models.spatial import build_frozen, build_spatial
from hmdb_kedro.params import SpatialParams
from hmdb_kedro.training.features import (
    feature_batches,
    feature_settings,
    features_schema,
    hash_settings,
)
from hmdb_kedro.training.fit import EpochLog
from hmdb_kedro.training.phases import fit_in_phases
from hmdb_kedro.training.streams import Start, Training, clips_of, train_model
from hmdb_kedro.video.tables import ClipTable


def compute_features(
    clip_index: pd.DataFrame,
    frames: ClipTable,
    progress: pd.DataFrame,
    pretrained: Weights,
    params: SpatialParams,
    seed: int,
) -> Iterator[pa.Table]:
    """Compute the frozen backbone's features of the training and validation clips that are new.

    A clip is done when it has a row of its content, the backbone and its weights, the
    preprocessing and the views. Where there is no phase 1, the table is empty.
    """
    if not params.trains_head:
        if progress.empty:
            yield features_schema({}).empty_table()
        return
    extractor = build_frozen(params, weights=pretrained.find(params), seed=seed)
    settings = feature_settings(extractor, params, frames.settings)
    current = progress[progress["settings_hash"] == hash_settings(settings)]
    keys = ["clip_id", "content_hash"]
    asked = clips_of({"train", "val"}, clip_index, frames)[keys].reset_index(drop=True)
    done = pd.MultiIndex.from_frame(asked).isin(pd.MultiIndex.from_frame(current[keys]))
    yield from feature_batches(extractor, asked[~done], frames, params, settings)


def train_spatial(
    clip_index: pd.DataFrame,
    frames: ClipTable,
    features: ClipTable,
    pretrained: Weights,
    params: SpatialParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: CheckpointFiles,
) -> Training:
    """Train a 2D network on single RGB frames: its head on cached features, then all or a part."""
    weights = None if params.init_from else pretrained.find(params)
    build = partial(build_spatial, params, weights=weights, seed=seed)
    fit_model = partial(fit_in_phases, features=features, extraction=frames.settings)
    start = Start(checkpoint, pretrained, fit_model)
    return train_model(build, (clip_index, frames), params, seed, epoch_log, start)
