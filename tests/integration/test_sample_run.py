"""What the sample run leaves behind, and what the next run makes of it."""

import json

import pandas as pd
import pytest

pytestmark = pytest.mark.slow
MODELS = ("spatial", "cnn3d_v1", "cnn3d_v2", "temporal", "two_stream")
FINAL = {
    "val_top1",
    "val_log_loss",
    "test_top1",
    "test_top5",
    "test_mean_class_accuracy",
    "test_log_loss",
    "test_ece",
    "parameters",
    "gflops",
    "train_seconds",
    "ms_per_clip",
}


@pytest.fixture(scope="module")
def children(sample_run):
    from mlflow.tracking import MlflowClient  # noqa: PLC0415

    client = MlflowClient(sample_run.tracking_uri)
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    found = {run.data.tags["model"]: run for run in runs if "model" in run.data.tags}
    return client, found


def test_every_model_has_a_child_run_with_the_same_final_metrics(children):
    _, found = children
    assert set(found) == set(MODELS)
    for run in found.values():
        assert run.info.status == "FINISHED"
        assert set(run.data.metrics) >= FINAL
        assert {"split", "seed", "git_commit"} <= set(run.data.tags)


def test_a_child_holds_parameters_as_fields_and_a_curve(children):
    client, found = children
    run = found["temporal"]
    fields = {name.split(".")[-1] for name in run.data.params}
    assert {"learning_rate", "epochs", "algorithm"} <= fields
    epochs = int(next(v for k, v in run.data.params.items() if k.split(".")[-1] == "epochs"))
    assert len(client.get_metric_history(run.info.run_id, "loss")) == epochs


def test_the_best_two_stream_model_is_registered_and_can_be_loaded(sample_run, children, use_store):
    from hmdb_kedro.inference import Recogniser  # noqa: PLC0415

    client, _ = children
    best = client.get_model_version_by_alias("two_stream", "best")
    assert client.get_run(best.run_id).data.tags["model"] == "two_stream"
    assert float(best.tags["val_log_loss"]) < 1
    use_store(sample_run.tracking_uri)
    recogniser = Recogniser.from_mlflow("models:/two_stream@best")
    assert recogniser.streams == ("spatial", "temporal")
    assert len(recogniser.classes) == 9


def test_the_address_of_the_runs_is_told(sample_run, children):
    result = sample_run.kedro("hmdb", "runs", "--env", "sample")
    assert result.returncode == 0, result.stderr
    _, runs = children
    (experiment,) = {run.info.experiment_id for run in runs.values()}
    assert f"#/experiments/{experiment}/runs?workflowType=machine_learning" in result.stdout


def test_the_run_ends_with_the_results_table(sample_run):
    assert "Results on the test clips" in sample_run.output
    assert all(model in sample_run.output for model in MODELS)
    assert "Traceback" not in sample_run.output


def test_a_second_extraction_does_nothing_and_makes_no_version(sample_run):
    before = sample_run.catalog()["frames"].list_versions()
    data_root = f"data_root={sample_run.root}"
    result = sample_run.kedro(
        "run", "--env", "sample", "--pipelines", "data_prep,frames,flow", "--params", data_root
    )
    assert result.returncode == 0, result.stdout + result.stderr
    catalog = sample_run.catalog()
    for stage in ("data_prep", "frames", "flow"):
        report = catalog.load(f"{stage}_report")
        assert (report["done"], report["skipped"]) == (0, 243)
    assert catalog["frames"].list_versions() == before
    oldest = catalog["clip_index"].list_versions(full_path=False)[-1]
    assert len(catalog.load("clip_index", version=oldest)) == 243


def test_fusion_again_lands_beside_the_curves(sample_run, children):
    client, found = children
    data_root = f"data_root={sample_run.root}"
    result = sample_run.kedro(
        "run", "--env", "sample", "--pipeline", "fusion_eval", "--params", data_root
    )
    assert result.returncode == 0, result.stdout + result.stderr
    run_id = found["temporal"].info.run_id
    assert len(client.get_metric_history(run_id, "test_top1")) >= 2
    assert client.get_run(run_id).info.status == "FINISHED"


def test_models_are_compared_with_intervals_from_their_scores(sample_run, children, tmp_path):
    _, found = children
    temporal, fused = (found[model].info.run_id for model in ("temporal", "two_stream"))
    given = ("--env", "sample", "--params", f"data_root={sample_run.root}")
    file = tmp_path / "comparison.csv"
    result = sample_run.kedro("hmdb", "compare", temporal, fused[:12], "--out", str(file), *given)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "less temporal" in result.stdout
    rows = pd.read_csv(file)
    (top1,) = rows[(rows["kind"] == "difference") & (rows["name"] == "test_top1")].itertuples()
    metrics = sample_run.catalog().load("metrics")
    gain = metrics["two_stream"]["top1"] - metrics["temporal"]["top1"]
    assert float(top1.value) == pytest.approx(gain)
    assert 0 < top1.low < gain < top1.high
    assert top1.n_clips == 108


def test_a_mistake_is_one_line(sample_run):
    given = f"data_root={sample_run.root}/other,raw_videos_dir={sample_run.root}/nowhere"
    result = sample_run.kedro("run", "--env", "small", "--pipeline", "data_prep", "--params", given)
    assert result.returncode != 0
    shown = " ".join((result.stdout + result.stderr).split())
    assert "there is no folder" in shown
    assert "Traceback" not in shown


def test_every_output_is_json_or_parquet_and_no_pickle(sample_run):
    suffixes = {file.suffix for file in sample_run.root.rglob("*") if file.is_file()}
    assert not suffixes & {".pkl", ".pickle", ".joblib"}
    sidecar = next(sample_run.root.rglob("spatial.json"))
    assert len(json.loads(sidecar.read_text())["classes"]) == 9
