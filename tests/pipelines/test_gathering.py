import pytest
from score_tables import CLASSES, index_of, scores_of

from hmdb_kedro.pipelines.fusion_eval.gathering import DURATION, gather_scores


def test_without_durations_in_training_the_baseline_gives_its_shares():
    scores = scores_of(1)
    index = index_of(scores)
    index.loc[index["partition"] == "train", "duration_s"] = float("nan")
    stack, _ = gather_scores(index, {}, spatial=scores)
    baseline = stack.loc[stack["model"] == DURATION, CLASSES]
    shares = index.loc[index["partition"] == "train", "label"].value_counts(normalize=True)
    assert baseline.to_numpy() == pytest.approx(shares[CLASSES].to_numpy()[None].repeat(90, axis=0))
