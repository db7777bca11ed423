"""Training of the spatial stream."""

from hmdb_kedro.pipelines.spatial_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
