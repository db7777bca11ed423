"""From a trained model to a table of probabilities, one row a clip."""

import os
import time

import numpy as np
import pandas as pd

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.training.batches import ClipBatches
from hmdb_kedro.video.samples import Pictures, Sampler, count_views, protocol_sampler

_BATCH_SIZE = 16
_TIMED_RUNS = 10


def score_clips(trained: TrainedModel, clips: pd.DataFrame, pictures: Pictures) -> pd.DataFrame:
    """Average a clip's probabilities over the views the model was made for.

    Args:
        trained: The model; its preprocessing says how clips are sampled.
        clips: clip_id, partition, label and label_id of the clips to score.
        pictures: The table they are read from.

    Returns:
        clip_id, partition, label, then one float32 column a class; rows sum to 1.
    """
    views = _predict(trained, _batches(trained, clips, pictures, _BATCH_SIZE))
    scores = views.reshape(len(clips), _n_views(trained), len(trained.classes)).mean(axis=1)
    scores /= scores.sum(axis=1, keepdims=True)
    table = clips[["clip_id", "partition", "label"]].reset_index(drop=True)
    return table.join(pd.DataFrame(scores.astype(np.float32), columns=list(trained.classes)))


def input_sample(trained: TrainedModel, clips: pd.DataFrame, pictures: Pictures) -> np.ndarray:
    """Return the first view of the first clip as the model takes it: float32, shape (1, …)."""
    inputs: np.ndarray = _batches(trained, clips.iloc[:1], pictures, 1)[0][0]
    return inputs


def milliseconds_to_read(trained: TrainedModel, clips: pd.DataFrame, pictures: Pictures) -> float:
    """Return the median time in which one thread reads and prepares a clip's views, in ms."""
    batches = _batches(trained, clips.iloc[:_TIMED_RUNS], pictures, _n_views(trained))
    times = []
    for number in range(len(batches)):
        start = time.perf_counter()
        batches[number]
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def milliseconds_per_view(trained: TrainedModel) -> float:
    """Return the median time of a forward pass at batch 1, in ms."""
    # Of the type that samples have: another one would be traced anew.
    dtype = Sampler(**trained.preprocessing["sampler"]).dtype
    model = trained.model
    inputs = np.zeros((1, *model.input_shape[1:]), dtype)
    model.predict_on_batch(inputs)
    times = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        model.predict_on_batch(inputs)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def _n_views(trained: TrainedModel) -> int:
    how = trained.preprocessing
    return count_views(how["test_views"], how.get("test_crops", "centre"))


def _batches(
    trained: TrainedModel, clips: pd.DataFrame, pictures: Pictures, batch_size: int
) -> ClipBatches:
    how = trained.preprocessing
    crops = how.get("test_crops", "centre")
    return ClipBatches(
        clips,
        pictures,
        protocol_sampler(Sampler(**how["sampler"]), how["test_views"], crops),
        num_classes=len(trained.classes),
        views=_n_views(trained),
        batch_size=batch_size,
        threads=os.cpu_count() or 1,
    )


def _predict(trained: TrainedModel, batches: ClipBatches) -> np.ndarray:
    if len(batches) == 0:
        return np.empty((0, len(trained.classes)))
    predicted: np.ndarray = trained.model.predict(batches, verbose=0)
    return predicted.astype(np.float64)
