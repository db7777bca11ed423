"""Keras builders: functional, uncompiled, every layer named."""
