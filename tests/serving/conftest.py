"""What tests of the saved model share."""

import pytest
from exporting import tiny_networks


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Save a model as MLflow does, and return its folder."""
    from hmdb_kedro.serving.saving import save_scoring_model  # noqa: PLC0415 - imports MLflow

    folder = tmp_path_factory.mktemp("saved")
    save_scoring_model(tiny_networks(folder), folder / "model")
    return folder / "model"
