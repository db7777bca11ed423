"""Every environment resolves, and the graph reads from layer to layer."""

from dataclasses import dataclass
from typing import Any

import pytest
from clips import REPOSITORY
from kedro.framework.project import pipelines, settings
from kedro.framework.startup import bootstrap_project
from kedro.io import DataCatalog

from hmdb_kedro.params import MODELS, check_parameters

pytestmark = pytest.mark.slow
LAYERS = ["raw", "intermediate", "primary", "feature", "models", "model_output", "reporting"]


@dataclass(frozen=True)
class Configuration:
    parameters: dict[str, Any]
    catalog: DataCatalog


@pytest.fixture(scope="module", params=["base", "sample", "small"])
def configuration(request) -> Configuration:
    # Without a session, whose MLflow store would take longer to make than all that is tested here.
    bootstrap_project(REPOSITORY)
    loader = settings.CONFIG_LOADER_CLASS(
        str(REPOSITORY / "conf"), env=request.param, **settings.CONFIG_LOADER_ARGS
    )
    return Configuration(loader["parameters"], DataCatalog.from_config(loader["catalog"]))


def test_parameters_are_valid(configuration):
    check_parameters(configuration.parameters)


def test_every_entry_is_in_the_catalog(configuration):
    for name in pipelines["__default__"].datasets():
        if not name.startswith(("params:", "parameters")):
            assert name in configuration.catalog, name


def test_no_arrow_of_the_graph_runs_back_to_an_earlier_layer(configuration):
    def layer(name):
        metadata = getattr(configuration.catalog.get(name), "metadata", None) or {}
        return metadata.get("kedro-viz", {}).get("layer")

    for node in pipelines["__default__"].nodes:
        before = [LAYERS.index(layer(name)) for name in node.inputs if layer(name)]
        after = [LAYERS.index(layer(name)) for name in node.outputs]
        assert max(before) <= min(after), node.name


@pytest.mark.parametrize("model", MODELS)
def test_every_model_is_trained_scored_and_judged(model):
    bootstrap_project(REPOSITORY)
    names = {node.name for node in pipelines["__default__"].nodes}
    assert {f"{model}.train", f"{model}.score"} <= names
    (gather,) = (node for node in pipelines["fusion_eval"].nodes if node.name == "gather_scores")
    assert f"{model}.scores" in gather.inputs
