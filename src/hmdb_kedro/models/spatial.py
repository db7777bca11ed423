"""The spatial stream: a 2D backbone (ResNet-50, He et al. 2016) and a head on single RGB frames."""

from pathlib import Path

import keras
from keras import layers

from hmdb_kedro.models.backbones import backbone_of, build_extractor, set_trainable
from hmdb_kedro.models.seeding import make_dropout, seed_weights
from hmdb_kedro.params import SpatialParams

_OUTPUT = "probabilities"


def build_frozen(params: SpatialParams, *, weights: Path | None, seed: int) -> keras.Model:
    """Build what phase 1 keeps as it is: RGB 0–255 (B, S, S, 3) -> features (B, D).

    Args:
        params: The backbone, its weights and the picture's size.
        weights: The file of weights that `params.weights` stands for; None for none.
        seed: Of weights that are drawn.

    Raises:
        UserError: See `build_extractor`; or `tune_from` names no stage of the backbone.
    """
    extractor = build_extractor(
        params.backbone,
        image_size=params.image_size,
        file=weights,
        redraw=params.weights == "random",
        seed=seed,
    )
    _set_trainable(extractor, params)
    return extractor


def build_head(
    params: SpatialParams, *, num_features: int, num_classes: int, seed: int
) -> keras.Model:
    """Build the uncompiled head of phase 1: features (B, D) -> probabilities (B, num_classes)."""
    features = keras.Input((num_features,), name="features")
    model = keras.Model(features, _head(features, params, num_classes), name="spatial_head")
    seed_weights(model, seed)
    return model


def build_spatial(
    params: SpatialParams, *, num_classes: int, weights: Path | None, seed: int
) -> keras.Model:
    """Build the uncompiled spatial stream: RGB 0–255 (B, S, S, 3) -> (B, num_classes).

    Args:
        params: Backbone, sizes, and what of it learns.
        num_classes: Outputs.
        weights: As in `build_frozen`.
        seed: Of weights that are drawn, and of dropout.

    Raises:
        UserError: As `build_frozen`.
    """
    extractor = build_frozen(params, weights=weights, seed=seed)
    head = build_head(
        params, num_features=extractor.output_shape[-1], num_classes=num_classes, seed=seed
    )
    outputs = _head(extractor.output, params, num_classes)
    model = keras.Model(extractor.input, outputs, name="spatial_stream")
    put_head(model, head)
    return model


def put_head(model: keras.Model, head: keras.Model) -> None:
    """Copy the weights of a head into the spatial stream."""
    model.get_layer(_OUTPUT).set_weights(head.get_layer(_OUTPUT).get_weights())


def _head(
    features: keras.KerasTensor, params: SpatialParams, num_classes: int
) -> keras.KerasTensor:
    x = make_dropout(params.dropout, name="dropout")(features)
    return layers.Dense(num_classes, activation="softmax", dtype="float32", name=_OUTPUT)(x)


def _set_trainable(extractor: keras.Model, params: SpatialParams) -> None:
    set_trainable(
        backbone_of(extractor),
        tune_from=None if params.tune_from == "none" else params.tune_from,
        batch_norm=params.batch_norm,
        momentum=params.bn_momentum,
    )
