"""Training and scoring, in plain Keras."""

from hmdb_kedro.backend import load_keras

load_keras()
