"""The spatial stream: ResNet-50 (He et al. 2016) on single RGB frames."""

from pathlib import Path

import keras
from keras import layers

from hmdb_kedro.errors import UserError
from hmdb_kedro.models.seeding import seed_weights
from hmdb_kedro.params import SpatialParams

# ImageNet means in BGR: what the published weights of keras.applications expect.
_MEANS_BGR = (103.939, 116.779, 123.68)


def build_resnet50(
    params: SpatialParams, *, num_classes: int, weights: Path | None, seed: int
) -> keras.Model:
    """Build the uncompiled spatial stream: RGB 0–255 (B, S, S, 3) -> (B, num_classes).

    Args:
        params: Sizes and the treatment of batch norm.
        num_classes: Outputs.
        weights: Weights of the backbone without its top, as keras.applications publishes them.
        seed: Of the initial weights.

    Raises:
        UserError: The file does not hold weights of this backbone.
    """
    size = params.image_size
    backbone = keras.applications.ResNet50(
        include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg", name="resnet50"
    )
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = params.bn_momentum
            layer.trainable = not params.freeze_batch_norm
    inputs = keras.Input((size, size, 3), name="frame")
    x = keras.ops.flip(inputs, axis=-1)
    x = layers.Normalization(mean=_MEANS_BGR, variance=(1.0, 1.0, 1.0), name="centre")(x)
    x = layers.Dropout(params.dropout, name="dropout")(backbone(x))
    outputs = layers.Dense(num_classes, activation="softmax", dtype="float32", name="probabilities")
    model = keras.Model(inputs, outputs(x), name="spatial_stream")
    seed_weights(model, seed)
    if weights is not None:
        _load(backbone, weights)
    return model


def _load(backbone: keras.Model, weights: Path) -> None:
    try:
        backbone.load_weights(weights)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"`spatial.weights`: {weights} does not hold weights of {backbone.name} without its "
            f"top. Received: {reason}"
        ) from error
