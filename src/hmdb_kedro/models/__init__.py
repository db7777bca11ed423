"""Keras builders: functional, uncompiled, every layer named."""

from hmdb_kedro.backend import load_keras

load_keras()
