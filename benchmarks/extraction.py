"""Extraction against the usual script, against bare kernels, and as the set grows."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed

from benchmarks.clips import N_FEW, N_MANY, base_params, files_of, index_of, some_clips
from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.datasets import LanceProgress, LanceTable
from hmdb_kedro.extraction.increments import extraction_report
from hmdb_kedro.extraction.parallel import plain_allocator
from hmdb_kedro.params import FlowParams, FramesParams
from hmdb_kedro.pipelines.data_prep.nodes import scan_clips
from hmdb_kedro.pipelines.flow import nodes as flow_nodes
from hmdb_kedro.pipelines.frames import nodes as frames_nodes
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import read_frames
from hmdb_kedro.video.encoding import encode_flow, encode_frame
from hmdb_kedro.video.flow import make_estimator, shrink

PROGRESS = ["clip_id", "content_hash", "settings_hash"]
FAST = {"algorithm": "dis", "dis_preset": "fast"}
N_INDEX = 6766


def extract(kind: str, clips: ClipFolder, index: pd.DataFrame, folder: Path, params: Any) -> float:
    """Run one extraction stage into a table below a folder; return its seconds."""
    nodes = {"frames": frames_nodes, "flow": flow_nodes}[kind]
    path = str(folder / f"{kind}.lance")
    table, progress = LanceTable(path=path), LanceProgress(path=path, columns=PROGRESS)
    start = time.perf_counter()
    todo = nodes.list_new_clips(index, progress.load(), params)
    for chunk in getattr(nodes, f"extract_{kind}")(clips, todo, params):
        table.save(chunk)
    extraction_report(table.load(), index, todo)
    return time.perf_counter() - start


def extraction_vs_script(folder: Path) -> Iterator[Measurement]:
    """Compare with the plain script: full size, one process, one JPEG a frame and two a pair."""
    clips = some_clips(folder)
    index = index_of(clips, N_FEW)
    extract("flow", clips, index.head(2), folder / "warm", base_params("flow", **FAST))
    script_s = _plain_script(clips, index, folder / "script")
    script_bytes = _size(folder / "script")
    for name, settings, bound in (
        ("farneback", {"algorithm": "farneback"}, 5),
        ("dis_fast", FAST, 14),
    ):
        here = folder / name
        seconds = extract("frames", clips, index, here, base_params("frames"))
        seconds += extract("flow", clips, index, here, base_params("flow", **settings))
        details = {
            "script_s": script_s,
            "ours_s": seconds,
            "n_frames": int(index["n_frames"].sum()),
        }
        yield Measurement(f"extraction_vs_script.{name}", script_s / seconds, bound, None, details)
        share = _size(here) / script_bytes
        yield Measurement(
            f"extraction_vs_script.{name}_bytes", share, None, 0.45, {"script_bytes": script_bytes}
        )


def extraction_efficiency(folder: Path) -> Iterator[Measurement]:
    """Compare the bare OpenCV kernels, one thread, with wall time × cores."""
    clips = some_clips(folder)
    index = index_of(clips, N_MANY)
    frames, flow = base_params("frames"), base_params("flow", **FAST)
    cv2.setNumThreads(1)
    extract("flow", clips, index.head(2), folder / "warm", flow)
    kernels_s = sum(_kernels(clips[path].file, frames, flow) for path in index["path"])
    wall_s = extract("frames", clips, index, folder, frames)
    wall_s += extract("flow", clips, index, folder, flow)
    details = {"kernels_s": kernels_s, "wall_s": wall_s, "cores": cpu_count()}
    share = kernels_s / (wall_s * cpu_count())
    yield Measurement("extraction_efficiency", share, 0.85, None, details)


def rerun_seconds(folder: Path) -> Iterator[Measurement]:
    """Time the extraction nodes where all of HMDB51's clips are done already."""
    clips, index = repeated_clip(folder, N_INDEX, n_frames=3)
    stages = {"frames": base_params("frames"), "flow": base_params("flow")}
    for kind, params in stages.items():
        extract(kind, clips, index, folder, params)
    before = _size(folder)
    seconds = sum(extract(kind, clips, index, folder, p) for kind, p in stages.items())
    written = _size(folder) - before
    yield Measurement("rerun_seconds", seconds, None, 3.0, {"clips": N_INDEX})
    yield Measurement("rerun_bytes_written", written, None, 0)


def memory_slope(_: Path) -> Iterator[Measurement]:
    """Compare the peak memory of 2,000 clips with that of 200, each in a process of its own."""
    command = [sys.executable, "-c", "from benchmarks.extraction import peak; peak()"]
    peaks = {}
    for n_clips in (200, 2000):
        done = subprocess.run([*command, str(n_clips)], capture_output=True, text=True, check=True)
        peaks[n_clips] = int(done.stdout.split()[-1]) / 1e6
    yield Measurement("memory_slope", peaks[2000] / peaks[200], None, 1.1, {"peak_gb": peaks})
    yield Measurement("memory_peak_gb", peaks[2000], None, 1.5)


def peak() -> None:
    """Extract as many clips as the command line says, and print the peak memory in kB."""
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        clips, index = repeated_clip(Path(name), int(sys.argv[-1]), n_frames=20)
        extract("frames", clips, index, Path(name), base_params("frames"))
        extract("flow", clips, index, Path(name), base_params("flow", **FAST))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # noqa: T201 - read by memory_slope


def index_clips_per_second(folder: Path) -> Iterator[Measurement]:
    """Compare the scan of data_prep with bare decoding by as many threads."""
    clips = some_clips(folder)
    params = base_params("data_prep", splits="auto")
    files = files_of(clips)
    bare_s = _bare_decoding([clip.file for clip in clips.values()])
    start = time.perf_counter()
    n_clips = sum(len(batch) for batch in scan_clips(clips, files, params))
    scan_s = time.perf_counter() - start
    details = {"clips": n_clips, "bare_s": bare_s, "scan_s": scan_s}
    yield Measurement("index_clips_per_second", n_clips / scan_s, None, None, details)
    yield Measurement("index_vs_bare_decoding", bare_s / scan_s, 0.8, None, details)


def cluster_scaling(folder: Path) -> Iterator[Measurement]:
    """Compare two one-thread dask workers with one."""
    from distributed import Client, LocalCluster  # noqa: PLC0415

    clips = some_clips(folder)
    index = index_of(clips, N_MANY)
    seconds = {}
    for n_workers in (1, 2):
        with (
            plain_allocator(),
            LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=None
            ) as cluster,
            Client(cluster),
        ):
            work = {"backend": "dask", "scheduler": cluster.scheduler_address}
            params = base_params("flow", algorithm="farneback", **work)
            extract("flow", clips, index.head(4), folder / f"warm{n_workers}", params)
            seconds[n_workers] = extract("flow", clips, index, folder / str(n_workers), params)
    yield Measurement("cluster_scaling", seconds[1] / seconds[2], 1.7, None, {"seconds": seconds})


BENCHMARKS: dict[str, Benchmark] = {
    function.__name__: function
    for function in (
        extraction_vs_script,
        extraction_efficiency,
        rerun_seconds,
        memory_slope,
        index_clips_per_second,
        cluster_scaling,
    )
}


def _plain_script(clips: ClipFolder, index: pd.DataFrame, out: Path) -> float:
    cv2.setNumThreads(-1)  # the script leaves OpenCV as it comes
    start = time.perf_counter()
    for row in index.itertuples():
        folder = out / Path(row.path).with_suffix("")
        folder.mkdir(parents=True)
        capture = cv2.VideoCapture(str(clips[row.path].file))
        before, number = None, 0
        while True:
            decoded, frame = capture.read()
            if not decoded:
                break
            cv2.imwrite(str(folder / f"frame{number:05d}.jpg"), frame)
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            if before is not None:
                flow = cv2.calcOpticalFlowFarneback(before, grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
                levels = ((flow.clip(-20, 20) + 20) * (255 / 40)).astype(np.uint8)
                for axis, name in enumerate("xy"):
                    cv2.imwrite(str(folder / f"flow_{name}{number:05d}.jpg"), levels[..., axis])
            before, number = grey, number + 1
        capture.release()
    return time.perf_counter() - start


def _kernels(file: Path, frames: FramesParams, flow: FlowParams) -> float:
    """Return the seconds of what both stages must do for a clip: each decodes it once."""
    start = time.perf_counter()
    pictures = list(read_frames(file))
    seconds = 2 * (time.perf_counter() - start)
    estimate = make_estimator(flow)
    start = time.perf_counter()
    for picture in pictures:
        encode_frame(shrink(picture, frames.short_side), frames.quality)
    small = [
        shrink(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), flow.short_side) for picture in pictures
    ]
    for before, after in pairwise(small):
        encode_flow(estimate(before, after), flow.bound_px, flow.quality)
    return seconds + time.perf_counter() - start


def _bare_decoding(files: list[Path]) -> float:
    cv2.setNumThreads(1)
    start = time.perf_counter()
    Parallel(n_jobs=-1, backend="threading")(delayed(_grab_all)(str(file)) for file in files)
    return time.perf_counter() - start


def _grab_all(file: str) -> None:
    capture = cv2.VideoCapture(file, cv2.CAP_FFMPEG, (cv2.CAP_PROP_N_THREADS, 1))
    while capture.grab():
        pass
    capture.release()


def repeated_clip(folder: Path, n_clips: int, n_frames: int) -> tuple[ClipFolder, pd.DataFrame]:
    """Return one short clip under many names: what grows is the number of clips alone."""
    file = folder / "videos" / "wave" / "clip.avi"
    file.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(
        str(file), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter.fourcc(*"MJPG"), 30, (320, 240)
    )
    noise = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    for number in range(n_frames):
        writer.write(cv2.resize(np.roll(noise, number, axis=1), (320, 240)))
    writer.release()
    clips = ClipFolder(folder / "videos")
    row = index_of(clips, 1).iloc[0]
    index = pd.DataFrame([row] * n_clips).reset_index(drop=True)
    return clips, index.assign(clip_id=[f"wave/clip {number}.avi" for number in range(n_clips)])


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
