"""Training of the 3D CNNs on frames and on flow."""

from hmdb_kedro.pipelines.temporal_training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
