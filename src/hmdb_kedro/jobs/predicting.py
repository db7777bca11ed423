"""`kedro hmdb predict` and `kedro hmdb export`: from the catalog to an answer, or to a folder."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from kedro.io import CatalogProtocol

from hmdb_kedro.artefacts import OnnxFile, TrainedModel
from hmdb_kedro.errors import UserError
from hmdb_kedro.inference import Failure, Prediction, Recogniser, write_export
from hmdb_kedro.inference.exported import Exported, check_classes
from hmdb_kedro.inference.overlay import write_overlay
from hmdb_kedro.inference.printing import show_answers
from hmdb_kedro.inference.reading import expand_folders
from hmdb_kedro.jobs.explaining import explain, write_evidence

_FUSION = "two_stream.fusion"
_NO_MAPS = (
    "{stream}: no picture of what counted. Its network does not end in global average pooling and "
    "one dense layer, as `compact`, `oriented` and ResNet-50 do."
)
_MAKES = {_FUSION: "fusion_eval", "spatial": "spatial_training"}


@dataclass(frozen=True)
class Wanted:
    """What `kedro hmdb predict` was asked for.

    Attributes:
        videos: Files, or folders of them.
        form: `text`, `json` or `csv`.
        top: How many classes.
        overlay: Where the video goes with its answer drawn in, or None.
        model_uri: The MLflow model that answers, instead of the last finished run.
        explain: The folder of pictures of what counted, or None.
    """

    videos: Sequence[Path]
    form: str
    top: int
    overlay: Path | None = None
    model_uri: str | None = None
    explain: Path | None = None


def predict(catalog: CatalogProtocol[Any, Any], wanted: Wanted, env: str | None = None) -> bool:
    """Answer videos by the last finished run, or a logged model, and show the answers.

    Returns:
        Whether all have an answer.

    Raises:
        UserError: Nothing is trained, or an overlay is asked for of several videos.
    """
    files = list(expand_folders(wanted.videos))
    if wanted.overlay is not None and len(files) != 1:
        raise UserError(f"--overlay takes one video. Received: {len(files)}.")
    if wanted.explain is not None and wanted.model_uri is not None:
        raise UserError("--explain looks into the Keras models of a run, so not with --model-uri.")
    if wanted.model_uri is None:
        fusion, models = _trained(catalog, env)
        recogniser = Recogniser.from_models(models, fusion)
    else:
        models = {}
        recogniser = Recogniser.from_mlflow(wanted.model_uri)
    answers = recogniser.predict_many(files, top_k=wanted.top)
    pictured = _pictured(zip(files, answers, strict=True), wanted, recogniser, models)
    return show_answers(pictured, wanted.form, click.echo, partial(click.echo, err=True)) == 0


def _pictured(
    answers: Iterable[tuple[Path, Prediction | Failure]],
    wanted: Wanted,
    recogniser: Recogniser,
    models: Mapping[str, TrainedModel],
) -> Iterator[Prediction | Failure]:
    """Hand answers on, and write the pictures of each that are asked for."""
    for file, answer in answers:
        yield answer
        if isinstance(answer, Failure):
            continue
        if wanted.overlay is not None:
            write_overlay(file, answer, wanted.overlay)
            _say_written(wanted.overlay)
        if wanted.explain is not None:
            for stream, evidence in explain(recogniser, models, file, answer):
                if evidence is None:
                    click.echo(_NO_MAPS.format(stream=stream), err=True)
                    continue
                picture = wanted.explain / f"{_name(file, wanted)}_{stream}.png"
                write_evidence(evidence, picture)
                _say_written(picture)


def _name(file: Path, wanted: Wanted) -> str:
    """Return what a video's pictures are called: by its class folder too, where it is in one."""
    is_named = file in wanted.videos
    return file.stem if is_named else f"{file.parent.name}_{file.stem}"


def _say_written(file: Path) -> None:
    click.echo(f"Written: {file}", err=True)


def export(
    catalog: CatalogProtocol[Any, Any], folder: Path, env: str | None = None
) -> tuple[str, ...]:
    """Write an export of the last finished run, and return the names of its streams.

    Raises:
        UserError: Something is missing, or the folder holds something else.
    """
    exported = exported_of(catalog, env)
    write_export(exported, folder)
    return tuple(exported.streams)


def recogniser_of(catalog: CatalogProtocol[Any, Any], env: str | None = None) -> Recogniser:
    """Return the recogniser that the last finished run has stored, of its Keras models.

    Raises:
        UserError: Something is not trained yet; it names the command.
    """
    fusion, models = _trained(catalog, env)
    return Recogniser.from_models(models, fusion)


def exported_of(
    catalog: CatalogProtocol[Any, Any],
    env: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> Exported:
    """Return what an export is made of: the ONNX files and the fusion of the last finished run.

    Args:
        catalog: Where they are.
        env: Named in the command that makes what is missing.
        versions: Of streams that are not to be the newest.

    Raises:
        UserError: Something is missing; it names the command that makes it.
    """
    fusion = _fusion(catalog, env)
    _require(catalog, [f"{stream}.onnx" for stream in fusion["streams"]], env)
    found: dict[str, OnnxFile] = {
        stream: catalog.load(f"{stream}.onnx", version=(versions or {}).get(stream))
        for stream in fusion["streams"]
    }
    _check_classes(fusion, found, env)
    streams = {name: (model.path, model.preprocessing) for name, model in found.items()}
    return Exported(streams, fusion)


def _trained(
    catalog: CatalogProtocol[Any, Any], env: str | None
) -> tuple[dict[str, Any], dict[str, TrainedModel]]:
    """Return the fusion and its Keras models."""
    fusion = _fusion(catalog, env)
    _require(catalog, [f"{stream}.model" for stream in fusion["streams"]], env)
    models = {stream: catalog.load(f"{stream}.model") for stream in fusion["streams"]}
    _check_classes(fusion, models, env)
    return fusion, models


def _check_classes(
    fusion: Mapping[str, Any], models: Mapping[str, TrainedModel | OnnxFile], env: str | None
) -> None:
    known = {name: model.classes for name, model in models.items()}
    check_classes(fusion, known, _command("fusion_eval", env))


def _fusion(catalog: CatalogProtocol[Any, Any], env: str | None) -> dict[str, Any]:
    _require(catalog, [_FUSION], env)
    fusion: dict[str, Any] = catalog.load(_FUSION)
    return fusion


def _require(catalog: CatalogProtocol[Any, Any], entries: Sequence[str], env: str | None) -> None:
    missing = [entry for entry in entries if not catalog.exists(entry)]
    if not missing:
        return
    raise UserError(
        f"Nothing is trained yet that could answer. Received: no {', '.join(missing)}. Do: "
        f"{_command(_pipelines(missing), env)}"
    )


def _pipelines(entries: Iterable[str]) -> str:
    """Return the pipelines that make entries; none, which runs all, where the fusion is missing."""
    if _FUSION in entries:
        return ""
    makers = {_MAKES.get(entry.partition(".")[0], "temporal_training") for entry in entries}
    return ",".join(sorted(makers))


def _command(pipelines: str, env: str | None) -> str:
    chosen = f" --env {env}" if env else ""
    return f"kedro run{chosen}" + (f" --pipelines {pipelines}" if pipelines else "")
