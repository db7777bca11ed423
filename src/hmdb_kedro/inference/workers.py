"""Answer untrusted videos in processes of their own, so that a poisoned one fails alone."""

import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from queue import LifoQueue
from typing import Any, Concatenate, cast

from pydantic import TypeAdapter

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference.channel import Channel
from hmdb_kedro.inference.exported import read_export
from hmdb_kedro.inference.reading import Limits
from hmdb_kedro.inference.recogniser import TOP_K, Recogniser
from hmdb_kedro.inference.results import Prediction
from hmdb_kedro.video.decode import UnreadableClipError

Task = Callable[Concatenate[Recogniser, Path | bytes, ...], bytes]

_PREDICT = "hmdb_kedro.inference.worker:predict"
_START_S = 120.0


class Workers:
    """Processes that each hold the networks of an export and answer one video at a time.

    They are reused. One that crashes, hangs or takes too much memory fails the video it was
    reading, and the next video gets a new one. May be used from several threads at once.

    Example:
    ```python
    with Workers("my_export", Limits(max_seconds=20)) as workers:
        print(workers.predict(upload).label)
    ```
    """

    def __init__(
        self, folder: Path | str, limits: Limits | None = None, n_workers: int | None = None
    ):
        """Check the export and start the workers; the first answer waits for what is left of it.

        Args:
            folder: An export.
            limits: What is refused.
            n_workers: How many videos are answered at a time; by default one a core.

        Raises:
            UserError: It is no export, or a file of it has changed.
        """
        exported = read_export(Path(folder))
        self.classes = tuple(exported.fusion["classes"])
        self.limits = limits or Limits()
        n_cores = os.cpu_count() or 1
        self.n_workers = n_workers or n_cores
        start = _Start(Path(folder), self.limits, max(1, n_cores // self.n_workers))
        self._idle: LifoQueue[_Worker] = LifoQueue()
        self._workers = [_Worker(start) for _ in range(self.n_workers)]
        for worker in self._workers:
            self._idle.put(worker)
        self._end = weakref.finalize(self, _end_all, self._workers)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        self._end()

    def predict(
        self, video: Path | str | bytes, *, top_k: int = TOP_K, with_timeline: bool | None = None
    ) -> Prediction:
        """Answer one video, as `Recogniser.predict` does.

        Raises:
            UnreadableClipError: It is no video, damaged, beyond a limit, or ends its worker.
        """
        options = {"top_k": top_k, "with_timeline": with_timeline}
        return _prediction().validate_json(self._run(_PREDICT, video, options))

    def run(self, task: Task, video: Path | str | bytes, **options: Any) -> bytes:
        """Do something else with a video in a worker.

        Args:
            task: A function of a module, which the worker imports by name: takes the recogniser,
                the video and the options, and returns bytes.
            video: A file or its bytes.
            **options: Plain values, as JSON has them.

        Raises:
            UnreadableClipError: As `predict`, and where the task raises it.
        """
        return self._run(f"{task.__module__}:{task.__qualname__}", video, options)

    def _run(self, task: str, video: Path | str | bytes, options: dict[str, Any]) -> bytes:
        body = video if isinstance(video, bytes) else b""
        self.limits.check_bytes(len(body))  # it need not be sent for that
        file = None if isinstance(video, bytes) else str(Path(video).absolute())
        worker = self._idle.get()
        try:
            return worker.answer({"task": task, "file": file, "options": options}, body)
        finally:
            self._idle.put(worker)


class _Start:
    """How a worker is started."""

    def __init__(self, folder: Path, limits: Limits, threads: int):
        self.limits = limits
        module = "hmdb_kedro.inference.worker"
        given = [str(folder.absolute()), json.dumps(asdict(limits)), str(threads)]
        self._command = [sys.executable, "-P", "-m", module, *given]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self._environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads)}

    def __call__(self) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, env=self._environment)


class _Worker:
    """One process, or the next one in its place."""

    def __init__(self, start: _Start):
        self._start, self._limits = start, start.limits
        self._begin()

    def answer(self, request: dict[str, Any], body: bytes) -> bytes:
        """Return what the task returns; leave a worker that can take the next request."""
        if self._process.poll() is not None:  # it was ended from outside
            self._begin()
        self._wait_until_ready()
        try:
            with self._deadline(self._limits.max_seconds) as is_late:
                self._channel.send(request, body)
                header, found = self._channel.receive()
        except (EOFError, OSError):
            reason = self._why(is_late.is_set())
            self._begin()
            raise UnreadableClipError(reason) from None
        if is_late.is_set() or header["is_last"]:
            self._begin()
        if "refused" in header:
            raise UnreadableClipError(header["refused"])
        if "failed" in header:
            raise RuntimeError(f"A worker failed: {header['failed']}")
        return found

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _begin(self) -> None:
        if hasattr(self, "_process"):
            self.end()
        self._process = self._start()
        reads, writes = self._process.stdout, self._process.stdin
        self._channel = Channel(cast(Any, reads), cast(Any, writes))
        self._is_ready = False

    def _wait_until_ready(self) -> None:
        if self._is_ready:
            return
        try:
            with self._deadline(_START_S):
                header, _ = self._channel.receive()
        except (EOFError, OSError):
            raise RuntimeError(f"A worker did not start: {self._how_it_ended()}.") from None
        if "refused" in header:
            raise UserError(header["refused"])
        self._is_ready = True

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[threading.Event]:
        is_late = threading.Event()

        def kill() -> None:
            is_late.set()
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield is_late
        finally:
            timer.cancel()
            timer.join()

    def _why(self, is_late: bool) -> str:
        if is_late:
            return (
                f"it is not answered after {self._limits.max_seconds:g} s; cut it, or scale it down"
            )
        return f"reading it ended the process that read it: {self._how_it_ended()}"

    def _how_it_ended(self) -> str:
        code = self._process.wait(_START_S)
        names = {number.value: number.name for number in signal.Signals}
        return names.get(-code, f"exit code {code}")


@cache
def _prediction() -> TypeAdapter[Prediction]:
    return TypeAdapter(Prediction)


def _end_all(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.end()
