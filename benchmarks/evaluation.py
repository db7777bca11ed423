"""What an evaluation of HMDB51's size costs, and how it grows with the clips."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from benchmarks.clips import CONF
from benchmarks.measure import Benchmark, Measurement
from hmdb_kedro.params import MODELS, DataPrepParams, TwoStreamParams
from hmdb_kedro.pipelines.fusion_eval import create_pipeline
from hmdb_kedro.pipelines.fusion_eval.pipeline import ABLATED

CLASSES = [f"class {number:02}" for number in range(51)]
# HMDB51's test part, and a fifth of its training part for validation.
TEST, VAL, TRAIN = 1530, 714, 2856
CLIPS_A_SOURCE = 3
LEAKS = ("train_test", "same_bytes", "train_val")
TIMES = 10


def evaluation_seconds(folder: Path) -> Iterator[Measurement]:
    """Run fusion_eval: five models, every rule tried, 10,000 draws; then with ten times it."""
    seconds = min(_evaluate(1) for _ in range(2))
    yield Measurement("evaluation_seconds", seconds, None, 20, {"clips": TEST, "draws": 10_000})
    more = _evaluate(TIMES)
    details = {"clips": TIMES * TEST, "seconds": more}
    yield Measurement("evaluation_slope", more / seconds, None, 12, details)


def _evaluate(times: int) -> float:
    entries = _entries(times)
    # What looks at more than score tables is left out: frames, and the reports of other stages.
    pipeline = create_pipeline()
    pipeline -= pipeline.only_nodes("show_hardest_clips", "write_report")
    catalog = DataCatalog({name: MemoryDataset(data) for name, data in entries.items()})
    start = time.perf_counter()
    SequentialRunner().run(pipeline, catalog)
    seconds = time.perf_counter() - start
    if "tensorflow" in sys.modules:
        raise RuntimeError("The evaluation imported TensorFlow.")
    return seconds


def _entries(times: int) -> dict[str, Any]:
    index = _index(times)
    scored = index[index["partition"] != "train"].reset_index(drop=True)
    scores = {model: _scores(scored, seed) for seed, model in enumerate(MODELS)}
    is_test = scored["partition"] == "test"
    ablated = scores["cnn3d_v1"][is_test].assign(ablation="none of it")
    motion = np.random.default_rng(0).exponential(size=(2, is_test.sum()))
    return {
        **{f"{model}.scores": table for model, table in scores.items()},
        **{f"{model}.cost": {"parameters": 1} for model in MODELS},
        **{f"{model}.protocol": {"split": 1, "seed": 1} for model in MODELS},
        "clip_index": index,
        "external_scores": {},
        "data_prep_report": {"leaks": {kind: {"count": 0, "first": []} for kind in LEAKS}},
        **{f"{model}.ablation_scores": ablated for model in ABLATED},
        "protocol_runs": [],
        "motion_by_clip": pd.DataFrame(
            {
                "clip_id": scored.loc[is_test, "clip_id"],
                "motion_px": motion[0],
                "shared_motion_px": motion[1],
            }
        ),
        "params:two_stream": TwoStreamParams(**_rules()),
        "params:data_prep": DataPrepParams(**_base("data_prep", "data_prep")),
        "params:seed": 1,
    }


def _index(times: int) -> pd.DataFrame:
    """Return an index of clips with sources within a part and HMDB51's fields."""
    parts = np.repeat(["test", "val", "train"], np.multiply(times, (TEST, VAL, TRAIN)))
    numbers = np.arange(len(parts))
    labels = np.array(CLASSES)[numbers % len(CLASSES)]
    rng = np.random.default_rng(0)
    index = pd.DataFrame({"label": labels, "partition": parts, "number": numbers.astype(str)})
    sources = pd.Series(numbers // CLIPS_A_SOURCE).astype(str)
    return index.assign(
        clip_id=index["label"] + "/" + index.pop("number") + ".avi",
        source_video=index["partition"] + " " + sources,
        duration_s=rng.gamma(3, 1, len(parts)),
        camera_motion=rng.choice(["static", "moving"], len(parts)),
        visible_body=rng.choice(["head", "upper", "lower", "full"], len(parts)),
        num_people=rng.integers(1, 4, len(parts)),
        viewpoint=rng.choice(["front", "back", "left", "right"], len(parts)),
        quality=rng.choice(["bad", "medium", "good"], len(parts)),
    )


def _scores(clips: pd.DataFrame, seed: int) -> pd.DataFrame:
    labels = clips["label"].map(CLASSES.index).to_numpy()
    logits = np.random.default_rng(seed).normal(size=(len(clips), len(CLASSES)))
    logits[np.arange(len(clips)), labels] += 2
    exponents = np.exp(1.5 * logits)
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    keys = clips[["clip_id", "partition", "label"]]
    return keys.join(pd.DataFrame(probabilities, columns=CLASSES))


def _rules() -> dict[str, Any]:
    return _base("fusion_eval", "two_stream") | {"rule": "auto"}


def _base(pipeline: str, branch: str) -> dict[str, Any]:
    text = (CONF / f"parameters_{pipeline}.yml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text)[branch]
    return values


BENCHMARKS: dict[str, Benchmark] = {"evaluation_seconds": evaluation_seconds}
