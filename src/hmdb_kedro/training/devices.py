"""Where a model computes, and in what precision.

The only module that may import a backend: strategies, graphs and torch's devices are its own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

from hmdb_kedro.errors import UserError

_POLICIES = {
    "float32": "float32",
    "mixed_bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}
_NO_REWRITING = "disable_meta_optimizer"


@contextmanager
def in_precision(precision: str, devices: str = "auto") -> Iterator[None]:
    """Let layers that are made here compute in a precision; their weights stay float32.

    The policy is the layers' own from then on and is saved with them; Keras' global one is put
    back, so that the next model does not inherit it.

    Args:
        precision: `float32`, `mixed_bfloat16` or `float16` (mixed, with a scaled loss).
        devices: Where that will be; see `on_devices`.

    Raises:
        UserError: float16 without a GPU, for which TensorFlow has no 3D pooling.
    """
    if precision == "float16" and (devices == "cpu" or not list_devices("gpu")):
        raise UserError(
            "`precision: float16` needs a GPU. Received: a CPU. Take `mixed_bfloat16` or `float32`."
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(_POLICIES[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def list_devices(kind: str) -> list[str]:
    """Return the names of this machine's devices that the backend sees.

    Args:
        kind: `cpu` or `gpu`.
    """
    if keras.backend.backend() != "torch":
        return list(keras.distribution.list_devices(kind))
    import torch  # noqa: PLC0415 - the backend: Keras lists no devices of torch's

    return ["cpu"] if kind == "cpu" else [f"cuda:{i}" for i in range(torch.cuda.device_count())]


@contextmanager
def on_devices(devices: str) -> Iterator[None]:
    """Place what is built and trained here.

    Args:
        devices: `auto` leaves it to the backend (the first GPU, else the CPU); `cpu` and `gpu` take
            one of that kind; `all` shares each batch among all GPUs of the machine, or, where
            there is none, among the CPUs the backend sees.

    Raises:
        UserError: There is no such device, or the backend cannot share a batch.
    """
    if devices == "auto":
        yield
        return
    found = _find(devices)
    with keras.device(found[0]) if len(found) == 1 else _shared(found):
        yield


def count_devices(devices: str) -> int:
    """Return how many devices share a batch: see `on_devices`."""
    return len(_find(devices)) if devices == "all" else 1


@contextmanager
def quick_start(model: keras.Model) -> Iterator[None]:
    """Let the steps of a compiled model begin sooner; only TensorFlow takes long.

    Keras wraps a step in a second function that draws the batch, and both are prepared: here it
    is one. On a CPU, the rewriting of graphs is left out too: of ResNet-50 it takes longer than
    all of the tracing, and neither its steps nor those of the 3D CNNs get faster by it.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf  # noqa: PLC0415 - the backend: it is loaded

    if not tf.distribute.has_strategy():
        model.train_function = _single_function(tf, model.train_step)
        model.test_function = _single_function(tf, model.test_step)
    options = tf.config.optimizer
    before = options.get_experimental_options().get(_NO_REWRITING, False)
    options.set_experimental_options(
        {_NO_REWRITING: before or not tf.config.list_physical_devices("GPU")}
    )
    try:
        yield
    finally:
        options.set_experimental_options({_NO_REWRITING: before})


def _single_function(tf: Any, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def on_next_batch(batches: Any) -> Any:
        return step(next(batches))

    stepped: Callable[[Any], Any] = on_next_batch
    return stepped


def _find(devices: str) -> list[str]:
    found = list_devices("cpu" if devices == "cpu" else "gpu")
    if devices == "gpu" and not found:
        raise UserError(
            f"`devices: gpu`: {keras.backend.backend()} sees none on this machine. Install its GPU "
            'build (for TensorFlow: pip install "hmdb_kedro[gpu]") and a driver, or take `auto`.'
        )
    if devices != "all":
        return found[:1]
    return found or list_devices("cpu")


@contextmanager
def _shared(devices: list[str]) -> Iterator[None]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        with _mirrored(tuple(devices)).scope():
            yield
    elif backend == "jax":
        before = keras.distribution.distribution()
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        try:
            yield
        finally:
            keras.distribution.set_distribution(before)
    else:
        raise UserError(
            f"`devices: all` needs TensorFlow or JAX. Received: {backend}. Take `gpu` or `auto`."
        )


@cache
def _mirrored(devices: tuple[str, ...]) -> Any:
    """Return the one strategy of these devices: a second one's sums mix with those of the first."""
    import tensorflow as tf  # noqa: PLC0415 - only where several devices share a batch

    return tf.distribute.MirroredStrategy(devices)
