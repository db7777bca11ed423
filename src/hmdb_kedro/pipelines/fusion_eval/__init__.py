"""Combine the two streams, and compare all models on the same clips."""

from hmdb_kedro.pipelines.fusion_eval.pipeline import create_pipeline

__all__ = ["create_pipeline"]
