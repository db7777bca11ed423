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

    checks = EarlyChecks()
    checks.after_context_created(Context())
    with pytest.raises(UserError, match=r"spatial\.weights=imagenet"):
        checks.before_pipeline_run(training_of("spatial"), catalog_of(tmp_path))
    checks.before_pipeline_run(training_of("temporal"), catalog_of(tmp_path))


@pytest.mark.parametrize("model", ["spatial", "temporal"])
def test_an_absent_earlier_model_stops_a_run_before_its_first_node(tmp_path, model):
    values = base_values()
    values[model]["init_from"] = str(tmp_path / "earlier.keras")

    class Context:
        config_loader = {"parameters": values}  # noqa: RUF012 - a stand-in

    checks = EarlyChecks()
    checks.after_context_created(Context())
    with pytest.raises(UserError, match=r"`init_from`: there is no model .*earlier\.keras"):
        checks.before_pipeline_run(training_of(model), catalog_of(tmp_path))
    (tmp_path / "earlier.keras").touch()
    with pytest.raises(UserError, match=r"has no earlier\.json beside it"):
        checks.before_pipeline_run(training_of(model), catalog_of(tmp_path))
    (tmp_path / "earlier.json").touch()
    checks.before_pipeline_run(training_of(model), catalog_of(tmp_path))


def test_a_versioned_entry_stands_for_its_newest_version(tmp_path):
    entry = tmp_path / "temporal.keras"
    for version in ("2026-01-01", "2026-02-01"):
        (entry / version).mkdir(parents=True)
        (entry / version / "temporal.keras").touch()
        (entry / version / "temporal.json").touch()
    weights = WeightsFolder(path=str(tmp_path)).load()
    assert weights.find_model(str(entry)).parent.name == "2026-02-01"


def test_a_damaged_earlier_model_is_named(tmp_path):
    (tmp_path / "earlier.keras").write_bytes(b"no model")
    (tmp_path / "earlier.json").write_text("{}")
    with pytest.raises(UserError, match=r"`init_from`: .*earlier\.keras is no model"):
        WeightsFolder(path=str(tmp_path)).load().earlier_model(str(tmp_path / "earlier.keras"))


def training_of(model):
    inputs = ["clips", "pretrained_weights", f"params:{model}"]
    return Pipeline([Node(lambda *_: None, inputs, "model", name="train")])


def catalog_of(folder):
    return DataCatalog({"pretrained_weights": WeightsFolder(path=str(folder))})
