import numpy as np
import pytest
from score_tables import CLASSES, REPORTS, index_of, scores_of

from hmdb_kedro.pipelines.fusion_eval.checking import check_evaluation
from hmdb_kedro.pipelines.fusion_eval.gathering import gather_scores


def checks_of(scores, n_sources):
    """The checks of a fusion whose test clips are of so many sources."""
    index = index_of(scores)
    index["source_video"] = [f"film {i % n_sources}" for i in range(len(index))]
    stack, _ = gather_scores(index, {}, two_stream=scores)
    return check_evaluation(stack, index, REPORTS["data_prep_report"], 1)


def perfect(scores):
    truth = np.eye(len(CLASSES))[scores["label"].map(CLASSES.index)]
    return scores.assign(**dict(zip(CLASSES, truth.T, strict=True)))


class TestTooFewSources:
    @pytest.mark.parametrize("n_sources", [2, 3])
    def test_a_perfect_fusion_of_clips_of_one_class_each_is_no_fault(self, n_sources, caplog):
        scores = perfect(scores_of(1, val=0))
        scores = scores[scores["label"].isin(CLASSES[:n_sources])].reset_index(drop=True)
        found = checks_of(scores, n_sources)
        assert not found["shuffled_labels"]["two_stream"]["is_above"]
        assert (found["too_few_sources"], found["faults"]) == (True, [])
        assert "Too few sources of test clips" in caplog.text

    def test_one_class_alone_is_no_fault(self):
        scores = perfect(scores_of(1, val=0))
        found = checks_of(scores[scores["label"] == CLASSES[0]].reset_index(drop=True), 10)
        assert (found["too_few_sources"], found["faults"]) == (True, [])

    def test_with_enough_of_them_a_fusion_that_has_learnt_nothing_is_a_fault(self):
        found = checks_of(scores_of(1, strength=0.0), 30)
        assert not found["too_few_sources"]
        assert "it has learnt nothing" in found["faults"][0]
