"""Stand-ins for the tables in which the motion is gone: what does a model live on?"""

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.params import FlowParams
from hmdb_kedro.video.clips import ClipFolder
from hmdb_kedro.video.decode import read_frames
from hmdb_kedro.video.flow import brighten, small_greys
from hmdb_kedro.video.live import LiveFlow
from hmdb_kedro.video.samples import Pictures


class ShuffledFlow:
    """Flow of clips whose frames were put in random order first.

    Shuffling stored flow fields would keep most of the motion; this destroys it. A field goes
    through the same encoding as the stored ones.
    """

    def __init__(self, clips: pd.DataFrame, raw_videos: ClipFolder, params: FlowParams, seed: int):
        """Take the clips (clip_id, path, n_frames), where they lie, and how flow is made."""
        self._clips = clips.set_index("clip_id")[["path", "n_frames"]]
        self._raw_videos, self._params, self._seed = raw_videos, params, seed
        # The views of a clip follow one another, so a few clips at a time are enough.
        self._flow = lru_cache(maxsize=4)(self._shuffled)

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the number of fields, their height and width."""
        return self._flow(clip_id).shape(clip_id)

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return flow between shuffled frames: float32 (len(indices), H, W, 2), in pixels."""
        return self._flow(clip_id).take(clip_id, indices)

    def _shuffled(self, clip_id: str) -> LiveFlow:
        path = self._clips.loc[clip_id, "path"]
        greys = small_greys(read_frames(self._raw_videos[path].file), self._params.short_side)
        _, pictures = brighten(greys, self._params.gamma)
        ordered = list(pictures)
        position = self._clips.index.get_loc(clip_id)
        order = np.random.default_rng([self._seed, position]).permutation(len(ordered))
        return LiveFlow([ordered[i] for i in order], self._params)


class _StandIn:
    """A table whose clips have the shapes of real ones."""

    def __init__(self, pictures: Pictures):
        """Take the real table."""
        self._pictures = pictures

    def shape(self, clip_id: str) -> tuple[int, int, int]:
        """Return the shape of the real clip."""
        return self._pictures.shape(clip_id)


class RepeatedFrame(_StandIn):
    """Frames of clips of which only the middle one is left, again and again."""

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return the middle frame: uint8 (len(indices), H / reduce, W / reduce, 3)."""
        n_frames, _, _ = self.shape(clip_id)
        middle = self._pictures.take(clip_id, [n_frames // 2], reduce)
        return np.repeat(middle, len(indices), axis=0)


class ZeroFlow(_StandIn):
    """A table in which nothing moves."""

    def take(self, clip_id: str, indices: Any, reduce: int = 1) -> np.ndarray:
        """Return zeros: float32 (len(indices), H, W, 2)."""
        _, height, width = self.shape(clip_id)
        return np.zeros((len(indices), height, width, 2), np.float32)
