"""The process that reads untrusted videos: `python -m hmdb_kedro.inference.worker`.

It is started by `Workers`, answers one video after another, and may die of one.
"""

import json
import math
import os
import pkgutil
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference.channel import Channel
from hmdb_kedro.inference.reading import Limits
from hmdb_kedro.inference.recogniser import TOO_LARGE, Recogniser
from hmdb_kedro.video.decode import UnreadableClipError

try:
    import resource
except ImportError:  # Windows: time is limited there by the server alone, and memory not at all
    resource = None  # type: ignore[assignment]

# Linux: counts of pages, the second one of what is resident, the sixth one of what is written to.
_MEMORY = Path("/proc/self/statm")
_RESIDENT, _DATA = 1, 5


def main(arguments: Sequence[str]) -> int:
    """Load an export, then answer what comes in on stdin until it is closed.

    Args:
        arguments: The export's folder, the limits as JSON, and how many threads a network gets.
    """
    folder, limits, threads = Path(arguments[0]), Limits(**json.loads(arguments[1])), arguments[2]
    channel = _take_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends its workers
    cv2.setNumThreads(int(threads))
    try:
        recogniser = Recogniser.from_export(folder, limits, threads=int(threads))
    except UserError as error:
        channel.send({"refused": str(error)})
        return 1
    _limit_memory(limits)
    most = _resident() + limits.max_memory_bytes // 2
    channel.send({"pid": os.getpid()})
    is_last = False
    while not is_last:
        try:
            request = channel.receive()
        except EOFError:
            break
        _limit_time(limits)
        header, body = _answer(recogniser, *request)
        # What libraries keep of a large video goes with the process.
        is_last = _resident() > most
        channel.send(header | {"is_last": is_last}, body)
    return 0


def predict(recogniser: Recogniser, video: Path | bytes, **options: Any) -> bytes:
    """Return the answer to a video as JSON."""
    return json.dumps(asdict(recogniser.predict(video, **options))).encode()


def _answer(
    recogniser: Recogniser, header: dict[str, Any], body: bytes
) -> tuple[dict[str, Any], bytes]:
    video = body if header["file"] is None else Path(header["file"])
    task = pkgutil.resolve_name(header["task"])
    try:
        return {}, task(recogniser, video, **header["options"])
    except UnreadableClipError as error:
        return {"refused": str(error)}, b""
    except MemoryError:
        return {"refused": TOO_LARGE}, b""
    except Exception:
        return {"failed": traceback.format_exc()}, b""


def _take_streams() -> Channel:
    """Keep stdin and stdout for messages; what libraries print goes to stderr."""
    channel = Channel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def _limit_memory(limits: Limits) -> None:
    """Limit what a video may take beyond what the networks have taken."""
    if resource is None:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the video
    if _MEMORY.exists():
        # Not the address space, most of which networks and threads only reserve.
        most = _bytes_of(_DATA) + limits.max_memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _resident() -> int:
    return _bytes_of(_RESIDENT) if _MEMORY.exists() else 0


def _bytes_of(field: int) -> int:
    return int(_MEMORY.read_text().split()[field]) * resource.getpagesize()


def _limit_time(limits: Limits) -> None:
    """Limit processor time too: it ends a worker whose server is gone."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = used.ru_utime + used.ru_stime + limits.max_seconds * (os.cpu_count() or 1)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(most) + 1, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
