"""Metrics, fusion, significance and contribution: numpy in, numpy out."""
