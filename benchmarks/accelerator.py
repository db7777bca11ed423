"""Training on a GPU: samples a second, and how long the device waits for its input."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import cpu_count

from benchmarks.measure import Benchmark, Measurement
from benchmarks.training import EpochEnds, model_params, some_tables

N_CLASSES = 51
EPOCHS = 4
# Of each stream: what it reads, samples an epoch, and batches that may fill the device.
STREAMS = {"spatial": ("frames", 4096, (128, 512)), "temporal": ("flow", 1024, (64, 256))}
PRECISIONS = ("mixed_bfloat16", "float32")


def accelerator(folder: Path) -> Iterator[Measurement]:
    """Train both streams of conf/base on the first GPU; without one, say so and measure nothing."""
    import keras  # noqa: PLC0415

    from hmdb_kedro.training.devices import list_devices  # noqa: PLC0415

    if not list_devices("gpu"):
        print(f"accelerator: skipped, {keras.backend.backend()} sees no GPU")  # noqa: T201
        return
    clips, tables = some_tables(folder)
    for stream, (kind, n_samples, batches) in STREAMS.items():
        params = model_params(stream, weights="none", loader_threads=max(1, cpu_count() - 2))
        yield from stream_rates(
            stream, repeated(clips, n_samples, params), tables[kind], params, batches
        )


def repeated(clips: pd.DataFrame, n_samples: int, params: Any) -> pd.DataFrame:
    """Return the clips again and again, until an epoch has so many samples."""
    times = -(-n_samples // (len(clips) * params.samples_per_clip))
    return pd.concat([clips] * times, ignore_index=True)


def stream_rates(
    stream: str, clips: pd.DataFrame, table: Any, params: Any, batches: tuple[int, ...]
) -> Iterator[Measurement]:
    """Measure one stream: the batch at which ready input is taken fastest, then `fit` with it.

    The device waits for the share of an epoch that ready input would have spared.
    """
    import keras  # noqa: PLC0415

    first = clips["clip_id"][0]
    for precision in PRECISIONS:
        rates = {}
        for batch in batches:
            how = _changed(params, precision, batch)
            rates[batch] = _rate(stream, clips, table, how, _Ready.of(table, first, how))
        best = max(rates, key=lambda batch: rates[batch])
        fitted = _rate(stream, clips, table, _changed(params, precision, best))
        details = {"batch_size": best, "ready": rates, "waits": 1 - fitted / rates[best]}
        name = f"accelerator.{keras.backend.backend()}.{stream}.{precision}"
        yield Measurement(name, fitted, details=details)
        batches = (best,)


def _changed(params: Any, precision: str, batch_size: int) -> Any:
    return params.model_copy(
        update={"precision": precision, "batch_size": batch_size, "epochs": EPOCHS}
    )


def _rate(stream: str, clips: pd.DataFrame, table: Any, params: Any, sampler: Any = None) -> float:
    """Return samples a second of the epochs after the first, which compiles."""
    from hmdb_kedro.training.fit import TrainingSet, fit  # noqa: PLC0415 - imports Keras

    log = EpochEnds()
    data = TrainingSet(clips, clips.iloc[:0], table, N_CLASSES, sampler=sampler)
    fit(_builder(stream, params), data, params, 1, log)
    return len(clips) * params.samples_per_clip / float(np.median(np.diff(log.ends)))


def _builder(stream: str, params: Any) -> Callable[[], Any]:
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
    from hmdb_kedro.models.spatial import build_spatial  # noqa: PLC0415

    if stream == "spatial":
        return partial(build_spatial, params, num_classes=N_CLASSES, weights=None, seed=1)
    return partial(build_cnn3d, params, num_classes=N_CLASSES, channels=2, seed=1)


@dataclasses.dataclass(frozen=True)
class _Ready:
    """A sampler that has its sample already."""

    sample: np.ndarray

    @classmethod
    def of(cls, table: Any, clip_id: str, params: Any) -> "_Ready":
        """Read one sample, to be given again and again."""
        from hmdb_kedro.video.samples import make_sampler  # noqa: PLC0415

        return cls(make_sampler(params)(table, clip_id, (0, params.samples_per_clip)))

    def __call__(self, *_: Any) -> np.ndarray:
        return self.sample


BENCHMARKS: dict[str, Benchmark] = {"accelerator": accelerator}
