"""Extraction of optical flow."""

from hmdb_kedro.pipelines.flow.pipeline import create_pipeline

__all__ = ["create_pipeline"]
