"""Nodes of the spatial_training pipeline."""

from functools import partial

import pandas as pd

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.datasets.weights_folder import Weights
from hmdb_kedro.models.resnet50 import build_resnet50
from hmdb_kedro.params import SpatialParams
from hmdb_kedro.training.fit import EpochLog
from hmdb_kedro.training.streams import History, train_model
from hmdb_kedro.video.tables import ClipTable


def train_spatial(
    clip_index: pd.DataFrame,
    frames: ClipTable,
    pretrained: Weights,
    params: SpatialParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: CheckpointFiles,
) -> tuple[TrainedModel, History]:
    """Fine-tune ResNet-50 on single RGB frames."""
    weights = None if params.init_from else pretrained.find(params.weights)
    build = partial(build_resnet50, params, weights=weights, seed=seed)
    return train_model(build, (clip_index, frames), params, seed, epoch_log, checkpoint, pretrained)
