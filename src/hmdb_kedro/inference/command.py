"""`hmdb-predict FOLDER clip.avi …`: answers from an export, without Kedro and Keras."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hmdb_kedro.errors import UserError
from hmdb_kedro.inference.logged import is_model_uri
from hmdb_kedro.inference.printing import show_answers
from hmdb_kedro.inference.reading import expand_folders
from hmdb_kedro.inference.recogniser import TOP_K, Recogniser


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the videos named on the command line.

    Returns:
        0, or 1 where a video has no answer or the export cannot be used.
    """
    given = make_parser().parse_args(arguments)
    try:
        load = Recogniser.from_mlflow if is_model_uri(given.export) else Recogniser.from_export
        recogniser = load(given.export)
    except UserError as error:
        _say(f"Error: {error}")
        return 1
    answers = recogniser.predict_many(expand_folders(given.videos), top_k=given.top)
    try:
        return min(1, show_answers(answers, given.form, _print, _say))
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(
        prog="hmdb-predict", description="Say which action videos show, by an exported recogniser."
    )
    parser.add_argument(
        "export",
        help="folder that `kedro hmdb export` has written, or an MLflow model's address "
        "(models:/two_stream@best)",
    )
    parser.add_argument("videos", type=Path, nargs="+", help="videos, or folders of them")
    parser.add_argument(
        "--top", type=_positive, default=TOP_K, help="classes to show (%(default)s)"
    )
    form = parser.add_mutually_exclusive_group()
    for name in ("json", "csv"):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name)
    parser.set_defaults(form="text")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
