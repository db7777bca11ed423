"""The steps every model goes through: train, score, say how and at what cost."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import keras
import pandas as pd

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.datasets.weights_folder import Weights
from hmdb_kedro.errors import UserError
from hmdb_kedro.models.cost import count_gflops, training_memory_mb
from hmdb_kedro.models.warm_start import start_from
from hmdb_kedro.params import DataPrepParams, TrainParams, hash_values
from hmdb_kedro.training.fit import EpochLog, Fitted, TrainingSet, fit
from hmdb_kedro.training.resume import Checkpoint, run_key, settings_key, training_key
from hmdb_kedro.training.scoring import (
    milliseconds_per_view,
    milliseconds_to_read,
    score_clips,
)
from hmdb_kedro.video.samples import count_views, make_sampler
from hmdb_kedro.video.tables import ClipTable

History = dict[str, Any]
# What a training hands on: the model, its history, and the scores of validation clips.
Training = tuple[TrainedModel, History, pd.DataFrame]


@dataclass(frozen=True)
class Start:
    """Where a training begins, and how it is fitted.

    Attributes:
        checkpoint: Keeps the state after each epoch, and is gone on from.
        pretrained: Finds the model that `init_from` names.
        fit_model: `fit`, or what is called as it is.
    """

    checkpoint: Checkpoint | None = None
    pretrained: Weights | None = None
    fit_model: Callable[..., Fitted] = fit

    def earlier_model(self, params: TrainParams) -> TrainedModel | None:
        """Return the model whose weights are the first, if there is one."""
        return self.pretrained.earlier_model(params.init_from) if self.pretrained else None

    def states(
        self, params: TrainParams, seed: int, clip_index: pd.DataFrame, pictures: ClipTable
    ) -> Checkpoint | None:
        """Return the place of the states of this very training."""
        if self.checkpoint is None:
            return None
        return self.checkpoint.part(training_key(params, seed, clip_index, pictures))


def train_model(
    build: Callable[..., keras.Model],
    data: tuple[pd.DataFrame, ClipTable],
    params: TrainParams,
    seed: int,
    epoch_log: EpochLog,
    start: Start | None = None,
) -> Training:
    """Train a model on the training part of the index, and score the validation part.

    Args:
        build: From `num_classes` to an uncompiled model with its initial weights.
        data: The clip index, and the table of the clips' pictures.
        params: The model's parameters.
        seed: Of shuffling, sampling, augmentation and dropout.
        epoch_log: Takes the figures of each epoch.
        start: Where the training begins and how it is fitted; by default anew, by `fit`.

    Returns:
        The model; its history: see `fit`; run_key and settings_key, which tell runs of other
        settings apart; the scores of the validation part: see `score_clips`. With `refit` these
        come from the model before it, since what is chosen by them (the weights of a fusion, a
        temperature) must not be chosen on clips that were learned.

    Raises:
        UserError: A class has no training clip with pictures, or the model of `init_from` is of
            another architecture.
    """
    clip_index, pictures = data
    classes = _class_names(clip_index)
    training_set = _training_set(clip_index, pictures, classes)
    start = start or Start()
    fitted = start.fit_model(
        partial(_started, build, classes, start.earlier_model(params)),
        training_set,
        params,
        seed,
        epoch_log,
        start.states(params, seed, clip_index, pictures),
    )
    preprocessing = {
        "sampler": asdict(make_sampler(params)),
        "test_views": params.test_views,
        "test_crops": params.test_crops,
        "batch_size": params.batch_size,
        "extraction": pictures.settings,
    }
    keys = {
        "run_key": run_key(params, seed, clip_index, pictures),
        "settings_key": settings_key(params, pictures),
    }
    trained, selected = (
        TrainedModel(_without_optimizer(model), classes, preprocessing)
        for model in (fitted.model, fitted.selected)
    )
    val_clips = clips_of({"val"}, clip_index, pictures)
    return trained, fitted.history | keys, score_clips(selected, val_clips, pictures)


def evaluate_model(
    trained: TrainedModel,
    history: History,
    val_scores: pd.DataFrame,
    clip_index: pd.DataFrame,
    pictures: ClipTable,
    split: int,
    data_prep: DataPrepParams,
) -> tuple[pd.DataFrame, dict[str, Any], dict[str, float], TrainedModel]:
    """Score the test part, beside the validation part, and say how and at what cost.

    One step, because loading the model takes longer than most of it.

    Returns:
        The scores of both parts; the protocol: split, seed, views, crops, sampling, versions,
        run_key (of all that the scores depend on) and settings_key (the same for all splits and
        seeds); the cost: parameters, gflops of a view, file_mb, train_seconds, ms_per_clip (the
        forward passes of all views, one by one), ms_read_per_clip (reading and preparing these
        views from the table),
        ms_extract_per_clip (from the video to the table: decoding, flow where it is the model's,
        encoding), ms_per_clip_total (all three) and memory_mb of a training step; the model itself.

    Raises:
        UserError: The table was extracted with other settings than the model was trained on, or
            the index has other classes.
    """
    _refuse_other_settings(trained, pictures)
    _refuse_other_classes(trained, clip_index)
    clips = clips_of({"test"}, clip_index, pictures)
    test_scores = score_clips(trained, clips, pictures)
    scores = pd.concat([val_scores, test_scores], ignore_index=True)
    protocol = {
        "split": split,
        "seed": history["seed"],
        "views": trained.preprocessing["test_views"],
        "crops": trained.preprocessing.get("test_crops", "centre"),
        "sampling": trained.preprocessing["sampler"],
        "versions": {"model": trained.version, pictures.kind: pictures.version},
    } | _keys(history, data_prep)
    return scores, protocol, _cost(trained, history, clips, pictures), trained


def clips_of(parts: Collection[str], clip_index: pd.DataFrame, pictures: ClipTable) -> pd.DataFrame:
    """Return the clips of some parts that are of known classes and have pictures."""
    known = clip_index["label_id"].notna() & clip_index["clip_id"].isin(pictures.clip_ids)
    return clip_index[known & clip_index["partition"].isin(parts)]


def _without_optimizer(model: keras.Model) -> keras.Model:
    """Return the same layers, uncompiled: AdamW's moments would be two thirds of the saved file."""
    return keras.Model(model.input, model.output, name=model.name)


def _started(
    build: Callable[..., keras.Model], classes: tuple[str, ...], earlier: TrainedModel | None
) -> keras.Model:
    model = build(num_classes=len(classes))
    if earlier is not None:
        start_from(model, earlier, classes)
    return model


def _cost(
    trained: TrainedModel, history: History, clips: pd.DataFrame, pictures: ClipTable
) -> dict[str, float]:
    how = trained.preprocessing
    n_views = count_views(how["test_views"], how.get("test_crops", "centre"))
    steps = {"ms_per_clip": n_views * milliseconds_per_view(trained)}
    if len(clips):
        steps["ms_read_per_clip"] = milliseconds_to_read(trained, clips, pictures)
        steps["ms_extract_per_clip"] = _milliseconds_to_extract(clips, pictures)
        steps["ms_per_clip_total"] = sum(steps.values())
    known = {} if trained.file_mb is None else {"file_mb": trained.file_mb}
    return known | {
        "parameters": trained.model.count_params(),
        "gflops": count_gflops(trained.model),
        "train_seconds": history["train_seconds"],
        **steps,
        "memory_mb": training_memory_mb(trained.model, how["batch_size"]),
    }


def _milliseconds_to_extract(clips: pd.DataFrame, pictures: ClipTable) -> float:
    """Return the median time that extraction noted of these clips, its workers side by side."""
    noted = pictures.info().set_index("clip_id")["seconds"].reindex(clips["clip_id"])
    return 1e3 * float(noted.median())


def _keys(history: History, data_prep: DataPrepParams) -> dict[str, str]:
    if "run_key" not in history:  # of a training from before there were keys
        return {}
    return {
        "run_key": history["run_key"],
        "settings_key": hash_values([history["settings_key"], data_prep.parts()]),
    }


def _training_set(
    clip_index: pd.DataFrame, pictures: ClipTable, classes: tuple[str, ...]
) -> TrainingSet:
    train = clips_of({"train"}, clip_index, pictures)
    empty = sorted(set(classes) - set(train["label"]))
    if empty:
        raise UserError(
            f"No training clip with {pictures.kind} is left of {', '.join(empty)}. See the "
            f"{pictures.kind} report for the reasons."
        )
    return TrainingSet(train, clips_of({"val"}, clip_index, pictures), pictures, len(classes))


def _class_names(clip_index: pd.DataFrame) -> tuple[str, ...]:
    known = clip_index.dropna(subset=["label_id"]).sort_values("label_id")
    return tuple(known["label"].unique())


def _refuse_other_settings(trained: TrainedModel, pictures: ClipTable) -> None:
    expected, found = trained.preprocessing["extraction"], pictures.settings
    changed = sorted(key for key in expected if expected[key] != found.get(key))
    if changed:
        wanted = ", ".join(f"{pictures.kind}.{key}={expected[key]}" for key in changed)
        raise UserError(
            f"The model was trained on {pictures.kind} of {wanted}. Received: "
            f"{', '.join(f'{key}={found.get(key)}' for key in changed)}. "
            f"Extract again with those settings, or train the model anew."
        )


def _refuse_other_classes(trained: TrainedModel, clip_index: pd.DataFrame) -> None:
    apart = sorted(set(trained.classes) ^ set(_class_names(clip_index)))
    if apart:
        raise UserError(
            "The model was trained on other classes than the index has. Received: "
            f"{', '.join(apart)} in one of them alone. Train it anew."
        )
