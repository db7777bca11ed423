"""The registry of two-stream models: which version is the best of those that can be compared."""

import mlflow
import pytest

from hmdb_kedro.tracking.registry import BEST, register

# The store takes seconds to make.
pytestmark = pytest.mark.slow

CLIPS = {"data_digest": "abc", "split": "1", "protocol": "spatial: 2 views × centre"}


@pytest.fixture
def versions(store_address, request):
    return Versions(mlflow.MlflowClient(store_address, registry_uri=store_address), request.node)


class Versions:
    """The versions of a registered model of a test's own."""

    def __init__(self, client, test):
        self.client, self.name = client, test.name

    def add(self, val_log_loss, **tags):
        """Register a model of a run with these tags and this figure; return its version."""
        run = self.client.create_run("0", tags=CLIPS | tags)
        if val_log_loss is not None:
            self.client.log_metric(run.info.run_id, "val_log_loss", val_log_loss)
        source = f"{run.info.artifact_uri}/two_stream"
        return register(self.client, source, run.info.run_id, self.name).version

    @property
    def best(self):
        return self.client.get_model_version_by_alias(self.name, BEST)


def test_the_alias_follows_the_lowest_validation_loss_of_the_same_clips(versions):
    first = versions.add(0.5)
    assert versions.best.version == first
    versions.add(0.7)
    assert versions.best.version == first
    better = versions.add(0.4)
    assert versions.best.version == better
    # Another split begins its own comparison, and what is worse in it changes nothing.
    other = versions.add(0.9, split="2")
    assert versions.best.version == other
    versions.add(1.1, split="2")
    assert versions.best.version == other
    # Nor does a model of the first split that another of it has beaten.
    versions.add(0.6)
    assert versions.best.version == other


def test_a_version_tells_what_it_was_judged_on_and_without_a_figure_is_not_the_best(versions):
    versions.add(0.5, seed="3")
    assert versions.add(None) != versions.best.version
    assert versions.best.tags == CLIPS | {"seed": "3", "val_log_loss": "0.5"}
