import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from params import base_values

from hmdb_kedro.datasets import WeightsFolder
from hmdb_kedro.errors import UserError
from hmdb_kedro.hooks import EarlyChecks

IMAGENET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(autouse=True)
def _home_without_models(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_imagenet_is_found_where_it_lies(tmp_path):
    (tmp_path / IMAGENET).touch()
    assert WeightsFolder(path=str(tmp_path)).load().find("imagenet") == tmp_path / IMAGENET


def test_no_weights_are_asked_for(tmp_path):
    assert WeightsFolder(path=str(tmp_path / "nowhere")).load().find("none") is None


@pytest.mark.parametrize(
    ("name", "message"),
    [("imagenet", f"{IMAGENET} is not in .*Fetch it from"), ("/nowhere.h5", "no file /nowhere.h5")],
)
def test_absent_weights_say_what_to_do(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        WeightsFolder(path=str(tmp_path)).load().find(name)


def test_absent_weights_stop_a_run_before_its_first_node(tmp_path):
    class Context:
        config_loader = {"parameters": base_values()}  # noqa: RUF012 - a stand-in

    pipeline = Pipeline([Node(print, ["clips", "pretrained_weights"], None, name="train")])
    catalog = DataCatalog({"pretrained_weights": WeightsFolder(path=str(tmp_path))})
    checks = EarlyChecks()
    checks.after_context_created(Context())
    with pytest.raises(UserError, match=r"spatial\.weights=imagenet"):
        checks.before_pipeline_run(pipeline, catalog)
