"""Metrics and fusion: numpy in, numpy out."""
