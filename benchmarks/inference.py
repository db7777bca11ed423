"""What an answer costs: beside its kernels, from a cold start, by onnxruntime and by Keras.

On the models of a finished run: `make run` first, or name a data root with BENCH_DATA_ROOT.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.backend import load_keras
from hmdb_kedro.datasets import KerasModel, OnnxModel
from hmdb_kedro.datasets.model_file import sidecar_of
from hmdb_kedro.inference import Recogniser, Stream, write_export
from hmdb_kedro.inference.exported import Exported
from hmdb_kedro.params import FlowSettings
from hmdb_kedro.video.decode import read_frames
from hmdb_kedro.video.flow import make_estimator, small_greys

REPOSITORY = Path(__file__).parents[1]
ROUNDS = 40


def predict_overhead(folder: Path) -> Iterator[Measurement]:
    """Compare an answer, warm, with decoding, the flow it takes and both forward passes.

    An answer computes flow while it decodes; where OpenCV may use one thread alone, it does one
    after the other, as the kernels are timed, and nothing hides behind anything.
    """
    recogniser = Recogniser.from_export(sample_export(folder))
    clip = sample_clip()
    kernels = _kernels(recogniser, clip)
    steps: dict[str, Callable[[], Any]] = {"answer": lambda: recogniser.predict(clip), **kernels}
    yield _overhead("predict_overhead", steps, 1.15)
    # Set last, and only here: any number given to OpenCV, its own too, slows what follows.
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield _overhead("predict_overhead_one_thread", steps, None)
    cv2.setNumThreads(n_threads)


def _overhead(name: str, steps: dict[str, Callable[[], Any]], bound: float | None) -> Measurement:
    """Compare the step `answer` with all others."""
    # In turn, so that what else the machine does meets all alike.
    times = _times(steps)
    kernels_s = sum(seconds for step, seconds in times.items() if step != "answer")
    details = {f"{step}_ms": 1e3 * seconds for step, seconds in times.items()}
    return Measurement(name, times["answer"] / kernels_s, None, bound, details)


def predict_cold_seconds(folder: Path) -> Iterator[Measurement]:
    """Time `hmdb-predict` from its start to its answer, and report `kedro hmdb predict`."""
    command = [sys.executable, "-m", "hmdb_kedro.inference.command", str(sample_export(folder))]
    clip = str(sample_clip())
    light = min(_seconds([*command, clip]) for _ in range(3))
    given = ["--env", "sample", "--params", f"data_root={_data_root()}"]
    kedro = _seconds([sys.executable, "-m", "kedro", "hmdb", "predict", clip, *given])
    yield Measurement("predict_cold_seconds", light, None, 3.0)
    yield Measurement("kedro_predict_cold_seconds", kedro)


def onnx_speedup(folder: Path) -> Iterator[Measurement]:
    """Compare Keras' `predict_on_batch` with onnxruntime, both streams, on the CPU."""
    exported = Recogniser.from_export(sample_export(folder))
    models = {name: _keras_model(name) for name in exported.streams}
    for n_inputs, at_least in ((1, 1.3), (10, None)):
        steps: dict[str, Callable[[], Any]] = {}
        for stream in exported._streams:
            shape = (n_inputs, *models[stream.name].model.input_shape[1:])
            inputs = np.random.default_rng(0).uniform(0, 4, shape).astype(np.float32)
            keras = Stream.of_model(stream.name, models[stream.name])
            steps[f"{stream.name} keras"] = partial(keras.network, inputs)
            steps[f"{stream.name} onnx"] = partial(stream.network, inputs)
        times = _times(steps)
        spent = {
            kind: sum(seconds for name, seconds in times.items() if name.endswith(kind))
            for kind in ("keras", "onnx")
        }
        details = {f"{name}_ms": 1e3 * seconds for name, seconds in times.items()}
        name = "onnx_speedup" if n_inputs == 1 else f"onnx_speedup_batch_{n_inputs}"
        yield Measurement(name, spent["keras"] / spent["onnx"], at_least, None, details)


def _kernels(recogniser: Recogniser, clip: Path) -> dict[str, Callable[[], Any]]:
    """Return what no answer can do without, by name."""
    decode = partial(read_frames, clip, reuse=True)
    kernels: dict[str, Callable[[], Any]] = {"decode": lambda: sum(1 for _ in decode())}
    for stream in recogniser._streams:
        asked, shape = _asked(stream, clip)
        inputs = np.zeros(shape, np.float32)
        kernels[stream.name] = partial(stream.network, inputs)
        if isinstance(stream.settings, FlowSettings):
            kernels[f"{stream.name} flow"] = _flow_kernel(clip, stream.settings, asked)
    return kernels


def _flow_kernel(clip: Path, settings: FlowSettings, asked: list[int]) -> Callable[[], Any]:
    greys = list(small_greys(read_frames(clip), settings.short_side))
    estimate = make_estimator(settings)
    return lambda: [estimate(greys[i], greys[i + settings.stride]) for i in asked]


def _asked(stream: Stream, clip: Path) -> tuple[list[int], tuple[int, ...]]:
    """Return the pictures that a stream looks at, and the shape of its inputs."""
    n_pictures = sum(1 for _ in read_frames(clip))
    size = next(read_frames(clip)).shape[:2]
    is_flow, stride = isinstance(stream.settings, FlowSettings), stream.settings.stride
    seen: list[int] = []

    class Noting:
        def shape(self, clip_id: str) -> tuple[int, int, int]:
            return (n_pictures - stride if is_flow else -(-n_pictures // stride)), *size

        def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
            seen.extend(map(int, indices))
            channels = 2 if is_flow else 3
            return np.zeros((len(indices), size[0] // reduce, size[1] // reduce, channels), "f4")

    reads, n_views = stream.protocol()
    sample = [reads(Noting(), "clip", (view, n_views)) for view in range(n_views)]
    return seen, (n_views, *sample[0].shape)


def _times(steps: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median seconds of each step, after a first call of each."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if number:
                spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(found)) for name, found in spent.items()}


def _data_root() -> Path:
    return Path(os.environ.get("BENCH_DATA_ROOT", REPOSITORY / "data" / "sample")).resolve()


def _newest(pattern: str) -> Path:
    found = sorted(_data_root().glob(pattern))
    if not found:
        sys.exit(f"No finished run below {_data_root()}: do `make run` first.")
    return found[-1]


def sample_clip() -> Path:
    """Return a clip of the finished run, or the one that BENCH_CLIP names."""
    given = os.environ.get("BENCH_CLIP")
    return Path(given) if given else _newest("01_raw/videos/*/*.avi")


def _keras_model(name: str) -> TrainedModel:
    file = _newest(f"06_models/split1/{name}.keras/*/*.keras")
    load_keras()
    return KerasModel(filepath=str(file)).load()


@cache
def sample_export(folder: Path) -> Path:
    """Return an export of the newest run; one from before there were ONNX files is converted."""
    fusion = json.loads(_newest("06_models/split1/two_stream_fusion.json/*/*.json").read_text())
    streams = {}
    for name in fusion["streams"]:
        stored = sorted(_data_root().glob(f"06_models/split1/{name}.onnx/*/*.onnx"))
        file = stored[-1] if stored else _converted(name, folder)
        streams[name] = (file, json.loads(sidecar_of(file).read_text())["preprocessing"])
    write_export(Exported(streams, fusion), folder / "export")
    return folder / "export"


def _converted(name: str, folder: Path) -> Path:
    file = folder / f"{name}.onnx"
    OnnxModel(filepath=str(file)).save(_keras_model(name))
    return file


def _seconds(command: list[str]) -> float:
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        subprocess.run(command, stdout=output, stderr=output, check=True, cwd=REPOSITORY)
        return time.perf_counter() - start


BENCHMARKS: dict[str, Benchmark] = {
    "predict_overhead": predict_overhead,
    "predict_cold_seconds": predict_cold_seconds,
    "onnx_speedup": onnx_speedup,
}
