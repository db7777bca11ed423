"""3D CNNs on stacked pictures: RGB frames or optical flow."""

import keras
import numpy as np
from keras import layers

from hmdb_kedro.models.seeding import make_dropout, seed_weights
from hmdb_kedro.params import Cnn3dParams, StackParams

# (scale, offset): 0–255 to ±1, differences of ±255 to ±2, and pixels of displacement as they are.
_RGB_RANGE = (1 / 127.5, -1.0)
_DIFFERENCE_RANGE = (1 / 127.5, 0.0)
_FLOW_RANGE = (1.0, 0.0)
_ORIENTATIONS = 8
# Successive fields averaged before their directions are told apart: against noise in dark clips.
_SMOOTHED = (2, 1, 1)
# Pixels along each axis that one cell of the histograms gathers.
_CELL = (1, 4, 4)
# Below this mean length, in pixels, the square root of a cell is flat: noise stays small.
_QUIET_PX = 1e-3


def build_cnn3d(params: StackParams, *, num_classes: int, channels: int, seed: int) -> keras.Model:
    """Build an uncompiled 3D CNN: (B, T, S, S, channels) -> probabilities (B, num_classes).

    `plain` is the first design, C3D-like (Tran et al. 2015): convolutions, pooling and a wide
    dense head. `compact` has batch norm after every convolution and global pooling instead of
    the dense head, which is where most of the parameters of `plain` stand. `oriented` is
    `compact` on histograms of oriented flow (Laptev et al. 2008) instead of the fields: what few
    clips cannot teach is given, and its input has a thirty-second of the cells.

    Args:
        params: Sizes.
        num_classes: Outputs.
        channels: 3 for RGB (0–255, or differences of ±255), 2 for flow (pixels).
        seed: Of the initial weights.
    """
    size = params.image_size
    inputs = keras.Input((params.window, size, size, channels), name="stack")
    if params.architecture == "oriented":
        x, first = _oriented_histograms(inputs), 2
    else:
        scale, offset = _input_range(params)
        x, first = layers.Rescaling(scale, offset=offset, name="rescale")(inputs), 1
    conv_stage = _STAGES[params.architecture]
    for stage, filters in enumerate(params.filters, start=first):
        x = conv_stage(x, filters, stage)
    x = _dense_head(x, params) if params.architecture == "plain" else _pooled_head(x, params)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities")
    model = keras.Model(inputs, outputs(x), name=f"cnn3d_{params.architecture}")
    seed_weights(model, seed)
    if params.architecture == "oriented":
        model.get_layer("orientations").set_weights([_directions()])
    return model


def _oriented_histograms(x: keras.KerasTensor) -> keras.KerasTensor:
    """Gather flow by direction over cells; the root keeps one fast limb from outshining the rest.

    Square-rooted histograms are compared as by the Hellinger kernel (Perronnin et al. 2010).
    """
    components = layers.Conv3D(
        _ORIENTATIONS, 1, use_bias=False, trainable=False, name="orientations"
    )
    x = layers.AveragePooling3D(_SMOOTHED, name="smooth")(x)
    x = layers.ReLU(name="along")(components(x))
    x = layers.AveragePooling3D(_CELL, name="cells")(x)
    return keras.ops.sqrt(x + _QUIET_PX) - _QUIET_PX**0.5


def _directions() -> np.ndarray:
    """Return evenly spread unit vectors as a kernel: float32 (1, 1, 1, 2, orientations)."""
    angles = 2 * np.pi * np.arange(_ORIENTATIONS) / _ORIENTATIONS
    return np.stack([np.cos(angles), np.sin(angles)])[None, None, None].astype(np.float32)


def _input_range(params: StackParams) -> tuple[float, float]:
    if not isinstance(params, Cnn3dParams):
        return _FLOW_RANGE
    return _DIFFERENCE_RANGE if params.rgb_difference else _RGB_RANGE


def _plain_stage(x: keras.KerasTensor, filters: int, stage: int) -> keras.KerasTensor:
    x = _convolution(x, filters, stage)
    x = layers.Activation("relu", name=f"stage{stage}_relu")(x)
    return _pool(x, stage)


def _compact_stage(x: keras.KerasTensor, filters: int, stage: int) -> keras.KerasTensor:
    # Pooled first: the maximum commutes with the rest (but for negative factors of the norm), which
    # then has an eighth of the values to go over.
    x = _pool(_convolution(x, filters, stage, use_bias=False), stage)
    x = layers.BatchNormalization(momentum=0.9, name=f"stage{stage}_norm")(x)
    return layers.Activation("relu", name=f"stage{stage}_relu")(x)


_STAGES = {"plain": _plain_stage, "compact": _compact_stage, "oriented": _compact_stage}


def _convolution(
    x: keras.KerasTensor, filters: int, stage: int, use_bias: bool = True
) -> keras.KerasTensor:
    return layers.Conv3D(
        filters,
        3,
        padding="same",
        use_bias=use_bias,
        kernel_initializer="he_normal",
        name=f"stage{stage}_conv",
    )(x)


def _pool(x: keras.KerasTensor, stage: int) -> keras.KerasTensor:
    # C3D keeps time in its first pooling, so that early motion is not averaged away.
    pool = (1 if stage == 1 else 2, 2, 2)
    pool = tuple(min(step, extent) for step, extent in zip(pool, x.shape[1:4], strict=True))
    return layers.MaxPooling3D(pool, name=f"stage{stage}_pool")(x)


def _dense_head(x: keras.KerasTensor, params: StackParams) -> keras.KerasTensor:
    x = layers.Flatten(name="flatten")(x)
    for number in (1, 2):
        x = layers.Dense(
            params.dense_units,
            activation="relu",
            kernel_initializer="he_normal",
            name=f"dense{number}",
        )(x)
        x = make_dropout(params.dropout, name=f"dropout{number}")(x)
    return x


def _pooled_head(x: keras.KerasTensor, params: StackParams) -> keras.KerasTensor:
    x = layers.GlobalAveragePooling3D(name="pool")(x)
    return make_dropout(params.dropout, name="dropout")(x)
