from params import make
from score_tables import PROTOCOL, scores_of

from hmdb_kedro.params import MODELS, hash_values
from hmdb_kedro.pipelines.fusion_eval.fusing import describe_fusion, evaluation_key

PARAMS = make("two_stream")


def test_external_scores_are_part_of_the_evaluations_key_and_not_of_the_fusions_settings():
    protocols = {
        f"{model}_protocol": PROTOCOL | {"run_key": model, "settings_key": "a"} for model in MODELS
    }
    external = {"theirs": scores_of(2)}
    without, beside = (
        describe_fusion(scores_of(1), tables, PARAMS, **protocols) for tables in ({}, external)
    )
    assert without["settings_key"] == beside["settings_key"]
    assert without["run_key"] != beside["run_key"]
    keys = dict(zip(MODELS, MODELS, strict=True))
    assert beside["run_key"] == evaluation_key(PARAMS, keys, external)


def test_without_external_scores_stored_evaluations_keep_their_key():
    values = [PARAMS.model_dump(mode="json"), {"spatial": "a"}]
    assert evaluation_key(PARAMS, {"spatial": "a"}, {}) == hash_values(values)
