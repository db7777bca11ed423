"""Where a training keeps its state, so that the same command goes on after a kill."""

import hashlib
import io
import json
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from zipfile import BadZipFile

import numpy as np
from kedro.io import AbstractDataset, DatasetError

from hmdb_kedro.errors import UserError

logger = logging.getLogger(__name__)

# The newest, and the one before in case the newest is damaged.
_KEPT = 2
_NOTES = "notes"
_DIGEST_BYTES = 32
_RESERVE_BYTES = 50 * 2**20


@dataclass(frozen=True)
class TrainingState:
    """A training between two epochs.

    Attributes:
        epoch: Epochs that are done.
        arrays: Weights and the optimiser's variables, by name.
        notes: Everything else, as JSON holds it.
    """

    epoch: int
    arrays: Mapping[str, np.ndarray]
    notes: Mapping[str, Any]


class CheckpointFiles:
    """A folder of states: the newest and the one before, each a file with its checksum.

    A file is an `.npz` archive (arrays, and the notes as JSON) followed by the SHA-256 of its
    bytes. It is written beside its place and renamed, so that a kill leaves no half file under
    its name. Nothing is forced to the disk: after a loss of power the checksum tells.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._parts: dict[str, CheckpointFiles] = {}

    def part(self, name: str) -> "CheckpointFiles":
        """Return the states of one of several trainings: a sub-folder."""
        return self._parts.setdefault(name, CheckpointFiles(self._folder / name))

    def restore(self) -> TrainingState | None:
        """Return the newest state that is whole; None where there is none."""
        for file in self._files():
            try:
                return _read(file)
            except (OSError, ValueError, KeyError, BadZipFile) as error:
                logger.warning("Checkpoint %s is damaged (%s): trying the one before.", file, error)
        return None

    def save(self, state: TrainingState) -> None:
        """Keep a state, and the one before.

        Where it cannot be written, a warning says so and the training goes on: the states before
        stay, and the next epoch tries again.
        """
        file = self._folder / f"epoch{state.epoch:05d}.npz"
        half = file.with_suffix(".half")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(half, state)
            half.replace(file)
            for old in self._files()[_KEPT:]:
                old.unlink()
        except OSError as error:
            half.unlink(missing_ok=True)
            logger.warning(
                "No checkpoint of epoch %d: %s (%s). Training goes on, and a killed run would go "
                "on from the checkpoint before. %d MB are free there.",
                state.epoch,
                error.strerror or error,
                self._folder,
                _free_bytes(self._folder) // 10**6,
            )

    def require_space(self, state_bytes: int) -> None:
        """Refuse to start where the states of a training would not fit.

        Raises:
            UserError: Less is free than they take: two kept, and one being written.
        """
        there = sum(file.stat().st_size for file in self._files())
        needed = (_KEPT + 1) * state_bytes + _RESERVE_BYTES - there
        free = _free_bytes(self._folder)
        if free < needed:
            raise UserError(
                f"The checkpoints of the training need {needed / 1e6:,.0f} MB in {self._folder}. "
                f"Received: {free / 1e6:,.0f} MB free. Make room (`kedro hmdb prune` drops old "
                "versions), or name another disk with --params data_root=…"
            )

    def clear(self) -> None:
        """Remove the states of every part that was asked for, and no others."""
        for part in self._parts.values():
            part.clear()
        for file in [*self._files(), *self._folder.glob("*.half")]:
            file.unlink(missing_ok=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("epoch*.npz"), reverse=True)


class Checkpoint(AbstractDataset[NoReturn, CheckpointFiles]):
    """Give a training node the place of its states; they are removed when its outputs are saved.

    Example catalog entry, with `confirms="checkpoint"` on the node:
    ```yaml
    temporal.checkpoint:
      type: hmdb_kedro.datasets.Checkpoint
      path: data/06_models/split1/temporal_checkpoint
    ```
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None):
        self._path = Path(path).expanduser()
        self._files = CheckpointFiles(self._path)
        self.metadata = metadata

    def load(self) -> CheckpointFiles:
        """Return the place; nothing is opened."""
        return self._files

    def save(self, data: NoReturn) -> None:
        """Refuse: states are written while training, not saved by a node.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError("A Checkpoint is an input of a training node; it cannot be an output.")

    def confirm(self) -> None:
        """Remove the states: what came of them is saved."""
        self._files.clear()

    def _exists(self) -> bool:
        return self._path.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}


def _write(file: Path, state: TrainingState) -> None:
    notes = json.dumps({**state.notes, "epoch": state.epoch}).encode()
    arrays: dict[str, Any] = {_NOTES: np.frombuffer(notes, np.uint8), **state.arrays}
    with file.open("wb") as stream:
        digested = _Digested(stream)
        np.savez(digested, allow_pickle=False, **arrays)
        stream.write(digested.digest.digest())


class _Digested(io.RawIOBase):
    """A stream that can only be written, and knows the digest of what was."""

    def __init__(self, stream: BinaryIO):
        self._stream, self.digest = stream, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.digest.update(block)
        return self._stream.write(block)


def _read(file: Path) -> TrainingState:
    size = file.stat().st_size - _DIGEST_BYTES
    with file.open("rb") as stream:
        stream.seek(max(0, size))
        if size <= 0 or stream.read() != _digest(file, size):
            raise ValueError("its checksum differs")
    with np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    notes = json.loads(arrays.pop(_NOTES).tobytes())
    return TrainingState(notes.pop("epoch"), arrays, notes)


def _digest(file: Path, size: int) -> bytes:
    digest = hashlib.sha256()
    left = size
    with file.open("rb") as stream:
        while left and (block := stream.read(min(left, 2**20))):
            digest.update(block)
            left -= len(block)
    return digest.digest()


def _free_bytes(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(os.fspath(folder)).free
