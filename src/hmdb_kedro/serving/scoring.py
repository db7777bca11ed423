"""What MLflow loads and serves: rows with videos in, answers out.

MLflow finds `_load_pyfunc` by the name of this module; nothing is unpickled.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Limits, Prediction, Workers
from hmdb_kedro.inference.recogniser import TOP_K
from hmdb_kedro.video.decode import UnreadableClipError

VIDEO = "video"
# What a server of strangers' videos is given, rather than a person with files of their own. All of
# it can be changed where the model is loaded.
MODEL_CONFIG: dict[str, Any] = {
    "allowed_folder": None,  # videos below it may be named by their path
    "max_megabytes": 64,
    "max_pixels": 4096 * 2304,  # of a frame
    "max_frames": 9000,
    "max_duration_s": 300,
    "max_seconds": 30,  # for an answer
    "max_memory_megabytes": 2048,  # for an answer, beside the networks
    "workers": None,  # videos answered at a time; one a core
}
_SPACES = re.compile(r"\s+")


class ScoringModel:
    """Answers rows of videos, each in a worker process that a poisoned one cannot leave."""

    def __init__(self, folder: Path, config: Mapping[str, Any]):
        """Start the workers.

        Args:
            folder: An export.
            config: As `MODEL_CONFIG`.

        Raises:
            UserError: The export has changed, or the configuration is no such one.
        """
        allowed = config["allowed_folder"]
        self._allowed = None if allowed is None else _existing_folder(Path(allowed))
        self._workers = Workers(folder, limits_of(config), config["workers"])

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> list[Any]:
        """Answer videos.

        Args:
            model_input: A table with the column `video`: each a video in base64, or, told by its
                dot, a path below the allowed folder.
            params: `top_k`: how many classes `top` holds.

        Returns:
            An answer a row, as `Prediction.to_json` has it.

        Raises:
            MlflowException: A row has no answer; it names all of them. HTTP status 400.
        """
        top_k = int((params or {}).get("top_k", TOP_K))
        if top_k < 1:
            raise _refusal([f"`top_k` must be at least 1. Received: {top_k}."])
        texts = list(model_input[VIDEO])
        # As many threads as workers: a request's rows wait for one another, not in memory.
        with ThreadPoolExecutor(self._workers.n_workers) as threads:
            tried = list(threads.map(lambda text: self._try(text, top_k), texts))
        faults = [f"row {row}: {why}" for row, why in enumerate(tried) if isinstance(why, str)]
        if faults:
            raise _refusal(faults)
        return tried

    def _try(self, text: Any, top_k: int) -> dict[str, Any] | str:
        """Return the answer to one row, or why it has none."""
        try:
            video = self._video(text)
            answer: Prediction = self._workers.predict(video, top_k=top_k)
        except UnreadableClipError as error:
            return str(error)
        except (RuntimeError, UserError) as error:
            raise MlflowException(str(error), INTERNAL_ERROR) from error
        # Where files lie on the server is nobody's business.
        return answer.to_json() | {"name": text if isinstance(video, Path) else "base64"}

    def _video(self, text: Any) -> Path | bytes:
        if not isinstance(text, str) or not text.strip():
            raise UnreadableClipError("`video` is empty: give a video in base64, or a path")
        if "." in text:  # no letter of base64
            return self._below_allowed(text)
        most = self._workers.limits.max_bytes
        if len(text) * 3 // 4 > most * 1.02 + 3:  # with line breaks; the rest is seen when decoded
            self._workers.limits.check_bytes(len(text) * 3 // 4)
        try:
            return base64.b64decode(_SPACES.sub("", text), validate=True)
        except (binascii.Error, ValueError):
            raise UnreadableClipError(
                "`video` is neither base64 nor a path, which has a dot in its file's name"
            ) from None

    def _below_allowed(self, text: str) -> Path:
        if self._allowed is None:
            raise UnreadableClipError(
                "paths are not allowed here: send the video in base64, or have `allowed_folder` "
                "set in the model's configuration"
            )
        try:
            # Where it leads in the end, whatever `..` and links stand in it.
            file = (self._allowed / text).resolve()
            is_there = file.is_relative_to(self._allowed) and file.is_file()
        except (OSError, ValueError):  # no path at all
            is_there = False
        # One answer for what is not allowed and what is not there: nothing is told of the rest.
        if not is_there:
            raise UnreadableClipError("there is no such file below the allowed folder")
        return file


def limits_of(config: Mapping[str, Any]) -> Limits:
    """Return the limits that a configuration asks for."""
    return Limits(
        max_bytes=int(config["max_megabytes"] * 10**6),
        max_pixels=int(config["max_pixels"]),
        max_frames=int(config["max_frames"]),
        max_duration_s=float(config["max_duration_s"]),
        max_seconds=float(config["max_seconds"]),
        max_memory_bytes=int(config["max_memory_megabytes"] * 10**6),
    )


def _load_pyfunc(data_path: str, model_config: Mapping[str, Any] | None = None) -> ScoringModel:
    return ScoringModel(Path(data_path), MODEL_CONFIG | dict(model_config or {}))


def _existing_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise UserError(f"`allowed_folder` must be a folder. Received: {folder}.")
    return folder.resolve()


def _refusal(faults: Iterable[str]) -> MlflowException:
    return MlflowException("; ".join(faults), INVALID_PARAMETER_VALUE)
