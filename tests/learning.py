"""A small problem and a small model: what tests of training share."""

from functools import partial

import numpy as np
import pandas as pd
from params import make

CLIPS = pd.DataFrame(
    {"clip_id": [f"c{i}" for i in range(10)], "label_id": [i % 2 for i in range(10)]}
)
SMALL = {
    "image_size": 16,
    "window": 4,
    "window_stride": 1,
    "filters": [4, 8],
    "batch_size": 4,
    "learning_rate": 0.02,
    "flip": False,
}


class MemoryFlow:
    """Noisy flow, whose mean x tells the clip's label."""

    def shape(self, clip_id):
        return 12, 20, 24

    def take(self, clip_id, indices, reduce=1):
        number = int(clip_id[1:])
        noise = np.random.default_rng(number).normal(size=(12, 20, 24, 2)).astype(np.float32)
        noise[..., 0] += number % 2 or -1
        return noise[np.asarray(indices)]


class Epochs(list):
    """An epoch log in memory."""

    def __init__(self, run_id=None):
        super().__init__()
        self.run_id = run_id

    def log(self, metrics, epoch):
        self.append((epoch, dict(metrics)))


class KillingLog(Epochs):
    """Kill the training after it has logged an epoch, and before its state is kept."""

    def __init__(self, epoch):
        super().__init__()
        self._last = epoch

    def log(self, metrics, epoch):
        super().log(metrics, epoch)
        if epoch == self._last:
            raise RuntimeError("Killed")


def small_params(**changes):
    return make("temporal", **(SMALL | changes))


def training_set(pictures=None):
    from hmdb_kedro.training.fit import TrainingSet  # noqa: PLC0415 - imports Keras

    return TrainingSet(CLIPS.iloc[:8], CLIPS.iloc[6:], pictures or MemoryFlow(), 2)


def train(params, *, seed=3, pictures=None, epoch_log=None, checkpoint=None):
    """Fit the small model to the small problem."""
    from hmdb_kedro.models.cnn3d import build_cnn3d  # noqa: PLC0415
    from hmdb_kedro.training.fit import fit  # noqa: PLC0415

    build = partial(build_cnn3d, params, num_classes=2, channels=2, seed=seed)
    log = Epochs() if epoch_log is None else epoch_log
    return fit(build, training_set(pictures), params, seed, log, checkpoint)[:2]
