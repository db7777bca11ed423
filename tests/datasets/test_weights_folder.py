from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from params import base_values, make

from hmdb_kedro.datasets import WeightsFolder
from hmdb_kedro.errors import UserError
from hmdb_kedro.hooks import EarlyChecks

IMAGENET = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(autouse=True)
def _home_without_models(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_imagenet_is_found_where_it_lies(tmp_path):
    (tmp_path / IMAGENET).touch()
    weights = WeightsFolder(path=str(tmp_path)).load()
    assert weights.find(make("spatial")) == tmp_path / IMAGENET
    resnet = make("temporal", architecture="resnet50", weights="imagenet")
    assert weights.find_resnet50(resnet) == tmp_path / IMAGENET


def test_published_weights_of_another_backbone_are_found(tmp_path):
    file = tmp_path / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    file.touch()
    found = WeightsFolder(path=str(tmp_path)).load().find(make("spatial", backbone="MobileNetV2"))
    assert found == file


def test_a_saved_backbone_brings_its_own_weights(tmp_path):
    file = tmp_path / "mine.keras"
    weights = WeightsFolder(path=str(tmp_path)).load()
    with pytest.raises(UserError, match=r"spatial\.backbone`: there is no file .*mine\.keras"):
        weights.find(make("spatial", backbone=str(file)))
    file.touch()
    assert weights.find(make("spatial", backbone=str(file))) is None


def test_no_weights_are_asked_for(tmp_path):
    assert (
        WeightsFolder(path=str(tmp_path / "nowhere")).load().find(make("spatial", weights="none"))
        is None
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [("imagenet", f"{IMAGENET} is not in .*Fetch it from"), ("/nowhere.h5", "no file /nowhere.h5")],
)
def test_absent_weights_say_what_to_do(tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        WeightsFolder(path=str(tmp_path)).load().find(make("spatial", weights=name))


@pytest.mark.slow  # it asks keras.applications for its networks
def test_absent_weights_stop_a_run_before_its_first_node(tmp_path):
    with pytest.raises(UserError, match=r"spatial\.weights=imagenet"):
        check_early(tmp_path)


@pytest.mark.parametrize("model", ["spatial", "temporal"])
def test_an_absent_earlier_model_stops_a_run_before_its_first_node(tmp_path, model):
    values = base_values()
    values[model]["init_from"] = str(tmp_path / "earlier.keras")

    class Context:
        config_loader = {"parameters": values}  # noqa: RUF012 - a stand-in

    checks = EarlyChecks()
    checks.after_context_created(Context())
    with pytest.raises(UserError, match=r"`init_from`: there is no model .*earlier\.keras"):
        checks.before_pipeline_run(training_of(model), catalog_of(tmp_path), {})
    (tmp_path / "earlier.keras").touch()
    with pytest.raises(UserError, match=r"has no earlier\.json beside it"):
        checks.before_pipeline_run(training_of(model), catalog_of(tmp_path), {})
    (tmp_path / "earlier.json").touch()
    with pytest.raises(UserError, match=r"`init_from`: .*earlier\.keras is no model"):
        checks.before_pipeline_run(training_of(model), catalog_of(tmp_path), {})


def test_a_model_that_is_there_needs_no_weights_where_only_missing_outputs_are_made(tmp_path):
    checks = EarlyChecks()
    values = base_values()
    values["spatial"]["init_from"] = "absent.keras"
    checks.after_context_created(SimpleNamespace(config_loader={"parameters": values}))
    catalog = catalog_of(tmp_path)
    given = training_of("spatial"), catalog, {"only_missing_outputs": True}
    with pytest.raises(UserError, match="`init_from`: there is no model"):
        checks.before_pipeline_run(*given)
    catalog["model"] = MemoryDataset("trained")
    checks.before_pipeline_run(*given)


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
    node = Node(lambda *_: None, inputs, "model", name="train", namespace=model)
    return Pipeline([node])


def catalog_of(folder):
    return DataCatalog({"pretrained_weights": WeightsFolder(path=str(folder))})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "wrong.h5"}, r"`spatial\.weights`: .*wrong\.h5 does not hold weights"),
        ({"weights": "none", "backbone": "resnet51"}, r"keras\.applications has no 'resnet51'"),
        ({"weights": "none", "backbone": "wrong.keras"}, r"wrong\.keras does not load"),
        ({"weights": "none", "tune_from": "conv9"}, r"`spatial\.tune_from`: .*'conv9'.*conv5"),
    ],
)
def test_wrong_files_and_names_stop_a_run_before_its_first_node(
    tmp_path, monkeypatch, changes, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong.h5").write_bytes(b"no weights")
    (tmp_path / "wrong.keras").write_bytes(b"no model")
    with pytest.raises(UserError, match=message):
        check_early(tmp_path, image_size=32, **changes)


def check_early(folder, **changes):
    values = base_values()

    class Context:
        config_loader = {  # noqa: RUF012 - a stand-in
            "parameters": values | {"spatial": values["spatial"] | changes}
        }

    checks = EarlyChecks()
    checks.after_context_created(Context())
    checks.before_pipeline_run(training_of("spatial"), catalog_of(folder), {})
