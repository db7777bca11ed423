"""The search over a recipe, on the sample run."""

import sqlite3

import pytest

pytestmark = pytest.mark.extended


def test_a_search_trains_the_model_and_shows_its_trials(sample_run, tmp_path):
    given = f"data_root={sample_run.root},temporal.epochs=1"
    done = sample_run.kedro(
        *("hmdb", "sweep", "temporal", "--env", "sample", "--trials", "2", "--params", given),
        MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path / 'mlflow.db'}",
    )
    assert done.returncode == 0, done.stderr
    assert "learning_rate" in done.stdout
    (study,) = (sample_run.root / "08_reporting" / "split1").glob("sweep_temporal_*.db")
    with sqlite3.connect(study) as store:
        states = store.execute("select state from trials").fetchall()
    study.unlink()
    assert states == [("COMPLETE",)] * 2
