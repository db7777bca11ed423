"""Every environment resolves, and the graph reads from layer to layer."""

import pytest
from clips import REPOSITORY
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from hmdb_kedro.params import check_parameters

pytestmark = pytest.mark.slow
LAYERS = ["raw", "intermediate", "primary", "feature", "models", "model_output", "reporting"]


@pytest.fixture(scope="module", params=["base", "sample", "small"])
def context(request, tmp_path_factory):
    store = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        bootstrap_project(REPOSITORY)
        with KedroSession.create(REPOSITORY, env=request.param) as session:
            yield session.load_context()


def test_parameters_are_valid_and_every_entry_is_in_the_catalog(context):
    check_parameters(context.params)
    for name in pipelines["__default__"].datasets():
        assert name in context.catalog, name


def test_no_arrow_of_the_graph_runs_back_to_an_earlier_layer(context):
    def layer(name):
        metadata = getattr(context.catalog.get(name), "metadata", None) or {}
        return metadata.get("kedro-viz", {}).get("layer")

    for node in pipelines["__default__"].nodes:
        before = [LAYERS.index(layer(name)) for name in node.inputs if layer(name)]
        after = [LAYERS.index(layer(name)) for name in node.outputs]
        assert max(before) <= min(after), node.name
