"""Training against bare steps, the loader against files, and memory as the set grows."""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from joblib import Parallel, delayed

from benchmarks.clips import CONF, N_FEW, base_params, index_of, some_clips
from benchmarks.extraction import FAST, extract, repeated_clip
from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.datasets import LanceTable
from hmdb_kedro.params import Cnn3dParams, SpatialParams, TemporalParams, TrainParams
from hmdb_kedro.video.decode import read_frames
from hmdb_kedro.video.flow import make_estimator
from hmdb_kedro.video.tables import ClipTable

N_CLASSES = 6
EPOCHS = 3
REPEATS = 2
STEPS = 10
# Training clips of a split of HMDB51: what an epoch has of them, and what one state weighs against.
HMDB51_CLIPS = 3570


def model_params(model: str, **changes: Any) -> Any:
    """Return a model's branch of conf/base as its typed model, with changes."""
    kind = "spatial" if model == "spatial" else "temporal"
    values = yaml.safe_load((CONF / f"parameters_{kind}_training.yml").read_text("utf-8"))[model]
    types = {"spatial": SpatialParams, "temporal": TemporalParams}
    return types.get(model, Cnn3dParams)(**(values | changes))


def fit_overhead(folder: Path) -> Iterator[Measurement]:
    """Compare an epoch of `fit` from stored tables with bare steps on ready tensors.

    An epoch is 20 steps here, and hundreds on HMDB51: what the state takes that `fit` keeps after
    each is timed apart, and put against as many steps as HMDB51's clips make. How an epoch begins
    is not, and weighs more here. Bare steps are timed before and after, and the quickest epoch of
    either counts: what else a machine does only adds.
    """
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras
    from hmdb_kedro.models.spatial import build_spatial  # noqa: PLC0415

    clips, tables = some_tables(folder)
    clips = pd.concat([clips] * REPEATS, ignore_index=True)
    temporal = model_params(
        "temporal", batch_size=8, samples_per_clip=2, filters=[16, 32, 64, 96], epochs=EPOCHS
    )
    spatial = model_params("spatial", batch_size=16, image_size=112, weights="none", epochs=EPOCHS)
    cnn3d = partial(build_cnn3d, temporal, num_classes=N_CLASSES, channels=2, seed=1)
    resnet = partial(build_spatial, spatial, num_classes=N_CLASSES, weights=None, seed=1)
    for name, build, params, table in (
        ("cnn3d_batch8", cnn3d, temporal, tables["flow"]),
        ("resnet50_batch16", resnet, spatial, tables["frames"]),
    ):
        batches = _batches(clips, table, params)
        bare = _epochs_of_steps(build, batches, params)
        fitted, state = _epoch_of_fit(build, clips, table, params, folder)
        bare = min(bare + _epochs_of_steps(build, batches, params))
        share = len(batches) * params.batch_size / HMDB51_CLIPS
        details = {"fit_s": fitted, "state_s": state, "bare_s": bare, "steps": len(batches)}
        details["with_a_state_each_epoch_here"] = (fitted + state) / bare
        overhead = (fitted + share * state) / bare
        yield Measurement(f"fit_overhead.{name}", overhead, None, 1.10, details)


def loader_samples_per_second(folder: Path) -> Iterator[Measurement]:
    """Compare reading training samples from the tables with single JPEG files of full size."""
    clips, tables = some_tables(folder)
    files = _written_files(folder, clips)
    cv2.setNumThreads(1)
    for name, kind, params, bound in (
        ("spatial", "frames", model_params("spatial"), 1.1),
        ("rgb_stacks", "frames", model_params("cnn3d_v2", mixup=0.0), 1.8),
        ("flow_stacks", "flow", model_params("temporal", mixup=0.0), 5.0),
    ):
        rates = {
            threads: _samples_per_second(clips, tables[kind], params, threads) for threads in (1, 2)
        }
        from_files = _samples_per_second(clips, files[kind], params, 1)
        for threads, rate in rates.items():
            yield Measurement(f"loader_samples_per_second.{name}_{threads}", rate)
        details = {"from_files": from_files, "from_table": rates[1]}
        yield Measurement(f"loader_vs_files.{name}", rates[1] / from_files, bound, None, details)


def v2_step_speedup(_: Path) -> Iterator[Measurement]:
    """Compare training steps of the second 3D CNN with the first's, as conf/small has them."""
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras

    small = yaml.safe_load((CONF.parent / "small" / "parameters.yml").read_text("utf-8"))
    seconds: dict[str, list[float]] = {"cnn3d_v1": [], "cnn3d_v2": []}
    for _round in range(2):
        for model in seconds:
            params = model_params(model, **small[model] | {"epochs": 3})
            build = partial(build_cnn3d, params, num_classes=N_CLASSES, channels=3, seed=1)
            size = params.image_size
            shape = (params.batch_size, params.window, size, size, 3)
            stacks = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
            targets = np.eye(N_CLASSES, dtype=np.float32)[np.arange(len(stacks)) % N_CLASSES]
            seconds[model] += _epochs_of_steps(build, [(stacks, targets)] * STEPS, params)
    least = {model: min(epochs) / STEPS for model, epochs in seconds.items()}
    speedup = least["cnn3d_v1"] / least["cnn3d_v2"]
    yield Measurement("v2_step_speedup", speedup, 2.0, None, {"seconds_a_step": least})


def train_memory(_: Path) -> Iterator[Measurement]:
    """Compare the peak memory of a training on 2,000 clips with that on 200."""
    command = [sys.executable, "-c", "from benchmarks.training import peak; peak()"]
    peaks = {}
    for n_clips in (200, 2000):
        done = subprocess.run([*command, str(n_clips)], capture_output=True, text=True, check=True)
        peaks[n_clips] = int(done.stdout.split()[-1]) / 1e6
    yield Measurement("train_memory", peaks[2000] / peaks[200], None, 1.1, {"peak_gb": peaks})


def peak() -> None:
    """Train on as many clips as the command line says, and print the peak memory in kB."""
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415 - imports Keras

    n_clips = int(sys.argv[-1])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Written by a process of its own: its memory is another benchmark's.
        code = "from benchmarks.training import write_repeated; write_repeated()"
        subprocess.run([sys.executable, "-c", code, name, str(n_clips)], check=True)
        table = LanceTable(path=str(folder / "flow.lance")).load()
        clips = pd.DataFrame({"clip_id": table.clip_ids})
        params = model_params("temporal", filters=[4, 8], image_size=32, epochs=1)
        build = partial(build_cnn3d, params, num_classes=N_CLASSES, channels=2, seed=1)
        _epoch_of_fit(build, _labelled(clips), table, params, folder)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # noqa: T201 - read by train_memory


def write_repeated() -> None:
    """Write the flow of one clip under as many names as the command line says."""
    import lance  # noqa: PLC0415

    folder, n_clips = Path(sys.argv[-2]), int(sys.argv[-1])
    clips, index = repeated_clip(folder, 1, n_frames=40)
    extract("flow", clips, index, folder / "one", base_params("flow", **FAST))
    row = lance.dataset(str(folder / "one" / "flow.lance")).to_table()
    table = LanceTable(path=str(folder / "flow.lance"))
    column = row.schema.get_field_index("clip_id")
    for first in range(0, n_clips, 100):
        names = [f"wave/clip {number}.avi" for number in range(first, first + 100)]
        rows = pa.concat_tables([row] * len(names))
        table.save(rows.set_column(column, row.schema.field(column), pa.array(names)))


BENCHMARKS: dict[str, Benchmark] = {
    function.__name__: function
    for function in (fit_overhead, loader_samples_per_second, v2_step_speedup, train_memory)
}


class EpochEnds:
    """An epoch log that keeps when each epoch ended."""

    run_id: str | None = None

    def __init__(self) -> None:
        self.ends: list[float] = []

    def log(self, metrics: Any, epoch: int) -> None:
        """Note the time."""
        self.ends.append(time.perf_counter())


class _Files:
    """A stand-in for a table: one JPEG of full size a frame, or two a flow field."""

    def __init__(self, folder: Path, bound_px: float | None = None):
        self._folder, self._bound_px = folder, bound_px
        self._shapes: dict[str, tuple[int, int, int]] = {}

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        if clip_id not in self._shapes:
            files = sorted((self._folder / clip_id).glob("*.jpg"))
            n_pictures = len(files) // (1 if self._bound_px is None else 2)
            self._shapes[clip_id] = (n_pictures, *cv2.imread(str(files[0])).shape[:2])
        return self._shapes[clip_id]

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        read = self._frame if self._bound_px is None else self._field
        return np.stack([read(self._folder / clip_id, index) for index in indices])

    def _frame(self, folder: Path, index: int) -> np.ndarray:
        return cv2.cvtColor(cv2.imread(str(folder / f"{index:05d}.jpg")), cv2.COLOR_BGR2RGB)

    def _field(self, folder: Path, index: int) -> np.ndarray:
        names = (str(folder / f"{axis}{index:05d}.jpg") for axis in "xy")
        axes = [cv2.imread(name, cv2.IMREAD_GRAYSCALE).astype(np.float32) for name in names]
        return (np.stack(axes, axis=-1) - 128) * np.float32((self._bound_px or 1) / 127)


def some_tables(folder: Path) -> tuple[pd.DataFrame, dict[str, ClipTable]]:
    """Extract some clips with the settings of conf/base, and give them labels."""
    clips = some_clips(folder)
    index = index_of(clips, N_FEW)
    extract("frames", clips, index, folder, base_params("frames"))
    extract("flow", clips, index, folder, base_params("flow", **FAST))
    tables = {
        kind: LanceTable(path=str(folder / f"{kind}.lance")).load() for kind in ("frames", "flow")
    }
    return _labelled(index), tables


def _labelled(clips: pd.DataFrame) -> pd.DataFrame:
    return clips.assign(label_id=np.arange(len(clips)) % N_CLASSES)


def _written_files(folder: Path, clips: pd.DataFrame) -> dict[str, _Files]:
    """Write what the usual script writes: frames and flow of full size, one JPEG each."""
    flow = base_params("flow", **FAST)
    videos = some_clips(folder)
    for row in clips.itertuples():
        frames = list(read_frames(videos[row.path].file))
        _write(folder / "files" / "frames" / row.clip_id, {"": frames})
        estimate = make_estimator(flow)
        greys = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames]
        fields = [estimate(one, other) for one, other in pairwise(greys)]
        scale = 127 / flow.bound_px
        levels = [(field * scale + 128).clip(1, 255).astype(np.uint8) for field in fields]
        axes = {name: [level[..., i] for level in levels] for i, name in enumerate("xy")}
        _write(folder / "files" / "flow" / row.clip_id, axes)
    return {
        "frames": _Files(folder / "files" / "frames"),
        "flow": _Files(folder / "files" / "flow", flow.bound_px),
    }


def _write(folder: Path, pictures: dict[str, list[np.ndarray]]) -> None:
    folder.mkdir(parents=True)
    for name, series in pictures.items():
        for number, picture in enumerate(series):
            cv2.imwrite(str(folder / f"{name}{number:05d}.jpg"), picture)


def _samples_per_second(
    clips: pd.DataFrame, pictures: Any, params: TrainParams, threads: int
) -> float:
    batches = _batches(clips, pictures, params)
    read = Parallel(n_jobs=threads, backend="threading")
    read(delayed(batches.__getitem__)(batch) for batch in range(len(batches)))
    start, n_epochs = time.perf_counter(), 0
    while n_epochs < 2 or time.perf_counter() - start < 3:
        batches.start_epoch(n_epochs)
        read(delayed(batches.__getitem__)(batch) for batch in range(len(batches)))
        n_epochs += 1
    return n_epochs * batches.n_samples / (time.perf_counter() - start)


def _batches(clips: pd.DataFrame, pictures: Any, params: TrainParams) -> Any:
    from hmdb_kedro.training.batches import TrainingBatches  # noqa: PLC0415 - imports Keras
    from hmdb_kedro.video.samples import make_augmentation, make_sampler  # noqa: PLC0415

    return TrainingBatches(
        clips,
        pictures,
        make_sampler(params),
        num_classes=N_CLASSES,
        views=params.samples_per_clip,
        batch_size=params.batch_size,
        augmentation=make_augmentation(params),
        mixup=params.mixup,
        seed=1,
    )


def _epoch_of_fit(
    build: Any, clips: pd.DataFrame, table: ClipTable, params: TrainParams, folder: Path
) -> tuple[float, float]:
    """Return the least seconds of an epoch after the first, and the median of keeping a state."""
    from hmdb_kedro.training.fit import TrainingSet, fit  # noqa: PLC0415

    log = EpochEnds()
    data = TrainingSet(clips, clips.iloc[:0], table, N_CLASSES)
    states = _timed_states(folder / type(params).__name__)
    fit(build, data, params, 1, log, states)
    # The figures of an epoch are logged, then its state is kept.
    kept = np.subtract(states.ends, log.ends)
    epochs = np.subtract(log.ends[1:], states.ends[:-1])
    return float(min(epochs, default=0.0)), float(np.median(kept))


def _timed_states(folder: Path) -> Any:
    """Return a place for the states of one training that notes when each was kept."""
    from hmdb_kedro.datasets.checkpoint import CheckpointFiles, TrainingState  # noqa: PLC0415

    class TimedStates(CheckpointFiles):
        def __init__(self) -> None:
            super().__init__(folder)
            self.ends: list[float] = []

        def part(self, name: str) -> "TimedStates":
            return self

        def save(self, state: TrainingState) -> None:
            super().save(state)
            self.ends.append(time.perf_counter())

    return TimedStates()


def _epochs_of_steps(build: Any, batches: Any, params: TrainParams) -> list[float]:
    """Return the seconds of epochs after the first, of bare steps on tensors that are ready."""
    import keras  # noqa: PLC0415

    from hmdb_kedro.training.optimization import make_optimizer  # noqa: PLC0415

    to_tensor = keras.ops.convert_to_tensor
    ready = [tuple(map(to_tensor, batches[number])) for number in range(len(batches))]
    model = build()
    model.compile(make_optimizer(model, params), "categorical_crossentropy", metrics=["accuracy"])
    seconds = []
    for _ in range(params.epochs):
        start = time.perf_counter()
        for inputs, targets in ready:
            model.train_on_batch(inputs, targets)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]
