"""What the sample set holds and what is true of it: classes, names, splits, the scroll.

A class is a pair of an appearance and a motion. Nothing is drawn here, and each clip's facts
depend on the seed, its class, its source and its own number alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hmdb_kedro.errors import UserError

APPEARANCES = ("amber", "teal", "violet")
MOTIONS = ("up", "down", "sway")
LABELS = tuple(f"{appearance}_{motion}" for appearance in APPEARANCES for motion in MOTIONS)
SPLITS = (1, 2, 3)
WIDTH, HEIGHT, FPS = 320, 240, 30
SPEED_PX = (1.6, 2.8)

# Which of a source's or a clip's independent random streams: the first entry of its seed.
_CLIP_STREAM, _SPLIT_STREAM, _TITLE_STREAM = 1, 2, 3
_LENGTH_JITTER = 4
_SWAY_FRAMES = (8, 14)
_TRAIN_SHARE = 5 / 9
_PLACES = (
    "Harbour", "Orchard", "Station", "Garden", "Castle", "Market",
    "River", "Meadow", "Abbey", "Quarry", "Lantern", "Mill",
)  # fmt: skip
_WALKS = (
    "Walk", "Errand", "Stroll", "Morning", "Crossing", "Return",
    "Detour", "Sunday", "Promenade", "Shortcut", "Farewell", "Patrol",
)  # fmt: skip


@dataclass(frozen=True)
class SampleClip:
    """One clip: where it belongs and what moves in it.

    Attributes:
        seed: Seed of the whole set.
        label: `<appearance>_<motion>`.
        source: Number of its source within the class, from 0.
        number: Number of the clip within its source, from 0.
        title: Name of its source, which no other source of the set has.
        n_frames: Length.
        speed_px: Speed of the scene, in pixels a frame at 320×240.
        sway_frames: Frames between two turns of the swaying scene.
        sway_start: Frames since the last turn at the first frame, in [0, 2 · sway_frames).
        facing: Which way the figure walks: `le` or `ri`.
        quality: `med` or `goo`.
    """

    seed: int
    label: str
    source: int
    number: int
    title: str
    n_frames: int
    speed_px: float
    sway_frames: int
    sway_start: int
    facing: Literal["le", "ri"]
    quality: Literal["med", "goo"]

    @property
    def file_name(self) -> str:
        """The official-style name: whole body seen, moving camera, one person."""
        return f"{self.title}_{self.label}_f_cm_np1_{self.facing}_{self.quality}_{self.number}.avi"

    @property
    def clip_id(self) -> str:
        """`<label>/<file name>`."""
        return f"{self.label}/{self.file_name}"

    @property
    def source_key(self) -> tuple[int, int, int]:
        """What all clips of a source share, as a seed: set, class and source."""
        return self.seed, LABELS.index(self.label), self.source


@dataclass(frozen=True)
class SampleSet:
    """The plan of a sample set; cheap, and equal for equal settings."""

    seed: int = 0
    sources_per_class: int = 9
    clips_per_source: int = 3
    frames: int = 40

    def __post_init__(self) -> None:
        least = {"seed": 0, "sources_per_class": 2, "clips_per_source": 1, "frames": 8}
        for name, minimum in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
                raise UserError(
                    f"The sample set's `{name}` must be a whole number of at least {minimum}. "
                    f"Received: {value!r}."
                )

    @cached_property
    def clips(self) -> Mapping[str, SampleClip]:
        """Every clip by its clip_id, sorted."""
        drawn = (
            _describe_clip(self, label, source, number)
            for label in LABELS
            for source in range(self.sources_per_class)
            for number in range(self.clips_per_source)
        )
        return MappingProxyType(dict(sorted((clip.clip_id, clip) for clip in drawn)))

    def part(self, clip: SampleClip, split: int) -> Literal[1, 2]:
        """Return the part of a clip in an official split: 1 train, 2 test."""
        return 2 if clip.source in _test_sources(self, clip.label, split) else 1


def factors(label: str) -> tuple[str, str]:
    """Return the appearance and the motion that make up a label."""
    if label not in LABELS:
        raise UserError(
            f"`label` must be one of the sample set's classes ({', '.join(LABELS)}). "
            f"Received: {label!r}."
        )
    appearance, motion = label.split("_")
    return appearance, motion


def true_scroll(clip: SampleClip) -> NDArray[np.float32]:
    """Return how far the scene behind the figure moves from each frame to the next.

    Returns:
        float32, shape (T - 1, 2): dx (right) and dy (down), in pixels at 320×240; the optical flow
        of every background pixel.
    """
    motion = factors(clip.label)[1]
    scroll = np.zeros((clip.n_frames - 1, 2), np.float32)
    if motion == "sway":
        # Turns fall on whole frames, so that the speed is the same in every frame of every class.
        half_cycles = (clip.sway_start + np.arange(clip.n_frames - 1)) // clip.sway_frames
        scroll[:, 0] = clip.speed_px * (1 - 2 * (half_cycles % 2))
    else:
        scroll[:, 1] = clip.speed_px if motion == "down" else -clip.speed_px
    return scroll


def _describe_clip(plan: SampleSet, label: str, source: int, number: int) -> SampleClip:
    class_id = LABELS.index(label)
    rng = np.random.default_rng([_CLIP_STREAM, plan.seed, class_id, source, number])
    # All are drawn for every motion: the classes differ in nothing but the direction.
    jitter = min(_LENGTH_JITTER, plan.frames // 8)
    sway_frames = int(rng.integers(_SWAY_FRAMES[0], _SWAY_FRAMES[1] + 1))
    return SampleClip(
        seed=plan.seed,
        label=label,
        source=source,
        number=number,
        title=_title(plan.seed, class_id, source),
        n_frames=plan.frames + int(rng.integers(-jitter, jitter + 1)),
        speed_px=float(np.float32(rng.uniform(*SPEED_PX))),
        sway_frames=sway_frames,
        sway_start=int(rng.integers(2 * sway_frames)),
        facing="le" if rng.random() < 0.5 else "ri",
        quality="med" if rng.random() < 0.5 else "goo",
    )


def _title(seed: int, class_id: int, source: int) -> str:
    """Name a source like a film; titles repeat as sequels once all are used."""
    titles = len(_PLACES) * len(_WALKS)
    order = np.random.default_rng([_TITLE_STREAM, seed]).permutation(titles)
    round_, position = divmod(source * len(LABELS) + class_id, titles)
    place, walk = divmod(int(order[position]), len(_WALKS))
    sequel = f"_{round_ + 1}" if round_ else ""
    return f"{_PLACES[place]}_{_WALKS[walk]}{sequel}"


@lru_cache(maxsize=256)
def _test_sources(plan: SampleSet, label: str, split: int) -> frozenset[int]:
    """Choose the sources tested on: a run of a shuffled circle, begun elsewhere in each split."""
    n = plan.sources_per_class
    n_test = n - min(n - 1, max(1, round(_TRAIN_SHARE * n)))
    circle = np.random.default_rng([_SPLIT_STREAM, plan.seed, LABELS.index(label)]).permutation(n)
    start = (split - 1) * max(1, n // len(SPLITS))
    return frozenset(int(circle[(start + step) % n]) for step in range(n_test))
