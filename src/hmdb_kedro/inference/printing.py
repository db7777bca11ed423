"""Answers as text: what both commands write."""

import csv
import io
import json
from collections.abc import Callable, Iterable

from hmdb_kedro.inference.results import Failure, Prediction

Answer = Prediction | Failure
_FIELDS = ["name", "start_s", "end_s", "label", "probability", "rank", "error"]


def as_lines(answer: Answer) -> str:
    """Return an answer as lines for a reader."""
    if isinstance(answer, Failure):
        return f"{answer.name}: {answer.reason}"
    first = f"{answer.name}: {answer.label} ({answer.seconds:.1f} s)"
    ranks = [f"  {probability:7.1%}  {label}" for label, probability in answer.top]
    if not answer.is_known:
        ranks.append(f"  The first class is below the threshold of {answer.threshold:.1%}.")
    alone = [
        f"  {found.stream}: {found.label} {found.probability:.1%} (weight {found.weight:.2g})"
        for found in answer.streams
    ]
    actions = [
        f"  {action.start_s:7.1f} – {action.end_s:.1f} s  {action.label} {action.probability:.1%}"
        for action in answer.timeline
    ]
    return "\n".join([first, *ranks, *alone, *actions])


def as_json(answers: Iterable[Answer]) -> str:
    """Return answers as a JSON list."""
    return json.dumps([answer.to_json() for answer in answers], indent=2, ensure_ascii=False)


def as_csv(answers: Iterable[Answer]) -> str:
    """Return answers as CSV: a row a class in the top, then one a stretch of a timeline.

    A stretch has start and end, a class in the top its rank; a file without an answer its error.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for answer in answers:
        if isinstance(answer, Failure):
            writer.writerow({"name": answer.name, "error": answer.reason})
            continue
        for rank, (label, probability) in enumerate(answer.top, start=1):
            row = {"label": label, "probability": probability, "rank": rank}
            writer.writerow({"name": answer.name, **row})
        writer.writerows({"name": answer.name, **vars(action)} for action in answer.timeline)
    return text.getvalue().rstrip("\n")


def show_answers(
    answers: Iterable[Answer], form: str, out: Callable[[str], None], err: Callable[[str], None]
) -> int:
    """Write answers, each as soon as it is there where the form allows.

    Args:
        answers: Made while they are asked for.
        form: `text`, `json` or `csv`.
        out: Takes what is asked for.
        err: Takes the lines about files without an answer.

    Returns:
        How many have no answer.
    """
    shown = []
    for answer in answers:
        shown.append(answer)
        if isinstance(answer, Failure):
            err(as_lines(answer))
        elif form == "text":
            out(as_lines(answer))
    if form != "text":
        out(as_json(shown) if form == "json" else as_csv(shown))
    return sum(isinstance(answer, Failure) for answer in shown)
