"""The accuracy table of small real sets: every figure the mean over splits and three seeds.

    python -m benchmarks.small_sets CLIPS OUTPUT [--backbone FILE]

CLIPS holds `ut_interaction_1` and `arid6`, each with `videos` and `splits`; all that is made goes
below OUTPUT. An hour and three quarters on two cores that had other work too, and half an hour more
for the backbone. What is finished is not run again, so that a stopped script goes on.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import lance
import pyarrow.compute as pc

SEEDS = "1,2,3"
# Above this mean gamma, clips are dark: flow had to brighten them. See docs/training.md.
DARK_GAMMA = 1.5
DARK = {"temporal.mixup": 0.2, "temporal.dropout": 0.5}
STAND_IN = {
    "spatial.image_size": 128,
    "spatial.head_learning_rate": 0.001,
    "spatial.dropout": 0.5,
}


@dataclass(frozen=True)
class SmallSet:
    """A data set of a few clips.

    Attributes:
        pattern: Names the source in a clip's path.
        splits: Those that differ.
    """

    pattern: str
    splits: str


SETS = {
    "ut_interaction_1": SmallSet(r"(?P<source>set\d_seq\d+)", "1,2,3"),
    "arid6": SmallSet(r"(?P<source>[A-Za-z]+_\d+)_\d+", "1"),
}


def measure_models(clips: Path, output: Path) -> None:
    """Train and score all models on each set, then pool the sets."""
    for name, small in SETS.items():
        given = _given(clips / name, output / name, small)
        _kedro("run", "--pipelines", "data_prep,frames,flow", given)
        recipe = DARK if _is_dark(output / name) else {}
        _protocol(small, _given(clips / name, output / name, small, **recipe))
    _summarise(output, "models.json", *(output / name for name in SETS))


def measure_backbone(clips: Path, output: Path, backbone: Path) -> None:
    """Train the spatial stream on a pretrained backbone, and on the same with drawn weights."""
    for weights in ("none", "random"):
        for name, small in SETS.items():
            root = output / f"{name}_{weights}"
            values = STAND_IN | {"spatial.backbone": backbone, "spatial.weights": weights}
            _protocol(
                small,
                _given(clips / name, root, small, **values),
                "--pipelines=data_prep,frames,spatial_training",
                "--models=spatial",
            )
            _summarise(output, f"{name}_{weights}.json", root)


def _given(folder: Path, root: Path, small: SmallSet, **values: object) -> str:
    places = {
        "data_root": root,
        "raw_videos_dir": folder / "videos",
        "raw_splits_dir": folder / "splits",
        "data_prep.source_pattern": small.pattern,
    }
    return "--params=" + ",".join(f"{key}={value}" for key, value in (places | values).items())


def _protocol(small: SmallSet, given: str, *options: str) -> None:
    _kedro("hmdb", "protocol", f"--splits={small.splits}", f"--seeds={SEEDS}", *options, given)


def _summarise(output: Path, name: str, *roots: Path) -> None:
    _kedro("hmdb", "protocol-summary", f"--output={output / name}", *map(str, roots))


def _is_dark(root: Path) -> bool:
    flow = lance.dataset(root / "04_feature" / "flow.lance")
    gamma = flow.to_table(columns=["gamma"])["gamma"]
    return float(pc.mean(gamma).as_py()) > DARK_GAMMA


def _kedro(*arguments: str) -> None:
    """Run a command of this project in the environment for small sets, and stop where it fails."""
    subprocess.run([sys.executable, "-m", "kedro", *arguments, "--env=small"], check=True)


def main() -> None:
    """Measure, in the order in which the figures are wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--backbone", type=Path, help="A saved Keras network without its top.")
    given = parser.parse_args()
    measure_models(given.clips.resolve(), given.output.resolve())
    if given.backbone:
        measure_backbone(given.clips.resolve(), given.output.resolve(), given.backbone.resolve())


if __name__ == "__main__":
    main()
