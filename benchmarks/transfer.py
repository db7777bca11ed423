"""What the cached features of phase 1 save."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.clips import CONF, base_params, index_of, some_clips
from benchmarks.extraction import extract
from benchmarks.measure import Measurement
from hmdb_kedro.datasets import LanceTable
from hmdb_kedro.models.backbones import backbone_of
from hmdb_kedro.models.spatial import build_frozen, build_head, build_spatial
from hmdb_kedro.params import SpatialParams
from hmdb_kedro.training.features import (
    feature_batches,
    feature_settings,
    head_sampler,
    head_samples,
)
from hmdb_kedro.training.fit import TrainingSet, fit
from hmdb_kedro.video.samples import read_features
from hmdb_kedro.video.tables import ClipTable

N_CLIPS, N_VAL, EPOCHS, SEED = 24, 6, 3, 1


def frozen_epoch_speedup(folder: Path) -> Iterator[Measurement]:
    """Compare an epoch of phase 1 on cached features with one on the same views computed anew.

    ResNet-50 at 224 pixels with drawn weights, four views × three segments a clip, no dropout (it
    would be drawn differently). The last epoch counts: the first one traces.
    """
    frames, clips = _frames(folder)
    params = _params()
    start = time.perf_counter()
    features = _cache(frames, clips, params, folder)
    cache_s = time.perf_counter() - start
    both = {"num_classes": clips["label"].nunique(), "seed": SEED}
    head = partial(build_head, params, num_features=features.shape(clips["clip_id"][0])[2], **both)
    cached_s, cached = _last_epoch(head, _data(clips, features, read_features, params), params)
    whole = partial(_build_with_frozen_backbone, params, weights=None, **both)
    anew_s, anew = _last_epoch(whole, _data(clips, frames, head_sampler(params), params), params)
    details = {"cached_s": cached_s, "anew_s": anew_s, "clips": len(clips), "cache_s": cache_s}
    yield Measurement("frozen_epoch_speedup", anew_s / cached_s, 20, None, details)
    yield Measurement("frozen_epoch_cache_s", cache_s, None, None, {"clips": len(clips)})
    difference = max(
        abs(one[name] / other[name] - 1)
        for one, other in zip(cached, anew, strict=True)
        for name in ("val_loss", "loss")
    )
    yield Measurement("frozen_epoch_loss_difference", difference, None, 1e-3, {"epochs": cached})


def _frames(folder: Path) -> tuple[ClipTable, pd.DataFrame]:
    videos = some_clips(folder)
    clips = index_of(videos, N_CLIPS).head(N_CLIPS)
    extract("frames", videos, clips, folder, base_params("frames"))
    clips["label_id"] = clips["label"].astype("category").cat.codes.astype(int)
    return LanceTable(path=str(folder / "frames.lance")).load(), clips


def _params() -> SpatialParams:
    file = CONF / "parameters_spatial_training.yml"
    values = yaml.safe_load(file.read_text("utf-8"))["spatial"]
    changes = {"weights": "none", "dropout": 0.0, "epochs": EPOCHS, "patience": None}
    return SpatialParams(**(values | changes))


def _cache(
    frames: ClipTable, clips: pd.DataFrame, params: SpatialParams, folder: Path
) -> ClipTable:
    extractor = build_frozen(params, weights=None, seed=SEED)
    settings = feature_settings(extractor, params, frames.settings)
    table = LanceTable(path=str(folder / "features.lance"))
    for batch in feature_batches(extractor, clips, frames, params, settings):
        table.save(batch)
    return table.load()


def _data(
    clips: pd.DataFrame, pictures: ClipTable, sampler: Any, params: SpatialParams
) -> TrainingSet:
    # Every fourth clip, so that both parts have all classes.
    is_val = np.arange(len(clips)) % (len(clips) // N_VAL) == 0
    parts = clips[~is_val], clips[is_val]
    return TrainingSet(*parts, pictures, clips["label"].nunique(), sampler, head_samples(params))


def _build_with_frozen_backbone(params: SpatialParams, **given: Any) -> Any:
    model = build_spatial(params, **given)
    backbone_of(model).trainable = False
    return model


def _last_epoch(
    build: Any, data: TrainingSet, params: SpatialParams
) -> tuple[float, list[dict[str, float]]]:
    clock = _Clock()
    history = fit(build, data, params, SEED, clock).history
    return clock.times[-1] - clock.times[-2], history["epochs"]


class _Clock:
    """An epoch log that keeps when each epoch ended."""

    run_id: str | None = None

    def __init__(self) -> None:
        self.times: list[float] = []

    def log(self, metrics: Mapping[str, float], epoch: int) -> None:
        self.times.append(time.perf_counter())
