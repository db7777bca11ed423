"""Who contributed what to the fusion, and where does it help?"""

from typing import Any

import numpy as np
import pandas as pd

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.contribution import (
    Coalition,
    best_choice,
    overlap,
    prior_probabilities,
    shapley_values,
    weight_curve,
)
from hmdb_kedro.evaluation.fitting import CLIPS_FOR_TEMPERATURE, fit_rule, fit_temperature
from hmdb_kedro.evaluation.fusion import FusionRule, fuse, temper
from hmdb_kedro.evaluation.groups import FIELDS, clip_groups, gains_by_group
from hmdb_kedro.evaluation.intervals import share_intervals
from hmdb_kedro.evaluation.metrics import log_loss, top_k_accuracy, top_k_hits
from hmdb_kedro.evaluation.scores import (
    BASELINE,
    class_names,
    part,
    sources_of,
    sources_of_test,
    unstacked,
)
from hmdb_kedro.params import FUSED, TwoStreamParams
from hmdb_kedro.pipelines.fusion_eval.gathering import DURATION

MEASURES = {"duration_s": "s", "motion_px": "px a pair", "shared_motion_px": "px a pair"}
SWAPPED = "another_clips_scores"
_SWAPS = 20
_STEPS = 51


def measure_contribution(
    compared_scores: pd.DataFrame, fusion: dict[str, Any], clip_index: pd.DataFrame
) -> dict[str, Any]:
    """Return what each stream brings to the fusion on test clips.

    Returns:
        streams; prior, alone (each with its own temperature), fused: top1 and log_loss (nats);
        overlap (shares of clips that one, both or neither get right) and overlap_by_class;
        best_choice; shapley by accuracy and by log_loss (of its fall, nats), which sum to fused
        less prior; weight_curve of the first two streams, on test and validation clips; and
        duration_baseline.
    """
    tables = unstacked(compared_scores)
    streams = _Streams(tables, fusion, clip_index)
    hits = {name: top_k_hits(p, streams.labels, 1) for name, p in streams.test.items()}
    classes = class_names(tables[FUSED])
    first, second = list(fusion["streams"])[:2]
    by_class = {
        name: overlap({stream: found[streams.labels == label] for stream, found in hits.items()})
        for label, name in enumerate(classes)
        if (streams.labels == label).any()
    }
    parts = {"test": (streams.test, streams.labels), "val": (streams.val, streams.val_labels)}
    return {
        "streams": list(fusion["streams"]),
        "rule": fusion["name"],
        "prior": streams.figures(frozenset()),
        "alone": {
            name: streams.figures(frozenset([name])) | {"temperature": streams.temperatures[name]}
            for name in streams.test
        },
        "fused": streams.figures(frozenset(streams.test)),
        "overlap": overlap(hits),
        "overlap_by_class": by_class,
        "best_choice": best_choice(hits),
        "shapley": {
            "accuracy": shapley_values(list(hits), lambda c: streams.figures(c)["top1"]),
            "log_loss": shapley_values(list(hits), lambda c: -streams.figures(c)["log_loss"]),
        },
        "weight_curve": {
            "first": first,
            "second": second,
            **{
                name: weight_curve(found[first], found[second], labels, _STEPS)
                for name, (found, labels) in parts.items()
                if len(labels)
            },
        },
        "duration_baseline": _baseline(compared_scores),
    }


def measure_ablations(
    compared_scores: pd.DataFrame,
    fusion: dict[str, Any],
    seed: int,
    **ablation_scores: pd.DataFrame,
) -> pd.DataFrame:
    """Return what is left of a model, and of the fusion, without what the model lives on.

    Args:
        compared_scores: Of all models.
        fusion: The rule at work.
        seed: Of the clips that change their scores.
        **ablation_scores: By model: `ablation`, then the columns of scores; of any name.

    Returns:
        A row a model and ablation, first one without any (`none`), last one where each clip has
        the model's scores of another clip (`another_clips_scores`, the mean of 20 drawings; it
        asks for no new scores): model, ablation, n_clips, top1 with top1_low and top1_high,
        log_loss, and fused_top1 (null where the model is not fused).
    """
    tables = unstacked(compared_scores)
    test = {name: table[table["partition"] == "test"] for name, table in tables.items()}
    first = next(iter(test.values()))
    sources = dict(zip(first["clip_id"], sources_of_test(compared_scores), strict=True))
    rows = []
    for model, scores in ablation_scores.items():
        ablated = {"none": test[model]} | {
            str(name): found.drop(columns="ablation")
            for name, found in scores.groupby("ablation", sort=True)
        }
        rows += [
            {"model": model, "ablation": name} | _ablation_row(model, found, test, fusion, sources)
            for name, found in ablated.items()
        ]
        rows.append({"model": model, "ablation": SWAPPED} | _swapped_row(model, test, fusion, seed))
    return pd.DataFrame(rows)


def measure_gains(
    compared_scores: pd.DataFrame,
    fusion: dict[str, Any],
    clip_index: pd.DataFrame,
    motion_by_clip: pd.DataFrame,
    params: TwoStreamParams,
    seed: int,
) -> pd.DataFrame:
    """Return what fusion gains over each stream by class, by HMDB51's meta fields, by duration
    and by motion.

    The gain over an RGB stream is what motion adds there.
    """
    tables = unstacked(compared_scores)
    rows = tables[FUSED][tables[FUSED]["partition"] == "test"]
    known = clip_index.merge(motion_by_clip, on="clip_id", how="left").set_index("clip_id")
    clips = known.loc[rows["clip_id"]].reset_index()
    hits = {
        name: top_k_hits(*part(tables[name], "test"), 1) for name in (FUSED, *fusion["streams"])
    }
    return gains_by_group(
        clip_groups(clips, ["label", *FIELDS], MEASURES),
        hits.pop(FUSED),
        hits,
        sources_of(rows, clip_index),
        draws=params.draws,
        seed=seed,
    )


class _Streams:
    """What any set of the streams achieves on test clips."""

    def __init__(
        self, tables: dict[str, pd.DataFrame], fusion: dict[str, Any], clip_index: pd.DataFrame
    ):
        names = fusion["streams"]
        self.rule = FusionRule.from_json(fusion)
        self.test = {name: part(tables[name], "test")[0] for name in names}
        self.val = {name: part(tables[name], "val")[0] for name in names}
        self.labels = part(tables[FUSED], "test")[1]
        self.val_labels = part(tables[FUSED], "val")[1]
        enough = len(self.val_labels) >= CLIPS_FOR_TEMPERATURE
        self.temperatures = {
            name: fit_temperature(p, self.val_labels) if enough else 1.0
            for name, p in self.val.items()
        }
        classes = class_names(tables[FUSED])
        train = clip_index.loc[clip_index["partition"] == "train", "label"]
        found = pd.Index(classes).get_indexer(train)
        self.prior = prior_probabilities(found[found >= 0], len(classes), len(self.labels))
        self._known: dict[Coalition, dict[str, float]] = {}

    def figures(self, coalition: Coalition) -> dict[str, float]:
        """Return top1 and log_loss of a set of streams."""
        if coalition not in self._known:
            fused = self._fused([name for name in self.test if name in coalition])
            self._known[coalition] = {
                "top1": top_k_accuracy(fused, self.labels, 1),
                "log_loss": log_loss(fused, self.labels),
            }
        return self._known[coalition]

    def _fused(self, names: list[str]) -> np.ndarray:
        if not names:
            return self.prior
        if len(names) == 1:
            return temper(self.test[names[0]], self.temperatures[names[0]])
        rule = self.rule
        if len(names) < len(self.test):  # the same rule, for some of the streams
            rule = fit_rule(
                rule.name,
                [self.val[name] for name in names],
                self.val_labels,
                temperature=any(temperature != 1 for temperature in rule.temperatures),
            )
        return fuse(rule, [self.test[name] for name in names])


def _ablation_row(
    model: str,
    rows: pd.DataFrame,
    test: dict[str, pd.DataFrame],
    fusion: dict[str, Any],
    sources: dict[str, str],
) -> dict[str, Any]:
    rows = rows[rows["clip_id"].isin(test[model]["clip_id"])].sort_values("clip_id")
    others = {name: table[table["clip_id"].isin(rows["clip_id"])] for name, table in test.items()}
    probabilities, labels = part(rows, "test")
    fused = _fused_with(model, probabilities, others, fusion)
    (top1,) = share_intervals(
        top_k_hits(probabilities, labels, 1)[:, None],
        Clusters.of(rows["clip_id"].map(sources).to_numpy(dtype=str)),
    )
    return {
        "n_clips": len(labels),
        "top1": top1.estimate,
        "top1_low": top1.low,
        "top1_high": top1.high,
        "log_loss": log_loss(probabilities, labels),
        "fused_top1": None if fused is None else top_k_accuracy(fused, labels, 1),
    }


def _swapped_row(
    model: str, test: dict[str, pd.DataFrame], fusion: dict[str, Any], seed: int
) -> dict[str, Any]:
    probabilities, labels = part(test[model], "test")
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(_SWAPS):
        swapped = probabilities[generator.permutation(len(labels))]
        fused = _fused_with(model, swapped, test, fusion)
        found.append(
            {
                "top1": top_k_accuracy(swapped, labels, 1),
                "log_loss": log_loss(swapped, labels),
                "fused_top1": None if fused is None else top_k_accuracy(fused, labels, 1),
            }
        )
    means: dict[str, Any] = pd.DataFrame(found).astype("float64").mean().to_dict()
    return {"n_clips": len(labels)} | means


def _fused_with(
    model: str,
    probabilities: np.ndarray,
    tables: dict[str, pd.DataFrame],
    fusion: dict[str, Any],
) -> np.ndarray | None:
    """Fuse with other scores of one model; nothing where it is not fused."""
    if model not in fusion["streams"]:
        return None
    streams = [
        probabilities if name == model else part(tables[name], "test")[0]
        for name in fusion["streams"]
    ]
    return fuse(FusionRule.from_json(fusion), streams)


def _baseline(compared_scores: pd.DataFrame) -> dict[str, Any]:
    probabilities, labels = part(unstacked(compared_scores, [BASELINE])[DURATION], "test")
    hits = top_k_hits(probabilities, labels, 1)
    (top1,) = share_intervals(hits[:, None], Clusters.of(sources_of_test(compared_scores)))
    return {"top1": top1.to_json(), "log_loss": log_loss(probabilities, labels)}
