"""Make a model's randomness its own: no global seed is read or set."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

# Variables, and the initialisers that draw them.
_DRAWN = (
    ("kernel", "kernel"),
    ("embeddings", "embeddings"),
    ("kernel", "depthwise"),
    ("depthwise_kernel", "depthwise"),
    ("pointwise_kernel", "pointwise"),
)


def seed_weights(model: keras.Model, seed: int) -> None:
    """Draw every initial weight anew from an explicit seed, and seed dropout."""
    for position, layer in enumerate(all_layers(model)):
        for number, (name, drawn_by) in enumerate(_DRAWN):
            initializer = getattr(layer, f"{drawn_by}_initializer", None)
            variable = getattr(layer, name, None)
            if initializer is None or variable is None:
                continue
            own = _with_seed(initializer, _derive(seed, position, number))
            variable.assign(own(variable.shape, dtype=variable.dtype))
    seed_dropout(model, seed, epoch=0)


def make_dropout(rate: float, name: str) -> keras.layers.Dropout:
    """Return dropout that draws from its own generator, which `seed_dropout` sets.

    Without any seed, Keras' torch backend would draw from torch's global one.
    """
    return keras.layers.Dropout(rate, name=name, seed=0)


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Set the state of every layer's random generator from the seed and the epoch.

    Done at each epoch's start, it makes a resumed training equal an uninterrupted one.
    """
    for position, layer in enumerate(all_layers(model)):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([_derive(seed, position, epoch), 0])


def all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model, those of nested models in their place."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        else:
            yield layer


def _with_seed(initializer: Any, seed: int) -> Any:
    config = initializer.get_config()
    if "seed" not in config:
        return initializer
    return type(initializer).from_config({**config, "seed": seed})


def _derive(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0] >> 1)
