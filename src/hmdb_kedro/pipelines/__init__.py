"""The pipelines: each folder is one, and none imports another."""
