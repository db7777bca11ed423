"""The folder that `kedro hmdb export` writes: ONNX files, and all else as JSON."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmdb_kedro.errors import UserError

RECOGNISER = "recogniser.json"
_FORMAT = 1


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    Attributes:
        streams: The file and the preprocessing of each, in the order of the fusion.
        fusion: As `two_stream.fusion` is stored: streams, classes, rule and threshold.
    """

    streams: Mapping[str, tuple[Path, Mapping[str, Any]]]
    fusion: Mapping[str, Any]


def check_classes(
    fusion: Mapping[str, Any],
    classes: Mapping[str, Sequence[str]],
    command: str = "kedro run --pipelines fusion_eval",
) -> None:
    """Refuse models that were trained on other classes than the fusion was fitted on.

    Args:
        fusion: As `two_stream.fusion` is stored.
        classes: By model.
        command: What fits the fusion anew.

    Raises:
        UserError: There are such; it names them.
    """
    apart = [name for name, known in classes.items() if list(known) != list(fusion["classes"])]
    if apart:
        raise UserError(
            "The fusion was fitted on other classes than a model was trained on. Received: "
            f"{', '.join(apart)}. Do: {command}"
        )


def write_export(exported: Exported, folder: Path) -> None:
    """Write an export whole, or not at all.

    Args:
        exported: The streams' ONNX files, wherever they are.
        folder: Is made; an older export in its place is replaced, anything else is not.

    Raises:
        UserError: The folder holds something that is no export.
    """
    _refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        half.chmod(0o755)
        described = {}
        for name, (file, preprocessing) in exported.streams.items():
            shutil.copyfile(file, half / f"{name}.onnx")
            described[name] = {
                "file": f"{name}.onnx",
                "sha256": _hash(half / f"{name}.onnx"),
                "preprocessing": preprocessing,
            }
        content = {"streams": described, "fusion": exported.fusion}
        text = json.dumps({"format": _FORMAT, "sha256": _hash_json(content), **content}, indent=2)
        (half / RECOGNISER).write_text(text, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        half.replace(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def read_export(folder: Path) -> Exported:
    """Return what an export holds, once every byte of it is known to be as it was written.

    Raises:
        UserError: It is no export, or a file is missing or has changed.
    """
    file = folder / RECOGNISER
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        content = {"streams": stored["streams"], "fusion": stored["fusion"]}
        is_whole = stored["format"] == _FORMAT and stored["sha256"] == _hash_json(content)
    except FileNotFoundError:
        raise UserError(
            f"There is no export here. Received: {folder}. Do: kedro hmdb export {folder}"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _changed(file, str(error)) from None
    if not is_whole:
        raise _changed(file, "other content or another format than was written")
    streams = {}
    for name, about in stored["streams"].items():
        network = folder / Path(about["file"]).name
        if not network.is_file():
            raise _changed(network, "it is missing")
        if _hash(network) != about["sha256"]:
            raise _changed(network, "its bytes are not those that were written")
        streams[name] = (network, about["preprocessing"])
    return Exported(streams, stored["fusion"])


def _changed(file: Path, why: str) -> UserError:
    return UserError(
        f"An export is used as it was written, or not at all. Received: {file} ({why}). Do: kedro "
        f"hmdb export {file.parent}"
    )


def _refuse_foreign(folder: Path) -> None:
    is_free = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_free and not (folder / RECOGNISER).is_file():
        raise UserError(
            f"An export would replace what is no export. Received: {folder}. Name a new folder."
        )


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hash_json(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
