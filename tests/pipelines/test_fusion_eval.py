import json

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from params import make
from score_tables import (
    CLASSES,
    COST,
    PROTOCOL,
    REPORTS,
    FilmStock,
    Kept,
    ablations_of,
    index_of,
    motion_of,
    scores_of,
)

from hmdb_kedro.errors import UserError
from hmdb_kedro.evaluation.fusion import RULES, FusionRule, fuse
from hmdb_kedro.evaluation.metrics import top_k_hits
from hmdb_kedro.params import MODELS
from hmdb_kedro.pipelines.fusion_eval import create_pipeline
from hmdb_kedro.pipelines.fusion_eval.contributing import (
    measure_ablations,
    measure_contribution,
    measure_gains,
)
from hmdb_kedro.pipelines.fusion_eval.drawing import (
    plot_classes,
    plot_confusions,
    plot_contribution,
    plot_reliability,
)
from hmdb_kedro.pipelines.fusion_eval.evaluating import (
    compare_pairs,
    evaluate_models,
    measure_calibration,
    tabulate_models,
)
from hmdb_kedro.pipelines.fusion_eval.fusing import add_costs, fit_fusion, fuse_streams, judge_rules
from hmdb_kedro.pipelines.fusion_eval.gathering import gather_scores
from hmdb_kedro.pipelines.fusion_eval.pipeline import ABLATED

# Figures and reports: together a dozen seconds.
pytestmark = pytest.mark.slow
PARAMS = make("two_stream", draws=1000)


INDEX = index_of(scores_of(1))
FUSION = FusionRule("log_average", (1.0, 1.0)).to_json() | {"streams": ["spatial", "temporal"]}


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


def gathered(models, index=None, external=None):
    index = index_of(models["spatial"]) if index is None else index
    return gather_scores(index, external or {}, **models)


def evaluated(models, fusion=FUSION, **changes):
    stack, report = gathered(models, **changes)
    return evaluate_models(stack, report, fusion)


class TestGathering:
    def test_a_clip_one_model_lacks_is_named_and_left_out_for_all(self, caplog):
        models = five_models()
        models["cnn3d_v1"] = models["cnn3d_v1"].iloc[1:]
        stack, report = gathered(models, INDEX)
        assert report["not_scored"]["cnn3d_v1"] == ["class a/0.avi"]
        assert "cnn3d_v1 has no scores of class a/0.avi" in caplog.text
        assert stack.groupby("model").size().to_dict() == dict.fromkeys(
            [*models, "duration_baseline"], 89
        )
        metrics = evaluate_models(stack, report, FUSION)
        assert metrics["cnn3d_v1"]["not_scored"] == ["class a/0.avi"]

    def test_no_test_clip_is_an_error_that_says_so(self):
        with pytest.raises(UserError, match="no test clip"):
            gathered(five_models(test=0))

    def test_a_class_without_test_clips_is_named(self, caplog):
        models = {
            name: scores[(scores["label"] != CLASSES[2]) | (scores["partition"] == "val")]
            for name, scores in five_models().items()
        }
        _, report = gathered(models, INDEX)
        assert report["classes_without_test_clips"] == [CLASSES[2]]
        assert "No test clip of class c" in caplog.text
        assert (report["n_test"], report["n_val"], report["n_test_sources"]) == (50, 30, 20)

    def test_scores_of_another_tool_stand_beside_ours_and_are_marked(self):
        theirs = scores_of(9, strength=3.0).drop(columns=["partition", "label"])[::-1]
        models = five_models()
        metrics = evaluated(models, external={"theirs": theirs})
        assert metrics["theirs"]["external"]
        assert "external" not in metrics["spatial"]
        probabilities = scores_of(9, strength=3.0)[CLASSES].to_numpy()[30:]
        right = probabilities.argmax(axis=1) == np.arange(30, 90) % 6
        assert metrics["theirs"]["top1"] == right.mean()
        with pytest.raises(UserError, match=r"name of a model of ours. Received: spatial"):
            gathered(models, external={"spatial": theirs})

    def test_the_duration_baseline_knows_lengths_alone(self):
        models = five_models()
        index = index_of(models["spatial"])
        leaking = index.assign(duration_s=index["label"].map(CLASSES.index) + 1.0)
        for clips, low, high in ((leaking, 1, 1), (index.assign(duration_s=2.0), 1 / 6, 1 / 6)):
            stack, _ = gathered(models, clips)
            table = stack[(stack["kind"] == "baseline") & (stack["partition"] == "test")]
            labels = table["label"].map(CLASSES.index).to_numpy()
            hits = top_k_hits(table[CLASSES].to_numpy(), labels, 1).mean()
            assert low - 1e-6 <= hits <= high + 1e-6


class TestMetrics:
    def test_every_model_has_every_metric_and_json_keeps_them(self):
        metrics = evaluated(five_models())
        assert list(metrics) == ["spatial", "cnn3d_v1", "cnn3d_v2", "temporal", "two_stream"]
        for found in metrics.values():
            assert (found["n"], found["val_n"]) == (60, 30)
            names = {"top1", "top5", "mean_class_accuracy", "log_loss", "brier", "ece"}
            assert names | {f"val_{name}" for name in names} <= set(found)
            for name in ("top1", "mean_class_accuracy"):
                interval = found["intervals"][name]
                assert interval["low"] < found[name] == pytest.approx(interval["estimate"])
                assert interval["n_sources"] == 20
        assert json.loads(json.dumps(metrics)) == metrics

    def test_the_interval_of_the_class_mean_is_about_the_class_mean(self):
        gone = [f"class a/{number}.avi" for number in range(30, 66, 6)]
        models = {
            name: scores[~scores["clip_id"].isin(gone)] for name, scores in five_models().items()
        }
        found = evaluated(models, index=INDEX)["spatial"]
        assert found["top1"] != pytest.approx(found["mean_class_accuracy"])
        interval = found["intervals"]["mean_class_accuracy"]
        assert interval["estimate"] == pytest.approx(found["mean_class_accuracy"])
        assert interval["n_clips"] == 54

    def test_the_gain_is_over_the_stream_that_validation_prefers(self):
        models = five_models()
        metrics = evaluated(models)
        fused = metrics["two_stream"]
        assert (fused["best_stream"], fused["best_stream_chosen_by"]) == ("temporal", "val_top1")
        assert fused["gain_over_best_stream"] == fused["top1"] - metrics["temporal"]["top1"]
        is_val = models["temporal"]["partition"] == "val"
        models["temporal"].loc[is_val, CLASSES] = 1 / 6
        assert evaluated(models)["two_stream"]["best_stream"] == "spatial"

    def test_without_validation_log_loss_on_test_clips_chooses(self):
        metrics = evaluated(five_models(val=0))
        fused = metrics["two_stream"]
        assert (fused["best_stream"], fused["best_stream_chosen_by"]) == ("temporal", "log_loss")
        assert metrics["spatial"]["val_n"] == 0
        assert "val_top1" not in metrics["spatial"]


class TestComparisons:
    def found(self, **changes):
        stack, report = gathered(five_models())
        metrics = evaluate_models(stack, report, FUSION)
        return compare_pairs(stack, metrics, make("two_stream", draws=1000, **changes), 1), metrics

    def test_the_declared_pairs_are_those_always_made_and_the_users(self):
        comparisons, metrics = self.found(comparisons=[["cnn3d_v2", "duration_baseline"]])
        pairs = [(found["model"], found["against"]) for found in comparisons["pairs"]]
        assert pairs == [
            ("two_stream", "temporal"),
            ("cnn3d_v2", "cnn3d_v1"),
            ("cnn3d_v2", "duration_baseline"),
        ]
        assert comparisons["left_out"] == []
        fused = comparisons["pairs"][0]
        gain = metrics["two_stream"]["gain_over_best_stream"]
        assert fused["gain"]["estimate"] == pytest.approx(gain)
        assert json.loads(json.dumps(comparisons)) == comparisons

    def test_without_validation_no_stream_chosen_on_test_is_compared(self):
        stack, report = gathered(five_models(val=0))
        metrics = evaluate_models(stack, report, FUSION)
        found = compare_pairs(stack, metrics, PARAMS, 1)
        assert [(pair["model"], pair["against"]) for pair in found["pairs"]] == [
            ("cnn3d_v2", "cnn3d_v1")
        ]
        (sentence,) = found["left_out"]
        assert sentence.startswith("two_stream against its best stream: left out.")
        named = make("two_stream", draws=1000, comparisons=[["two_stream", "temporal"]])
        asked = compare_pairs(stack, metrics, named, 1)["pairs"]
        assert [pair["model"] for pair in asked] == ["cnn3d_v2", "two_stream"]

    def test_a_pair_that_names_no_model_is_refused(self):
        with pytest.raises(UserError, match=r"without scores. Received: resnet. Known: spatial,"):
            self.found(comparisons=[["resnet", "spatial"]])


class TestContribution:
    def test_the_parts_of_the_account_fit_together(self):
        models = five_models(val=60)
        index = index_of(models["spatial"])
        fusion, _ = fit_fusion(index, PARAMS, **models)
        stack, report = gathered(models, index)
        found = measure_contribution(stack, fusion, index)
        metrics = evaluate_models(stack, report, fusion)
        for name in ("top1", "log_loss"):
            assert found["fused"][name] == pytest.approx(metrics["two_stream"][name], abs=1e-6)
        for stream in ("spatial", "temporal"):
            assert found["alone"][stream]["top1"] == metrics[stream]["top1"]
            assert found["alone"][stream]["temperature"] != 1
        for figure, sign in (("accuracy", 1), ("log_loss", -1)):
            name = "top1" if figure == "accuracy" else figure
            gained = sign * (found["fused"][name] - found["prior"][name])
            assert sum(found["shapley"][figure].values()) == pytest.approx(gained)
        both = found["overlap"]["both"]
        right = metrics["spatial"]["top1"] + metrics["temporal"]["top1"] - both
        assert found["best_choice"] == pytest.approx(right)
        assert found["prior"]["top1"] == pytest.approx(1 / 6)
        ends = [row["top1"] for row in (found["weight_curve"]["test"][i] for i in (-1, 0))]
        assert ends == [metrics["spatial"]["top1"], metrics["temporal"]["top1"]]
        assert json.loads(json.dumps(found)) == found

    def test_three_streams_share_the_whole_gain(self):
        models = five_models()
        params = make("two_stream", streams=["spatial", "temporal", "cnn3d_v2"], rule="weighted")
        fusion, _ = fit_fusion(INDEX, params, **models)
        models["two_stream"] = fuse_streams(fusion, **models)
        found = measure_contribution(gathered(models)[0], fusion, INDEX)
        gained = found["fused"]["top1"] - found["prior"]["top1"]
        assert sum(found["shapley"]["accuracy"].values()) == pytest.approx(gained)
        assert len(found["overlap"]) == 8

    def test_ablations_of_any_name_are_told_with_the_fusion_without_them(self):
        models = five_models()
        ablated = {name: ablations_of(models[name]) for name in ("temporal", "cnn3d_v1")}
        table = measure_ablations(gathered(models)[0], FUSION, 1, **ablated)
        assert table.loc[table["model"] == "cnn3d_v1", "fused_top1"].isna().all()
        table = table[table["model"] == "temporal"].set_index("ablation")
        assert list(table.index) == ["none", "blind", "one_frame", "another_clips_scores"]
        metrics = evaluated(models)
        assert table.loc["none", "top1"] == metrics["temporal"]["top1"]
        assert table.loc["none", "fused_top1"] == metrics["two_stream"]["top1"]
        assert table.loc["blind", "top1"] == pytest.approx(1 / 6)
        assert table.loc["blind", "fused_top1"] == pytest.approx(metrics["spatial"]["top1"])
        assert table.loc["one_frame", "n_clips"] == 59
        assert table.loc["another_clips_scores", "top1"] == pytest.approx(1 / 6, abs=0.05)

    def test_gains_are_told_by_class_meta_field_duration_and_motion(self):
        models = five_models()
        table = measure_gains(gathered(models)[0], FUSION, INDEX, motion_of(INDEX), PARAMS, 1)
        fields = ["label", "camera_motion", "duration_s", "motion_px", "shared_motion_px"]
        assert list(dict.fromkeys(table["field"])) == fields
        metrics = evaluated(models)
        for _, rows in table.groupby("field"):
            weights = rows["n_clips"] / rows["n_clips"].sum()
            gain = metrics["two_stream"]["top1"] - metrics["spatial"]["top1"]
            assert rows["n_clips"].sum() == 60
            assert (weights * rows["gain_over_spatial"]).sum() == pytest.approx(gain)


class TestRules:
    def test_all_rules_are_judged_and_the_one_at_work_is_marked(self):
        models = five_models(val=60)
        index = index_of(models["spatial"])
        params = make("two_stream", rule="weighted", temperature=True)
        fusion, rules = fit_fusion(index, params, **models)
        models["two_stream"] = fuse_streams(fusion, **models)
        stack, report = gathered(models, index)
        table = judge_rules(rules, fusion, stack)
        assert table["rule"].to_list() == [*RULES, *RULES]
        (chosen,) = table.index[table["is_chosen"]]
        assert (table.loc[chosen, "rule"], table.loc[chosen, "temperature"]) == ("weighted", True)
        metrics = evaluate_models(stack, report, fusion)
        assert table.loc[chosen, "top1"] == metrics["two_stream"]["top1"]


class TestReporting:
    def entries(self, metrics):
        costs = {f"{model}_cost": COST for model in ("spatial", "two_stream")}
        return costs | {"spatial_protocol": {"split": 2, "views": 3, "crops": "centre"}}

    def tabulated(self, models, **changes):
        stack, report = gathered(models)
        metrics = evaluate_models(stack, report, FUSION)
        pairs = compare_pairs(stack, metrics, PARAMS, 1)
        data_prep = make("data_prep", **changes)
        return tabulate_models(metrics, pairs, data_prep, **self.entries(metrics)), metrics

    def test_the_table_puts_metrics_beside_costs_protocol_and_verdict(self):
        (table, figure, _), metrics = self.tabulated(five_models(), expect=None)
        assert table["model"].to_list() == list(metrics)
        spatial = table.set_index("model").loc["spatial"]
        assert spatial["top1"] == metrics["spatial"]["top1"]
        assert spatial["top1_low"] == metrics["spatial"]["intervals"]["top1"]["low"]
        assert (spatial["split"], spatial["views"], spatial["kind"]) == (2, 3, "measured")
        assert table["parameters"].dropna().to_list() == [1000, 1000]
        verdicts = table.set_index("model")["compared_with"].dropna().to_dict()
        assert verdicts == {"two_stream": "temporal", "cnn3d_v2": "cnn3d_v1"}
        assert "points, 95 % interval" in table.set_index("model").loc["cnn3d_v2", "verdict"]
        assert list(figure.data[0].y) == table["top1"].to_list()

    def test_a_cost_nobody_foresaw_has_a_column_too(self):
        stack, report = gathered(five_models())
        metrics = evaluate_models(stack, report, FUSION)
        cost = {"spatial_cost": {"flow_ms": 7.0}}
        table = tabulate_models(metrics, {"pairs": []}, make("data_prep"), **cost)[0]
        assert table["flow_ms"].dropna().to_list() == [7.0]

    def test_published_figures_stand_apart_and_for_hmdb51_alone(self):
        (_, figure, published), _ = self.tabulated(five_models(), expect="hmdb51")
        assert figure.data[-1].name == "top-1, published"
        assert list(figure.data[-1].y) == [0.594, 0.432, 0.563, 0.583, 0.694, 0.807]
        assert figure.data[-1].xaxis != figure.data[0].xaxis
        assert published["source"].str.contains("20").all()
        assert set(published["kind"]) == {"published"}
        assert published["checked"].str.contains(r"checked 20\d\d-\d\d-\d\d in the ").all()
        (table, figure, _), _ = self.tabulated(five_models(), expect=None)
        assert {trace.name for trace in figure.data} == {"top-1", "top-5", "mean class accuracy"}
        assert "published" not in set(table["kind"])

    def test_the_table_does_without_validation(self):
        (table, _, _), _ = self.tabulated(five_models(val=0))
        assert table["val_top1"].isna().all()
        assert table["val_n"].eq(0).all()

    def test_the_menu_shows_one_normalised_matrix_a_model(self):
        figure = plot_confusions(gathered(five_models())[0])
        assert [heatmap.visible for heatmap in figure.data] == [False] * 4 + [True]
        for heatmap in figure.data:
            assert np.sum(heatmap.z, axis=1) == pytest.approx(1, abs=1e-3)
            assert list(heatmap.x) == list(heatmap.y) == list(figure.data[0].x)
        (menu,) = figure.layout.updatemenus
        assert [button.label for button in menu.buttons][menu.active] == "two_stream"
        for position, button in enumerate(menu.buttons):
            assert np.flatnonzero(button.args[0]["visible"]).tolist() == [position]

    def test_classes_that_are_confused_stand_side_by_side(self):
        models = five_models()
        for scores in models.values():  # a is taken for d, d for a
            confused = scores["label"].isin(["class a", "class d"])
            other = scores["label"].map({"class a": "class d", "class d": "class a"})
            for name in CLASSES:
                scores.loc[confused, name] = (other[confused] == name).astype(np.float32)
        names = list(plot_confusions(gathered(models)[0]).data[0].x)
        assert abs(names.index("class a") - names.index("class d")) == 1

    def test_a_class_without_test_clips_is_blank_or_left_out(self):
        models = {
            name: scores[(scores["label"] != CLASSES[2]) | (scores["partition"] == "val")]
            for name, scores in five_models().items()
        }
        stack, _ = gathered(models, INDEX)
        heatmap = plot_confusions(stack).data[0]
        rows = dict(zip(heatmap.y, heatmap.z, strict=True))
        assert set(rows[CLASSES[2]]) == {None}
        assert sum(rows[CLASSES[0]]) == pytest.approx(1, abs=1e-3)
        assert set(plot_classes(stack).data[0].y) == set(CLASSES) - {CLASSES[2]}

    def test_bars_by_class_are_sorted_and_carry_whiskers(self):
        models = five_models(test=600)
        figure = plot_classes(gathered(models)[0])
        bar = figure.data[-1]
        assert list(bar.x) == sorted(bar.x)
        assert list(figure.layout.yaxis.categoryarray) == list(bar.y)
        assert min(bar.error_x.array) > 0
        assert np.mean(bar.x) == pytest.approx(evaluated(models)["two_stream"]["top1"])

    def test_the_figures_of_contribution_show_what_was_measured(self):
        models = five_models()
        stack, _ = gathered(models)
        found = measure_contribution(stack, FUSION, INDEX)
        gains = measure_gains(stack, FUSION, INDEX, motion_of(INDEX), PARAMS, 1)
        overlap, weight, gain = plot_contribution(found, gains)
        assert np.sum([bar.x for bar in overlap.data], axis=0) == pytest.approx(1, abs=1e-3)
        assert overlap.data[0].y[-1] == "all classes"
        assert [trace.name for trace in weight.data] == ["test clips", "val clips"]
        assert len(gain.data) == 2
        assert len(gain.data[0].x) == len(gains)

    def test_reliability_names_the_proper_scores_and_what_chance_shows(self):
        figure = plot_reliability(measure_calibration(gathered(five_models())[0], 1))
        assert len(figure.data) == 6
        assert "by chance 0." in figure.data[1].name
        assert sum(figure.data[1].customdata) == 60


@pytest.mark.filterwarnings("ignore:One or more dataset names contain:UserWarning")
def test_the_pipeline_runs_from_scores_to_comparison():
    models = five_models()
    del models["two_stream"]
    entries = {f"{model}.scores": scores for model, scores in models.items()}
    entries |= {f"{model}.ablation_scores": ablations_of(models[model]) for model in ABLATED}
    entries |= {f"{model}.cost": COST for model in MODELS}
    entries |= {f"{model}.protocol": PROTOCOL for model in MODELS}
    entries |= REPORTS | {
        "frames_if_any": FilmStock(INDEX["clip_id"]),
        "clip_index": INDEX,
        "motion_by_clip": motion_of(INDEX),
        "protocol_runs": [],
        "external_scores": {},
        "params:two_stream": PARAMS,
        "params:data_prep": make("data_prep"),
        "params:seed": 1,
    }
    pipeline = create_pipeline()
    catalog = DataCatalog({name: MemoryDataset(data) for name, data in entries.items()})
    catalog["model_comparison"] = Kept()
    outputs = SequentialRunner().run(pipeline, catalog)
    assert outputs["protocol_summary"].load()["models"] == {}
    assert set(outputs) == {
        "protocol_summary",
        "report",
        "model_card",
        "model_comparison_figure",
        "hardest_clips_figure",
    }
    table = catalog["model_comparison"].load().set_index("model")
    assert table.loc["two_stream", "ms_per_clip"] == 8
    assert table.loc["two_stream", "top1"] > table.loc["temporal", "top1"]
    kept = {
        "metrics",
        "model_comparison",
        "published_figures",
        "fusion_rules",
        "ablations",
        "confusion_matrices",
        "accuracy_by_class_figure",
        "reliability_figure",
        "stream_overlap_figure",
        "fusion_weight_figure",
        "gain_by_group_figure",
        "hardest_clips",
        "evaluation_checks",
        "comparisons",
        "calibration",
        "stream_contribution",
        "contribution_by_group",
        "compared_scores",
        "scores_report",
        "two_stream.fusion",
        "two_stream.rules",
        "two_stream.scores",
        "two_stream.cost",
        "two_stream.protocol",
    }
    assert kept <= pipeline.all_outputs()
    fusing = {node.short_name for node in pipeline.nodes if node.namespace == "two_stream"}
    assert fusing == {"fit", "fuse", "describe", "add_costs"}
