"""Read access to the tables of clips: from a clip's name to its pictures or their features."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from cachetools import LRUCache

from hmdb_kedro.video.encoding import decode_flow, decode_frame, decode_steps, pixels_of_steps

_KEPT_BYTES = 128 * 2**20
_KINDS = ("frames", "flow", "features")


@dataclass(frozen=True)
class Decoded:
    """Pictures that are decoded as they are iterated over.

    Attributes:
        encoded: Their bytes.
        decode: From the bytes of one to its array.
    """

    encoded: Sequence[Any]
    decode: Callable[[Any], np.ndarray]

    def __len__(self) -> int:
        return len(self.encoded)

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.decode, self.encoded)


class ClipTable(Mapping[str, np.ndarray]):
    """One version of the `frames`, the `flow` or a `features` table, clip by clip.

    `table[clip_id]` is a whole clip: uint8 (T, H, W, 3) RGB frames, float32 (T - 1, H, W, 2)
    flow in pixels, dx right and dy down, or float32 (samples, D) features. Only clips whose status
    is ok are listed. Reading is safe from several threads, and a table can be sent to another
    process.
    """

    def __init__(
        self,
        uri: str,
        version: int | str | None = None,
        storage_options: Mapping[str, str] | None = None,
    ):
        self._uri = uri
        self._version = version
        self._storage_options = dict(storage_options or {}) or None
        self._recent: LRUCache[str, Any] = LRUCache(_KEPT_BYTES, lambda row: int(row.nbytes))
        self._lock = threading.Lock()

    @property
    def clip_ids(self) -> list[str]:
        """The clips with pictures, sorted."""
        return sorted(self._rows)

    @cached_property
    def kind(self) -> str:
        """`frames`, `flow` or `features`."""
        return next(kind for kind in _KINDS if kind in self._dataset.schema.names)

    @property
    def version(self) -> str | None:
        """The catalog's version this table was loaded at."""
        return None if self._version is None else str(self._version)

    @property
    def settings(self) -> dict[str, Any]:
        """The extraction settings the table's newest rows were made with."""
        stored: dict[str, Any] = json.loads(self._dataset.schema.metadata[b"settings"])
        return stored

    def info(self) -> pd.DataFrame:
        """Return everything but the pictures, one row a clip (rejected ones too), by clip_id."""
        columns = [name for name in self._dataset.schema.names if name != self.kind]
        table: pd.DataFrame = self._dataset.to_table(columns=columns).to_pandas()
        return table.sort_values("clip_id", ignore_index=True)

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return a clip's number of pictures, their height and width; of features, 1 and D."""
        return self._rows[clip_id][1:]

    def take(self, clip_id: str, indices: Sequence[int], reduce: int = 1) -> np.ndarray:
        """Return the chosen pictures of a clip, in the order asked for.

        Args:
            clip_id: A clip of the table.
            indices: Positions in the clip, from 0; repeats are decoded once.
            reduce: 1, 2, 4 or 8: RGB frames are decoded at this fraction of their size.

        Returns:
            uint8 (len(indices), H / reduce, W / reduce, 3), float32 (len(indices), H, W, 2) or
            float32 (len(indices), D).

        Raises:
            KeyError: The clip is not in the table.
        """
        places = [int(index) for index in indices]
        once = list(dict.fromkeys(places))
        decoded = dict(zip(once, self.each(clip_id, once, reduce), strict=True))
        return np.stack([decoded[index] for index in places])

    def each(self, clip_id: str, indices: Sequence[int], reduce: int = 1) -> "Decoded":
        """Return the chosen pictures one by one, as `take` does all at once.

        Each is decoded when it is its turn, so that what is done with it finds it in the
        processor's cache, and one memory serves them all.
        """
        row = self._row(clip_id)
        return Decoded(self._encoded(row, indices), self._decoder(row, reduce))

    def steps(self, clip_id: str, indices: Sequence[int]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the chosen flow fields of a clip as they are stored.

        They are small: decoded one after the other, they are still in the processor's cache when
        they are looked at, and the decoder's code stays in its own.

        Returns:
            The fields, each uint8 (2, H, W), and the pixels that a step stands for, float32 (256,).
        """
        row = self._row(clip_id)
        steps = [decode_steps(encoded) for encoded in self._encoded(row, indices)]
        return steps, pixels_of_steps(row["bound_px"][0].as_py())

    def __getitem__(self, clip_id: str) -> np.ndarray:
        return self.take(clip_id, range(self.shape(clip_id)[0]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.clip_ids)

    def __len__(self) -> int:
        return len(self._rows)

    def __reduce__(self) -> tuple[Any, ...]:
        # Neither the open table nor what was read from it travels.
        return ClipTable, (self._uri, self._version, self._storage_options)

    def __repr__(self) -> str:
        return f"ClipTable({self.kind}, {len(self)} clips)"

    @property
    def _picture_columns(self) -> list[str]:
        return ["flow", "bound_px"] if self.kind == "flow" else [self.kind]

    def _row(self, clip_id: str) -> Any:
        # Epoch after epoch the same rows are read, which takes as long as decoding them. What fits
        # is kept as it is stored; the bound holds memory flat, however many clips there are.
        with self._lock:
            row = self._recent.get(clip_id)
        if row is None:
            row = self._dataset.take([self._rows[clip_id][0]], columns=self._picture_columns)
            with self._lock, suppress(ValueError):  # larger than all that is kept
                self._recent[clip_id] = row
        return row

    def _encoded(self, row: Any, indices: Sequence[int]) -> list[Any]:
        pictures = row[self.kind].chunk(0)[0].values
        return [pictures[int(index)].as_buffer() for index in indices]

    def _decoder(self, row: Any, reduce: int) -> Callable[[Any], np.ndarray]:
        if self.kind == "flow":
            return partial(decode_flow, bound_px=row["bound_px"][0].as_py())
        if self.kind == "features":
            return partial(np.frombuffer, dtype=np.float32)
        return partial(decode_frame, reduce=reduce)

    @cached_property
    def _dataset(self) -> Any:
        import lance  # noqa: PLC0415  (heavy, and built by kedro-mlflow's walk otherwise)

        return lance.dataset(
            self._uri, version=self._version, storage_options=self._storage_options
        )

    @cached_property
    def _rows(self) -> dict[str, tuple[int, int, int, int]]:
        """Position in the table, number of pictures, height and width, by clip_id."""
        columns = ["clip_id", "status", "n_pictures", "height", "width"]
        table = self._dataset.to_table(columns=columns).to_pydict()
        rows = zip(*(table[column] for column in columns), strict=True)
        return {
            clip_id: (position, *shape)
            for position, (clip_id, status, *shape) in enumerate(rows)
            if status == "ok"
        }
