"""Made-up score tables, and what the evaluation asks for beside them."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from kedro.io import MemoryDataset

CLASSES = [f"class {letter}" for letter in "abcdef"]
COST = {"parameters": 1000, "gflops": 2.5, "train_seconds": 60.0, "ms_per_clip": 4.0}
PROTOCOL = {
    "split": 1,
    "seed": 1,
    "views": 2,
    "crops": "centre",
    "sampling": {"image_size": 48, "window": 6},
}
NO_LEAKS = {
    kind: {"count": 0, "first": []}
    for kind in ("train_val", "train_test", "same_bytes", "across_classes")
}
REPORTS = {
    "data_prep_report": {"leaks": NO_LEAKS, "expected": None, "missing_count": 0},
    "eda_summary": {
        "clips": 180,
        "classes": 6,
        "hours": 0.1,
        "sources": 60,
        "status": {"ok": 180},
        "partition": {"train": 90, "val": 30, "test": 60},
        "quantiles": {"duration_s": {"p5": 1.0, "median": 1.5, "p95": 2.0}},
    },
    "frames_report": {"rejected": {}},
    "flow_report": {"rejected": {}},
    "clips_by_class": go.Figure(),
}


class Kept(MemoryDataset):
    """An entry that stays when the last node that reads it is done."""

    def _release(self):
        pass


class FilmStock:
    """Stands in for a ClipTable: clips of eight grey pictures, each as bright as its position."""

    def __init__(self, clip_ids):
        self.clip_ids = list(clip_ids)

    def shape(self, clip_id):
        return 8, 30, 40

    def take(self, clip_id, indices):
        return np.stack([np.full((30, 40, 3), 20 * index, np.uint8) for index in indices])


def scores_of(seed, strength=1.0, val=30, test=60):
    rng = np.random.default_rng(seed)
    labels = np.arange(val + test) % len(CLASSES)
    logits = rng.normal(size=(len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] += strength
    exponents = np.exp(logits)
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    keys = {
        "clip_id": [f"{CLASSES[label]}/{i}.avi" for i, label in enumerate(labels)],
        "partition": ["val"] * val + ["test"] * test,
        "label": [CLASSES[label] for label in labels],
    }
    return pd.DataFrame(keys).join(pd.DataFrame(probabilities, columns=CLASSES))


def index_of(scores, clips_a_source=3):
    """An index of the scored clips, three a source, and of as many training clips."""
    n = len(scores)
    scored = pd.DataFrame(
        {
            "clip_id": scores["clip_id"],
            "label": scores["label"],
            "partition": scores["partition"],
            "source_video": [f"film {i // clips_a_source}" for i in range(n)],
            "duration_s": 1 + np.arange(n) % 7 / 7,
            "camera_motion": np.where(np.arange(n) % 2, "static", "moving"),
        }
    )
    train = scored.assign(
        clip_id="train " + scored["clip_id"],
        partition="train",
        source_video="train " + scored["source_video"],
    )
    return pd.concat([scored, train], ignore_index=True)


def motion_of(index):
    test = index[index["partition"] == "test"]
    pixels = np.linspace(0, 2, len(test))
    return pd.DataFrame(
        {"clip_id": test["clip_id"], "motion_px": pixels, "shared_motion_px": pixels[::-1]}
    )


def ablations_of(scores):
    """Two ablations: uniform scores, and one that lacks a clip."""
    test = scores[scores["partition"] == "test"]
    blind = test.assign(ablation="blind", **dict.fromkeys(CLASSES, np.float32(1 / 6)))
    return pd.concat([test.iloc[1:].assign(ablation="one_frame"), blind])
