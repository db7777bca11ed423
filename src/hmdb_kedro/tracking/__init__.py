"""What MLflow is told: a run a `kedro run`, a child run a model, each with its true status."""

from hmdb_kedro.tracking.hooks import TRACKING, TrackedSessions

__all__ = ["TRACKING", "TrackedSessions"]
