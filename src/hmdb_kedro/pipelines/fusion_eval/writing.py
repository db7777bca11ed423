"""Write what was found down: a page, and a model card."""

from typing import Any

import plotly.graph_objects as go

from hmdb_kedro.params import FUSED, MODELS
from hmdb_kedro.reporting.contribution import NONE_RIGHT
from hmdb_kedro.reporting.page import html_report, markdown_card, share

_MEASURES = {
    "duration_s": "seconds",
    "n_frames": "frames",
    "fps": "frames a second",
    "width": "width, px",
    "height": "height, px",
}
_LEAK_TITLES = {
    "train_test": "recordings of one class, training and test",
    "same_bytes": "clips of the same bytes, training and test",
    "train_val": "recordings, training and validation",
    "across_classes": "recordings of different classes, training and test (no fault)",
}
_HMDB51 = "HMDB51 (Kuehne, Jhuang, Garrote, Poggio and Serre, ICCV 2011) is CC BY 4.0."
_OTHER = (
    "Licence: that of the clips that were given. The drawn sample set is part of hmdb_kedro "
    "(Apache-2.0)."
)
_ALONE = ("two", "one")


def write_report(**entries: Any) -> tuple[str, str]:
    """Return the report as one HTML page, and the model card as Markdown.

    Args:
        **entries: What a finished run has stored, figures among them; see the wiring.
    """
    figures = {name: entry for name, entry in entries.items() if isinstance(entry, go.Figure)}
    facts = _facts({name: entry for name, entry in entries.items() if name not in figures})
    return html_report(facts, figures), markdown_card(facts)


def _facts(found: dict[str, Any]) -> dict[str, Any]:
    """Return what the templates name."""
    fusion, comparisons, prep = found["fusion"], found["comparisons"], found["data_prep_report"]
    protocols = {model: found[f"{model}_protocol"] for model in MODELS}
    is_hmdb51 = prep["expected"] is not None
    return {
        "title": f"Two-stream action recognition{' on HMDB51' if is_hmdb51 else ''}",
        "split": protocols[fusion["streams"][0]]["split"],
        "is_hmdb51": is_hmdb51,
        "licence": _HMDB51 if is_hmdb51 else _OTHER,
        "eda": found["eda_summary"],
        "measures": _MEASURES,
        "prep": prep,
        "stages": {stage: found[f"{stage}_report"] for stage in ("frames", "flow")},
        "scores": found["scores_report"],
        "checks": found["evaluation_checks"],
        "too_few_sources": _too_few_sources(found),
        "leak_titles": _LEAK_TITLES,
        "protocols": protocols,
        "fusion": fusion,
        "metrics": found["metrics"],
        "fused": found["metrics"][FUSED],
        "comparisons": comparisons,
        "sentences": [pair["sentence"] for pair in comparisons["pairs"]] + comparisons["left_out"],
        "calibration": found["calibration"],
        "contribution": found["stream_contribution"],
        "overlap": _slices(found["stream_contribution"]["overlap"]),
        "table": found["model_comparison"].to_dict("records"),
        "rules": found["fusion_rules"].to_dict("records"),
        "ablations": found["ablations"].to_dict("records"),
        "published": found["published_figures"].to_dict("records"),
        "hardest": found["hardest_clips"],
        "limits": _limits(found),
    }


def _too_few_sources(found: dict[str, Any]) -> bool:
    # Checks of runs from before it was looked for do not say.
    return bool(found["evaluation_checks"].get("too_few_sources"))


def _slices(overlap: dict[str, float]) -> list[dict[str, Any]]:
    """Return the parts of one bar, from what all get right to what none does."""
    slices, start = [], 0.0
    colours = ["both", *_ALONE, *["other"] * len(overlap)]
    for kind, colour in zip(reversed(overlap), colours, strict=False):
        width = 100 * overlap[kind]
        slices.append(
            {
                "name": kind.replace("_", " "),
                "share": overlap[kind],
                "start": round(start, 3),
                "width": round(width, 3),
                "colour": "neither" if kind in NONE_RIGHT else colour,
            }
        )
        start += width
    return slices


def _limits(found: dict[str, Any]) -> list[str]:
    """Say what the figures do not tell, as far as this run knows."""
    scores, contribution = found["scores_report"], found["stream_contribution"]
    top1 = found["metrics"][FUSED]["intervals"]["top1"]
    baseline = contribution["duration_baseline"]["top1"]["estimate"]
    limits = [
        "Each model was trained once. Another seed would have trained others, and that is in no "
        "interval here: a claim about a design takes several seeds and all splits.",
        "Every clip is given one of the known classes, also where it shows none of them.",
        f"Clips' lengths alone give a top-1 of {share(baseline)} (training shares: "
        f"{share(contribution['prior']['top1'])}): a model may use them.",
    ]
    if top1["low"] is None:
        limits.append(f"No interval can be given: {top1['reason']}.")
    if scores["n_val"] == 0:
        limits.append("There are no validation clips: nothing could be chosen by them.")
    if not found["data_prep_report"]["expected"]:
        limits.append("This is not HMDB51: nothing here says how well the models do on it.")
    if _too_few_sources(found):
        limits.append(
            "The test clips are of too few sources to tell any model from shuffled labels."
        )
    across = found["evaluation_checks"]["leaks"]["across_classes"]["count"]
    if across:
        limits.append(f"{across} recordings train one class and test another: scenes may be known.")
    return limits
