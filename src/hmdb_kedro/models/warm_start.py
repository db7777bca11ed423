"""Start a training from a model of an earlier run: the way small sets are won."""

import logging

import keras

from hmdb_kedro.artefacts import TrainedModel
from hmdb_kedro.errors import UserError
from hmdb_kedro.models.seeding import all_layers

logger = logging.getLogger(__name__)


def start_from(model: keras.Model, earlier: TrainedModel, classes: tuple[str, ...]) -> None:
    """Copy the weights of an earlier model, layer by layer, by name.

    The last layer keeps its fresh weights where the classes differ: its outputs mean others.

    Args:
        model: Uncompiled; its layers are those of the earlier model.
        earlier: Where the weights come from.
        classes: The labels of the new model's outputs, in their order.

    Raises:
        UserError: The architectures differ; names the first layer that does.
    """
    layers, theirs = _with_weights(model), _with_weights(earlier.model)
    head = model.layers[-1].name
    if earlier.classes != classes:
        logger.info("%s starts from other classes: its layer `%s` is new.", model.name, head)
        layers.pop(head)
        theirs.pop(head, None)
    _refuse_other_layers(model, layers, theirs)
    for name, layer in layers.items():
        layer.set_weights(theirs[name].get_weights())


def _with_weights(model: keras.Model) -> dict[str, keras.Layer]:
    return {layer.name: layer for layer in all_layers(model) if layer.weights}


def _refuse_other_layers(
    model: keras.Model, layers: dict[str, keras.Layer], theirs: dict[str, keras.Layer]
) -> None:
    names = list(dict.fromkeys([*layers, *theirs]))
    differing = [name for name in names if _shapes(layers, name) != _shapes(theirs, name)]
    if differing:
        first = differing[0]
        raise UserError(
            f"`init_from`: the earlier model is of another architecture than {model.name}. "
            f"{len(differing)} of {len(names)} layers differ; the first, `{first}`, has "
            f"{_shapes(layers, first) or 'no weights'}. "
            f"Received: {_shapes(theirs, first) or 'no such layer'}. "
            "Give it the same sizes and architecture, or `init_from: null`."
        )


def _shapes(layers: dict[str, keras.Layer], name: str) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layers[name].weights] if name in layers else []
