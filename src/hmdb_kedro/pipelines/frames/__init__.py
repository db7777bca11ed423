"""Extraction of RGB frames."""

from hmdb_kedro.pipelines.frames.pipeline import create_pipeline

__all__ = ["create_pipeline"]
