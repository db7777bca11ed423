"""Keras, loaded without its backend's start-up chatter."""

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def load_keras() -> ModuleType:
    """Import Keras and its backend; what they write to stderr is shown only where that fails."""
    if "keras" in sys.modules:
        return sys.modules["keras"]
    with stderr_held_back():
        return importlib.import_module("keras")


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Show what is written to stderr here, below Python too, only where this fails."""
    # TensorFlow writes to the file descriptor itself, before any of its settings are read.
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
