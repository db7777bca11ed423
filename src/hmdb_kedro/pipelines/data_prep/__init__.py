"""From a folder of clips and its split lists to one checked index, and a first look at it."""

from hmdb_kedro.pipelines.data_prep.pipeline import create_pipeline

__all__ = ["create_pipeline"]
