import json

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from params import make

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.fusion import RULES, FusionRule, fuse
from hmdb_kedro.params import MODELS
from hmdb_kedro.pipelines.fusion_eval import create_pipeline
from hmdb_kedro.pipelines.fusion_eval.fusing import add_costs, fit_fusion, fuse_streams
from hmdb_kedro.pipelines.fusion_eval.nodes import (
    compare_models,
    evaluate_models,
    plot_confusions,
)

CLASSES = [f"class {letter}" for letter in "abcdef"]
COST = {"parameters": 1000, "gflops": 2.5, "train_seconds": 60.0, "ms_per_clip": 4.0}
PARAMS = make("two_stream", draws=1000)


def scores_of(seed, strength=1.0, val=30, test=60):
    rng = np.random.default_rng(seed)
    labels = np.arange(val + test) % len(CLASSES)
    logits = rng.normal(size=(len(labels), len(CLASSES)))
    logits[np.arange(len(labels)), labels] += strength
    exponents = np.exp(logits)
    probabilities = (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32)
    keys = {
        "clip_id": [f"{CLASSES[label]}/{i}.avi" for i, label in enumerate(labels)],
        "partition": ["val"] * val + ["test"] * test,
        "label": [CLASSES[label] for label in labels],
    }
    return pd.DataFrame(keys).join(pd.DataFrame(probabilities, columns=CLASSES))


def index_of(scores, clips_a_source=3):
    """An index of the scored clips, three a source, with HMDB51's fields."""
    n = len(scores)
    return pd.DataFrame(
        {
            "clip_id": scores["clip_id"],
            "label": scores["label"],
            "partition": scores["partition"],
            "source_video": [f"film {i // clips_a_source}" for i in range(n)],
        }
    )


INDEX = index_of(scores_of(1))


def fused_of(index=INDEX, params=PARAMS, **streams):
    fusion, _ = fit_fusion(index, params, **streams)
    return fuse_streams(fusion, **streams)


def five_models(**changes):
    spatial, temporal = scores_of(1, **changes), scores_of(2, strength=1.5, **changes)
    fused = fused_of(index_of(spatial), spatial=spatial, temporal=temporal)
    others = {"cnn3d_v1": scores_of(3, **changes), "cnn3d_v2": scores_of(4, **changes)}
    return {"spatial": spatial, **others, "temporal": temporal, "two_stream": fused}


class TestFusion:
    @pytest.mark.parametrize("rule", [*RULES, "auto"])
    def test_the_stored_rule_makes_the_stored_scores_again(self, rule):
        streams = {"spatial": scores_of(1), "temporal": scores_of(2)[::-1]}
        stored, _ = fit_fusion(INDEX, make("two_stream", rule=rule), **streams)
        stored = json.loads(json.dumps(stored))
        assert (stored["streams"], stored["requested"]) == (["spatial", "temporal"], rule)
        fused = fuse_streams(stored, **streams)
        probabilities = [s.sort_values("clip_id")[CLASSES].to_numpy() for s in streams.values()]
        again = fuse(FusionRule.from_json(stored), probabilities)
        assert fused[CLASSES].to_numpy() == pytest.approx(again, abs=1e-6)
        assert (fused[CLASSES].dtypes == np.float32).all()
        assert fused[CLASSES].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)

    @pytest.mark.parametrize("rule", ["weighted", "svm"])
    def test_a_rule_is_fitted_on_validation_alone(self, rule):
        params = make("two_stream", rule=rule)
        streams = {"spatial": scores_of(1), "temporal": scores_of(2)}
        fitted = fit_fusion(INDEX, params, **streams)
        temporal = streams["temporal"]
        temporal.loc[temporal["partition"] == "test", CLASSES] = 1 / 6
        assert fit_fusion(INDEX, params, **streams) == fitted

    def test_a_fallback_is_on_record_and_logged(self, caplog):
        streams = {"spatial": scores_of(1, val=0), "temporal": scores_of(2, val=0)}
        stored, _ = fit_fusion(INDEX, make("two_stream", rule="weighted"), **streams)
        assert (stored["requested"], stored["name"]) == ("weighted", "log_average")
        assert "no validation" in stored["fallback"]
        assert "Fusion by log_average: weighted has no validation clips" in caplog.text

    def test_all_rules_are_kept_with_what_validation_says_of_them(self):
        streams = {"spatial": scores_of(1, val=240), "temporal": scores_of(2, val=240)}
        index = index_of(streams["spatial"])
        fusion, rules = fit_fusion(index, make("two_stream", rule="auto"), **streams)
        assert len(rules["rules"]) == 2 * len(RULES)
        best = min(rules["rules"], key=lambda found: found["val_log_loss"])
        assert FusionRule.from_json(fusion) == FusionRule.from_json(best["rule"])
        assert fusion["fallback"] is None

    def test_a_third_stream_may_join(self):
        streams = {"spatial": scores_of(1), "temporal": scores_of(2), "cnn3d_v2": scores_of(3)}
        params = make("two_stream", streams=["spatial", "temporal", "cnn3d_v2"])
        fused = fused_of(params=params, **streams)
        product = np.prod([streams[name][CLASSES].to_numpy() for name in params.streams], axis=0)
        product = pd.DataFrame(product / product.sum(axis=1, keepdims=True), columns=CLASSES)
        expected = product.join(streams["spatial"]["clip_id"]).set_index("clip_id")
        found = fused.set_index("clip_id")[CLASSES]
        assert found.to_numpy() == pytest.approx(expected.loc[found.index].to_numpy(), abs=1e-6)

    def test_a_clip_without_flow_is_left_out_of_the_fusion(self):
        fused = fused_of(spatial=scores_of(1), temporal=scores_of(2).iloc[1:])
        assert set(scores_of(1)["clip_id"]) - set(fused["clip_id"]) == {"class a/0.avi"}

    def test_the_streams_cost_what_all_cost_and_the_memory_of_the_largest(self):
        costs = {"spatial": {**COST, "memory_mb": 3.0}, "temporal": {**COST, "memory_mb": 2.0}}
        together = add_costs(PARAMS, cnn3d_v1=COST, **costs)
        assert together == {name: 2 * value for name, value in COST.items()} | {"memory_mb": 3.0}
        assert "memory_mb" not in add_costs(PARAMS, spatial=costs["spatial"], temporal=COST)


class TestMetrics:
    def test_every_model_has_every_metric_and_json_keeps_them(self):
        metrics = evaluate_models(**five_models())
        assert list(metrics) == ["spatial", "cnn3d_v1", "cnn3d_v2", "temporal", "two_stream"]
        for found in metrics.values():
            assert (found["n"], found["val_n"]) == (60, 30)
            names = {"top1", "top5", "mean_class_accuracy", "log_loss", "ece"}
            assert names | {f"val_{name}" for name in names} <= set(found)
        assert json.loads(json.dumps(metrics)) == metrics

    def test_the_gain_is_over_the_stream_that_validation_prefers(self):
        models = five_models()
        metrics = evaluate_models(**models)
        fused = metrics["two_stream"]
        assert (fused["best_stream"], fused["best_stream_chosen_by"]) == ("temporal", "val_top1")
        assert fused["gain_over_best_stream"] == fused["top1"] - metrics["temporal"]["top1"]
        is_val = models["temporal"]["partition"] == "val"
        models["temporal"].loc[is_val, CLASSES] = 1 / 6
        assert evaluate_models(**models)["two_stream"]["best_stream"] == "spatial"

    def test_without_validation_log_loss_on_test_clips_chooses(self):
        metrics = evaluate_models(**five_models(val=0))
        fused = metrics["two_stream"]
        assert (fused["best_stream"], fused["best_stream_chosen_by"]) == ("temporal", "log_loss")
        assert metrics["spatial"]["val_n"] == 0
        assert "val_top1" not in metrics["spatial"]

    def test_a_clip_one_model_lacks_is_named_and_left_out_for_all(self):
        models = five_models()
        models["cnn3d_v1"] = models["cnn3d_v1"].iloc[1:]
        metrics = evaluate_models(**models)
        assert metrics["cnn3d_v1"]["not_scored"] == ["class a/0.avi"]
        assert {found["n"] + found["val_n"] for found in metrics.values()} == {89}

    def test_no_test_clip_is_an_error_that_says_so(self):
        with pytest.raises(UserError, match="no test clip"):
            evaluate_models(**five_models(test=0))


class TestReporting:
    def test_the_table_puts_metrics_beside_costs(self):
        metrics = evaluate_models(**five_models())
        table, figure = compare_models(metrics, spatial=COST, two_stream=COST)
        assert table["model"].to_list() == list(metrics)
        assert table.loc[0, "top1"] == metrics["spatial"]["top1"]
        assert table["parameters"].dropna().to_list() == [1000, 1000]
        assert list(figure.data[0].y) == table["top1"].to_list()

    def test_the_table_does_without_validation(self):
        table, _ = compare_models(evaluate_models(**five_models(val=0)), spatial=COST)
        assert table["val_top1"].isna().all()
        assert table["val_n"].eq(0).all()

    def test_the_menu_shows_one_normalised_matrix_a_model(self):
        figure = plot_confusions(**five_models())
        assert [heatmap.visible for heatmap in figure.data] == [False] * 4 + [True]
        for heatmap in figure.data:
            assert np.sum(heatmap.z, axis=1) == pytest.approx(1, abs=1e-3)
        (menu,) = figure.layout.updatemenus
        assert [button.label for button in menu.buttons][menu.active] == "two_stream"
        for position, button in enumerate(menu.buttons):
            assert np.flatnonzero(button.args[0]["visible"]).tolist() == [position]

    def test_a_class_without_test_clips_is_blank(self):
        models = five_models()
        for scores in models.values():
            scores.drop(scores.index[scores["label"] == CLASSES[2]], inplace=True)
        z = plot_confusions(**models).data[0].z
        assert set(z[2]) == {None}
        assert sum(z[0]) == pytest.approx(1, abs=1e-3)


@pytest.mark.filterwarnings("ignore:One or more dataset names contain:UserWarning")
def test_the_pipeline_runs_from_scores_to_comparison():
    models = five_models()
    del models["two_stream"]
    entries = {f"{model}.scores": MemoryDataset(scores) for model, scores in models.items()}
    entries |= {f"{model}.cost": MemoryDataset(COST) for model in MODELS}
    pipeline = create_pipeline()
    catalog = DataCatalog(
        {
            **entries,
            "clip_index": MemoryDataset(INDEX),
            "params:two_stream": MemoryDataset(PARAMS),
        }
    )
    outputs = SequentialRunner().run(pipeline, catalog)
    assert set(outputs) == {
        "two_stream.rules",
        "model_comparison",
        "model_comparison_figure",
        "confusion_matrices",
    }
    table = outputs["model_comparison"].load().set_index("model")
    assert table.loc["two_stream", "ms_per_clip"] == 8
    assert table.loc["two_stream", "top1"] > table.loc["temporal", "top1"]
    assert {
        "metrics",
        "two_stream.fusion",
        "two_stream.scores",
        "two_stream.cost",
    } <= pipeline.all_outputs()
    fusing = {node.short_name for node in pipeline.nodes if node.namespace == "two_stream"}
    assert fusing == {"fit", "fuse", "add_costs"}
