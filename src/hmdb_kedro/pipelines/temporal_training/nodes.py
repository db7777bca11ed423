"""Nodes of the temporal_training pipeline."""

from collections.abc import Callable, Mapping
from functools import partial

import keras
import pandas as pd

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets.checkpoint import CheckpointFiles
from hmdb_kedro.datasets.weights_folder import Weights
from hmdb_kedro.models.cnn3d import build_cnn3d
from hmdb_kedro.models.stacked_flow import build_flow_resnet50
from hmdb_kedro.params import Cnn3dParams, FlowParams, TemporalParams
from hmdb_kedro.training.ablation import RepeatedFrame, ShuffledFlow, ZeroFlow
from hmdb_kedro.training.fit import EpochLog
from hmdb_kedro.training.scoring import score_clips
from hmdb_kedro.training.streams import Start, Training, clips_of, train_model
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.samples import Pictures
from hmdb_kedro.video.tables import ClipTable


def train_on_frames(
    clip_index: pd.DataFrame,
    frames: ClipTable,
    pretrained: Weights,
    params: Cnn3dParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: CheckpointFiles,
) -> Training:
    """Train a 3D CNN on stacked RGB frames."""
    build = partial(build_cnn3d, params, channels=3, seed=seed)
    start = Start(checkpoint, pretrained)
    return train_model(build, (clip_index, frames), params, seed, epoch_log, start)


def train_on_flow(
    clip_index: pd.DataFrame,
    flow: ClipTable,
    pretrained: Weights,
    params: TemporalParams,
    seed: int,
    epoch_log: EpochLog,
    checkpoint: CheckpointFiles,
) -> Training:
    """Train a 3D CNN, or a 2D network, on stacked optical flow: the temporal stream."""
    build: Callable[..., keras.Model]
    if params.architecture == "resnet50":
        weights = None if params.init_from else pretrained.find_resnet50(params)
        build = partial(build_flow_resnet50, params, weights=weights, seed=seed)
    else:
        build = partial(build_cnn3d, params, channels=2, seed=seed)
    start = Start(checkpoint, pretrained)
    return train_model(build, (clip_index, flow), params, seed, epoch_log, start)


def score_without_motion(
    trained: TrainedModel,
    clip_index: pd.DataFrame,
    flow: ClipTable,
    raw_videos: ClipFolder,
    flow_params: FlowParams,
    seed: int,
) -> pd.DataFrame:
    """Score test clips whose motion is gone: frames shuffled before flow, and zero flow.

    Returns:
        ablation (`shuffled_frames`, `zero_flow`), then the columns of scores.
    """
    clips = clips_of({"test"}, clip_index, flow)
    sources: dict[str, Pictures] = {
        "shuffled_frames": ShuffledFlow(clips, raw_videos, flow_params, seed),
        "zero_flow": ZeroFlow(flow),
    }
    return _ablated(trained, clips, sources)


def score_on_one_frame(
    trained: TrainedModel, clip_index: pd.DataFrame, frames: ClipTable
) -> pd.DataFrame:
    """Score test clips of which one frame is left, repeated: appearance without motion.

    Returns:
        ablation (`one_frame_repeated`), then the columns of scores.
    """
    clips = clips_of({"test"}, clip_index, frames)
    return _ablated(trained, clips, {"one_frame_repeated": RepeatedFrame(frames)})


def _ablated(
    trained: TrainedModel, clips: pd.DataFrame, sources: Mapping[str, Pictures]
) -> pd.DataFrame:
    scores = {name: score_clips(trained, clips, source) for name, source in sources.items()}
    return pd.concat(scores, names=["ablation"]).reset_index(level=0).reset_index(drop=True)
