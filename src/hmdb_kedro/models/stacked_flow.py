"""The temporal stream as a 2D network: ResNet-50 on a stack of flow fields as channels.

The input of the two-stream paper (Simonyan & Zisserman 2014), initialised across modalities as in
TSN (Wang et al. 2016): the first layer is the mean of the RGB kernels over their channels.
"""

import warnings
from pathlib import Path

import keras
from keras import layers

from hmdb_kedro.models.backbones import load_weights, set_trainable
from hmdb_kedro.models.seeding import make_dropout, seed_weights
from hmdb_kedro.params import TemporalParams

# TSN stores flow of 256 × 340 pictures as 0–255 over ±20 px and crops 224 of 256 pixels: the range
# that weights made on pictures of 0–255 expect.
_TSN_BOUND_PX, _TSN_SIZE = 20.0, 224


def build_flow_resnet50(
    params: TemporalParams, *, num_classes: int, weights: Path | None, seed: int
) -> keras.Model:
    """Build an uncompiled model: flow in pixels (B, L, S, S, 2) -> probabilities (B, num_classes).

    The 2 L channels are dx and dy of the first field, of the second, and so on. Vectors are scaled
    to what they would be at TSN's size, and then to TSN's range.

    Args:
        params: Sizes, and what batch norm does.
        num_classes: Outputs.
        weights: Weights of an RGB ResNet-50 without its top; None draws them.
        seed: Of weights that are drawn, and of dropout.

    Raises:
        UserError: The file does not hold weights of ResNet-50.
    """
    size, length = params.image_size, params.window
    inputs = keras.Input((length, size, size, 2), name="stack")
    x = layers.Rescaling(127.5 / _TSN_BOUND_PX * _TSN_SIZE / size, name="rescale")(inputs)
    x = layers.Permute((2, 3, 1, 4), name="fields_last")(x)
    x = layers.Reshape((size, size, 2 * length), name="channels")(x)
    backbone = _resnet50(size, 2 * length)
    x = layers.GlobalAveragePooling2D(name="pool")(backbone(x))
    x = make_dropout(params.dropout, name="dropout")(x)
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities")
    model = keras.Model(inputs, outputs(x), name="temporal_resnet50")
    seed_weights(model, seed)
    if weights is not None:
        _initialise_across_modalities(backbone, weights)
    set_trainable(
        backbone, tune_from=None, batch_norm=params.batch_norm, momentum=params.bn_momentum
    )
    return model


def _initialise_across_modalities(backbone: keras.Model, weights: Path) -> None:
    rgb = _resnet50(backbone.input_shape[1], 3)
    load_weights(rgb, weights, "temporal.weights")
    for target, source in zip(backbone.layers, rgb.layers, strict=True):
        values = source.get_weights()
        if target.name == "conv1_conv":
            kernel, bias = values
            mean = kernel.mean(axis=2, keepdims=True)
            values = [mean.repeat(backbone.input_shape[-1], axis=2), bias]
        target.set_weights(values)


def _resnet50(size: int, channels: int) -> keras.Model:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This model usually expects")
        return keras.applications.ResNet50(
            include_top=False, weights=None, input_shape=(size, size, channels), name="resnet50"
        )
