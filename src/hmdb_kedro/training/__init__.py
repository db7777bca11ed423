"""Training and scoring, in plain Keras."""
