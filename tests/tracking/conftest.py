"""The one MLflow store that the tests of tracking share: making it takes seconds."""

import pytest

from hmdb_kedro.tracking.hooks import make_store


@pytest.fixture(scope="session")
def store_address(tmp_path_factory):
    address = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    make_store(address)
    return address
