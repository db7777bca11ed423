"""What a model costs, told from its layers."""

import math

import keras
from keras import layers

from hmdb_kedro.models.seeding import all_layers

_BYTES = 4
# Weights, their gradients and AdamW's two moments.
_COPIES_IN_TRAINING = 4


def count_gflops(model: keras.Model) -> float:
    """Return 2 × multiply-adds of one view, in units of 10⁹; convolutions and dense layers."""
    return 2e-9 * sum(_multiply_adds(layer) for layer in all_layers(model))


def training_memory_mb(model: keras.Model, batch_size: int) -> float:
    """Estimate the memory of one training step, in MB (10⁶ bytes).

    float32 weights, gradients and two optimiser moments, and every layer's output for the
    batch, once forward and once as its gradient. Not measured: a process's peak would tell of
    the libraries and of the models trained before.
    """
    activations = sum(_size(layer) for layer in all_layers(model))
    values = _COPIES_IN_TRAINING * model.count_params() + 2 * batch_size * activations
    return float(_BYTES * values / 1e6)


def _multiply_adds(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Dense):
        return int(math.prod(layer.kernel.shape))
    if isinstance(layer, layers.Conv2D | layers.Conv3D):
        return int(math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape))
    return 0


def _size(layer: keras.Layer) -> int:
    return int(math.prod(layer.output.shape[1:]))
