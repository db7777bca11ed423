"""2D backbones: from RGB 0–255 to one vector a picture, in plain Keras layers."""

import hashlib
import inspect
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
from keras import layers

from hmdb_kedro.errors import UserError
from hmdb_kedro.models.seeding import seed_weights
from hmdb_kedro.params import BatchNorm, is_saved_backbone

# Layers that are custom to keras.applications' own code would not load elsewhere.
_PLAIN_MODULES = ("keras.layers", "keras.src.layers", "keras.src.ops", "keras.src.models")


def build_extractor(
    backbone: str, *, image_size: int, file: Path | None, redraw: bool, seed: int
) -> keras.Model:
    """Build a backbone with its preprocessing: RGB 0–255 (B, S, S, 3) -> (B, D).

    Args:
        backbone: A name of keras.applications, or a saved `.keras` model that takes RGB 0–255.
        image_size: Height and width S, in pixels.
        file: Weights of the backbone without its top, loaded by layer order; None for none.
        redraw: Draw all weights from the seed instead of keeping a saved backbone's own.
        seed: Of the weights that are drawn.

    Returns:
        A model whose layer `backbone` is the backbone itself.

    Raises:
        UserError: There is no such backbone, it does not take pictures of this size, it needs
            layers that plain Keras does not have, or the file is not one of its weights.
    """
    saved = is_saved_backbone(backbone)
    network = _saved(backbone, image_size, redraw) if saved else _application(backbone, image_size)
    own_weights = network.get_weights()
    inputs = keras.Input((image_size, image_size, 3), name="frame")
    x = network(inputs if saved else _preprocessed(inputs, backbone))
    extractor = keras.Model(inputs, _pooled(x, backbone), name="extractor")
    seed_weights(extractor, seed)
    if saved and not redraw:
        network.set_weights(own_weights)
    if file is not None:
        load_weights(network, file, "spatial.weights")
    return extractor


def backbone_of(model: keras.Model) -> keras.Model:
    """Return the backbone inside a model that `build_extractor` is the body of."""
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def set_trainable(
    backbone: keras.Model, *, tune_from: str | None, batch_norm: BatchNorm, momentum: float
) -> None:
    """Say which layers of a backbone learn, and what its batch norm does.

    Args:
        backbone: The network.
        tune_from: All layers from the first one whose name starts so; None for all.
        batch_norm: `frozen` keeps statistics and scale of every batch norm, `trained` of none
            that learns, `partial` of all but the first that learns (TSN, Wang et al. 2016).
        momentum: Of the moving averages that are updated.

    Raises:
        UserError: No layer's name starts with `tune_from`.
    """
    names = [layer.name for layer in backbone.layers]
    first = next((i for i, name in enumerate(names) if name.startswith(tune_from or "")), None)
    if first is None:
        stages = sorted({name.split("_")[0].split("/")[0] for name in names})
        raise UserError(
            f"`spatial.tune_from`: no layer of {backbone.name} has a name that starts with "
            f"{tune_from!r}. Known stages: {', '.join(stages)}."
        )
    backbone.trainable = True
    norms_left = {"frozen": 0, "partial": 1, "trained": len(names)}[batch_norm]
    for position, layer in enumerate(backbone.layers):
        layer.trainable = position >= first
        if layer.trainable and isinstance(layer, layers.BatchNormalization):
            layer.trainable = norms_left > 0
            layer.momentum = momentum
            norms_left -= 1


def fingerprint(model: keras.Model) -> str:
    """Return 16 hex digits of a model's layers and weights."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(f"{weight.path.rsplit('/', 1)[-1]}{weight.shape}".encode())
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).data)
    return digest.hexdigest()[:16]


def load_weights(network: keras.Model, file: Path, parameter: str) -> None:
    """Load a file of weights into a network.

    Raises:
        UserError: It does not hold weights of this network; names the parameter.
    """
    try:
        with warnings.catch_warnings():
            # Keras leaves layers that the file lacks as they are, and only warns.
            warnings.filterwarnings("error", "Skipping nested container")
            network.load_weights(file)
    except (ValueError, OSError, KeyError, UserWarning) as error:
        raise UserError(
            f"`{parameter}`: {file} does not hold weights of {network.name} without its "
            f"top. Received: {_first_line(error)}"
        ) from error


def check_backbone(name: str) -> None:
    """Refuse a name that keras.applications does not have, or a saved backbone that fails.

    Raises:
        UserError: Says which names there are, or what is wrong with the file.
    """
    if is_saved_backbone(name):
        _load(Path(name))
    else:
        _find_application(name)


def _application(name: str, image_size: int) -> keras.Model:
    function, _ = _find_application(name)
    try:
        network = function(include_top=False, weights=None, input_shape=(image_size, image_size, 3))
    except ValueError as error:
        raise _wrong_size(name, image_size, error) from error
    _refuse_custom_layers(network, name)
    return network


def _saved(name: str, image_size: int, redraw: bool) -> keras.Model:
    """Return a saved backbone for pictures of one size, the layers of models inside it as its own.

    So its stages have names and its layers known sizes, whatever it was saved for. With `redraw`
    it keeps nothing that it has learned, biases and statistics included: only its preprocessing.
    """
    network = _load(Path(name))
    inputs = keras.Input((image_size, image_size, 3), name="backbone_input")
    copies: dict[int, tuple[Any, Any]] = {}
    try:
        sized = keras.Model(inputs, _called(network, inputs, copies), name=network.name)
        for original, copy in copies.values():
            is_kept = not redraw or isinstance(copy, layers.Normalization)
            if isinstance(original, keras.Layer) and is_kept:
                copy.set_weights(original.get_weights())
    except (ValueError, TypeError) as error:
        raise _wrong_size(name, image_size, error) from error
    return sized


def _called(
    network: keras.Model, x: keras.KerasTensor, copies: dict[int, tuple[Any, Any]]
) -> keras.KerasTensor:
    """Call copies of a model's layers one by one; note each with its original in `copies`."""

    def copied(layer: Any) -> Any:
        if isinstance(layer, keras.Model):
            return layer
        return copies.setdefault(id(layer), (layer, _copy(layer)))[1]

    if isinstance(network, keras.Sequential):
        for layer in network.layers:
            x = _called(layer, x, copies) if isinstance(layer, keras.Model) else copied(layer)(x)
        return x
    results: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        is_model = isinstance(layer, keras.Model)
        result = _called(layer, args[0], copies) if is_model else layer(*args, **kwargs)
        results[layer.name] = result
        return result

    keras.models.clone_model(
        network,
        input_tensors=[x] if isinstance(network.input, list) else x,
        clone_function=copied,
        call_function=call,
    )
    return results[network.output_names[0]]


def _copy(layer: Any) -> Any:
    return type(layer).from_config(layer.get_config())


def _wrong_size(name: str, image_size: int, error: Exception) -> UserError:
    return UserError(
        f"`spatial.backbone`: {name} does not take RGB pictures of {image_size} × {image_size}. "
        f"Received: {_first_line(error)}"
    )


def _find_application(name: str) -> tuple[Any, ModuleType]:
    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    known = {function_name.lower(): function for function_name, function in functions}
    found = known.get(name.lower().replace("_", ""))
    if found is None:
        raise UserError(
            f"`spatial.backbone`: keras.applications has no {name!r}, and it is no .keras file. "
            f"Known: {', '.join(sorted(known))}."
        )
    return found, sys.modules[found.__module__]


def _refuse_custom_layers(network: keras.Model, name: str) -> None:
    for layer in network.layers:
        if not type(layer).__module__.startswith(_PLAIN_MODULES):
            raise UserError(
                f"`spatial.backbone={name}` has layers that plain Keras does not load in safe "
                f"mode. Received: {type(layer).__name__}. Choose another, for example resnet50."
            )


def _load(file: Path) -> keras.Model:
    try:
        network = keras.saving.load_model(file.expanduser(), compile=False, safe_mode=True)
    except (ValueError, OSError, TypeError) as error:
        raise UserError(
            f"`spatial.backbone`: {file} does not load as a Keras model in safe mode. Received: "
            f"{_first_line(error)}"
        ) from error
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        raise UserError(
            f"`spatial.backbone`: {file} must take RGB pictures, (B, H, W, 3). Received: {shape}."
        )
    return network


def _preprocessed(inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Apply an application's own preprocessing, as plain layers.

    All of them are affine, colour by colour, some on BGR: a few pictures tell how.
    """
    _, module = _find_application(name)
    probes = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)])[:, None, None]
    answers = module.preprocess_input(probes.copy())[:, 0, 0]
    offset = answers[0]
    matrix = (answers[1:] - offset) / 255
    is_bgr = abs(matrix[0, 2]) > abs(matrix[0, 0])
    scale = matrix[[2, 1, 0], [0, 1, 2]] if is_bgr else np.diag(matrix)
    x = keras.ops.flip(inputs, axis=-1) if is_bgr else inputs
    if np.allclose(scale, 1) and np.allclose(offset, 0):
        return x
    mean, variance = (-offset / scale).tolist(), (1 / scale**2).tolist()
    return layers.Normalization(mean=mean, variance=variance, name="centre")(x)


def _pooled(x: Any, backbone: str) -> keras.KerasTensor:
    shape = getattr(x, "shape", ())
    if len(shape) == 4:
        return layers.GlobalAveragePooling2D(name="pool")(x)
    if len(shape) != 2:
        raise UserError(
            f"`spatial.backbone`: {backbone} must give a feature map or a vector. Received: shape "
            f"{tuple(shape)}."
        )
    return x


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
