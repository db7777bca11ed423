import pytest
from clips import REPOSITORY
from params import base_values, make

from hmdb_kedro.configuration import ARGUMENTS, ProjectConfigLoader
from hmdb_kedro.errors import UserError
from hmdb_kedro.params import MODELS, RootParams, TrainParams, check_parameters, models_of

CONFIGURATION = REPOSITORY / "conf"


def changed(key, value):
    values = base_values()
    *branches, name = key.split(".")
    target = values
    for branch in branches:
        target = target[branch]
    target[name] = value
    return values


def test_the_base_configuration_is_valid():
    assert check_parameters(base_values()).flow.algorithm == "dis"


GLOBALS = ProjectConfigLoader(str(CONFIGURATION), "base", **ARGUMENTS)["globals"]


@pytest.mark.parametrize("name", GLOBALS)
def test_every_global_can_be_given_on_the_command_line(name):
    loader = ProjectConfigLoader(
        str(CONFIGURATION), "base", runtime_params={name: "given"}, **ARGUMENTS
    )
    assert "given" in str(loader["catalog"])
    assert name in RootParams.model_fields


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("split", 4, "1, 2 or 3"),
        ("seed", -1, "greater than or equal to 0"),
        ("flow.algorithm", "foo", "'farneback', 'tvl1' or 'dis'"),
        ("flow.gamma", "bright", "'auto'"),
        ("frames.quality", 101, "less than or equal to 100"),
        ("frames.n_jobs", 0, "-1 (as many as the cores keep busy) or at least 1"),
        ("data_prep.source_pattern", "(", "regular expression"),
        ("data_prep.source_pattern", "abc", "(?P<source>"),
        ("cnn3d_v1.filters", [8], "at least 2 items"),
        ("cnn3d_v1.dense_units", 0, "at least 1"),
        ("two_stream.rule", "max", "'log_average', 'average', 'weighted' or 'svm'"),
        ("two_stream.streams", ["spatial"], "at least 2 items"),
        ("two_stream.streams", ["spatial", "spatial"], "each stream once"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_received_and_what_is_allowed(key, value, allowed):
    with pytest.raises(UserError) as caught:
        check_parameters(changed(key, value))
    message = str(caught.value)
    assert f"`{key}`" in message
    assert f"Received: {value!r}." in message
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value", "branch"),
    [("flwo", {"algorithm": "dis"}, "at the top"), ("flow.algoritm", "dis", "below `flow`")],
)
def test_an_unknown_key_is_named_with_the_known_ones(key, value, branch):
    with pytest.raises(UserError, match=f"Parameter `{key}` is unknown. Known {branch}: "):
        check_parameters(changed(key, value))


def test_values_that_do_not_go_together_are_told():
    small = base_values()
    small["temporal"] |= {"architecture": "resnet50", "image_size": 24}
    with pytest.raises(UserError, match=r"`temporal\.architecture`: .*at least 32, not 24"):
        check_parameters(small)
    idle = base_values()
    idle["spatial"] |= {"weights": "none", "tune_from": "none"}
    with pytest.raises(UserError, match=r"`spatial\.tune_from`: .*nothing to train"):
        check_parameters(idle)


def test_a_wrong_value_is_told_where_another_depends_on_it():
    values = base_values()
    values["spatial"] |= {"head_epochs": -1, "tune_from": "none"}
    with pytest.raises(UserError, match=r"`spatial\.head_epochs`: .*Received: -1"):
        check_parameters(values)


def test_a_missing_key_is_named():
    values = base_values()
    del values["flow"]["bound_px"]
    with pytest.raises(UserError, match=r"`flow\.bound_px` is missing"):
        check_parameters(values)


def test_two_mistakes_are_both_told():
    values = changed("split", 4) | {"sede": 1}
    with pytest.raises(UserError, match=r"`split`.*; .*`sede`"):
        check_parameters(values)


def test_every_model_has_a_branch_of_its_own():
    assert models_of(TrainParams) == MODELS


def test_every_parameter_says_what_it_is():
    schema = RootParams.model_json_schema()
    top = {name: field for name, field in schema["properties"].items() if "$ref" not in field}
    models = {"RootParams": {"properties": top}, **schema["$defs"]}
    silent = [
        f"{model}.{name}"
        for model, described in models.items()
        for name, field in described["properties"].items()
        if not field.get("description")
    ]
    assert silent == []


def test_parameters_cannot_be_changed():
    flow = make("flow")
    with pytest.raises(ValueError, match="frozen"):
        flow.bound_px = 1.0


def test_a_hash_changes_with_what_shapes_a_row_alone():
    reference = make("flow").settings_hash()
    assert make("flow", n_jobs=7).settings_hash() == reference
    assert make("flow", bound_px=3.0).settings_hash() != reference
