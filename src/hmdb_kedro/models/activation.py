"""Where a network finds the evidence for a class: class activation maps.

Where global average pooling and one dense layer end a network, the map of a class is the sum of the
last feature maps, weighted as the class weighs them (CAM, Zhou et al. 2016). Grad-CAM (Selvaraju
et al. 2017) is the same there up to a factor, less what is negative, and so it is here; but no
gradient is needed, hence every backend will do.
"""

import keras
import numpy as np
from keras import layers

_POOLINGS = (layers.GlobalAveragePooling2D, layers.GlobalAveragePooling3D)


def has_activation_maps(model: keras.Model) -> bool:
    """Whether global average pooling and one dense layer end a network."""
    return _pooling_of(model) is not None


def activation_maps(
    model: keras.Model, inputs: np.ndarray, class_index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where a network finds the evidence for a class, and how probable the class is.

    Args:
        model: One that `has_activation_maps`.
        inputs: A batch, float32 (B, …).
        class_index: Position of the class among the outputs.

    Returns:
        The maps, float32 (B, [T,] H, W), as large as the last feature maps, 0 where nothing speaks
        for the class; and its probabilities, float32 (B,).

    Raises:
        ValueError: The network has none.
    """
    pooling = _pooling_of(model)
    if pooling is None:
        raise ValueError(
            f"`model` must end in pooling and one dense layer. Received: {model.name}."
        )
    weights = model.layers[-1].get_weights()[0][:, class_index]
    both = keras.Model(model.inputs, [pooling.input, model.outputs[0]])
    features, probabilities = both.predict_on_batch(inputs)
    maps = np.maximum(features.astype(np.float32) @ weights.astype(np.float32), 0)
    return maps, probabilities[:, class_index]


def _pooling_of(model: keras.Model) -> keras.layers.Layer | None:
    """Return the pooling before the last dense layer; dropout between them changes nothing."""
    last, *before = reversed(model.layers)
    if not isinstance(last, layers.Dense):
        return None
    given = last.input
    for layer in before:
        if not isinstance(layer, (*_POOLINGS, layers.Dropout)) or layer.output is not given:
            return None
        if isinstance(layer, _POOLINGS):
            return layer
        given = layer.input
    return None
