import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.significance import (
    clips_needed,
    compare_models,
    design_effect,
    holm,
    mcnemar_p,
    sign_flip_p,
)

SEEDS = st.integers(0, 1000)


def compared(first, second, sources, **options):
    hits = {"new": first, "old": second}
    settings = {"draws": 2000, "seed": 1} | options
    return compare_models(hits, [("new", "old")], sources, **settings)[0]


@given(seed=SEEDS, n=st.integers(2, 10))
def test_few_sources_are_tested_with_all_patterns_of_signs_as_scipy_does(seed, n):
    sums = np.random.default_rng(seed).integers(-3, 4, n).astype(float)
    expected = stats.permutation_test(
        (sums, np.zeros(n)),
        lambda a, b, axis: np.abs((a - b).sum(axis=axis)),
        permutation_type="samples",
        vectorized=True,
        alternative="greater",
        n_resamples=np.inf,
    )
    assert sign_flip_p(sums, draws=2000, seed=0) == pytest.approx(expected.pvalue)


def test_many_sources_are_tested_with_random_signs_near_the_normal_limit():
    sums = np.random.default_rng(3).normal(0.15, 1, 300)
    z = sums.sum() / np.sqrt((sums**2).sum())
    expected = 2 * stats.norm.sf(abs(z))
    assert sign_flip_p(sums, draws=20_000, seed=0) == pytest.approx(expected, abs=0.01)


def test_the_test_errs_as_often_as_it_says_where_nothing_differs():
    rng = np.random.default_rng(0)
    p = np.array([sign_flip_p(rng.normal(size=40), draws=1000, seed=s) for s in range(600)])
    assert 0.03 <= (p < 0.05).mean() <= 0.07


@given(better=st.integers(0, 40), worse=st.integers(0, 40))
def test_mcnemar_is_that_of_statsmodels(better, worse):
    expected = mcnemar([[5, better], [worse, 7]], exact=True).pvalue if better + worse else 1.0
    assert mcnemar_p(better, worse) == pytest.approx(min(expected, 1.0))


@pytest.mark.slow
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p):
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_the_clips_needed_are_those_of_the_formula_and_of_a_simulation():
    assert clips_needed(0.009, 0.1) == pytest.approx(9_700, rel=0.01)
    assert clips_needed(0.009, 0.1, 2.0) == pytest.approx(19_400, rel=0.01)
    assert clips_needed(0.0, 0.1) is None
    gain, discordance, rng = 0.06, 0.2, np.random.default_rng(0)
    n = clips_needed(gain, discordance)
    shares = [(discordance + gain) / 2, (discordance - gain) / 2, 1 - discordance]
    counts = rng.multinomial(n, shares, 2000)
    z = (counts[:, 0] - counts[:, 1]) / np.sqrt(counts[:, 0] + counts[:, 1])
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.03)


def test_sources_whose_clips_agree_have_their_size_as_design_effect():
    values = np.random.default_rng(0).normal(size=500)
    alone, together = np.arange(500), np.repeat(np.arange(500), 4)
    assert design_effect(values, Clusters.of(alone)) == pytest.approx(1, abs=0.01)
    found = design_effect(np.repeat(values, 4), Clusters.of(together))
    assert found == pytest.approx(4, abs=0.05)
    assert design_effect(values, Clusters.of(np.zeros(500))) is None


@given(seed=SEEDS)
def test_a_comparison_turned_round_has_the_opposite_gain_and_the_same_p(seed):
    rng = np.random.default_rng(seed)
    first, second = (rng.random((2, 150)) < 0.6).astype(float)
    sources = rng.integers(0, 50, 150)
    one, other = compared(first, second, sources), compared(second, first, sources)
    assert one.gain.estimate == pytest.approx(-other.gain.estimate)
    assert (one.p_value, one.p_mcnemar) == (other.p_value, other.p_mcnemar)
    assert (one.better, one.worse) == (other.worse, other.better)
    assert one.clips_needed == other.clips_needed


def test_identical_models_gain_nothing():
    hits = (np.random.default_rng(0).random(150) < 0.6).astype(float)
    found = compared(hits, hits, np.repeat(np.arange(50), 3))
    assert (found.gain.estimate, found.gain.low, found.gain.high) == (0, 0, 0)
    assert (found.p_value, found.p_mcnemar, found.clips_needed) == (1, 1, None)
    assert not found.is_distinguishable
    assert "0.0 points, 95 % interval 0.0 to 0.0" in found.sentence


def test_a_small_gain_is_put_into_words():
    # 82 better and 68 worse of 1,530, as in the literature's first study of fusion.
    first, second = np.ones(1530), np.ones(1530)
    second[:82], first[82:150] = 0, 0
    sources = np.random.default_rng(0).permutation(1530) // 2
    found = compared(first, second, sources)
    assert found.sentence.startswith("new against old: +0.9 points, 95 % interval −")
    assert (
        "1,530 clips of 765 source videos: not distinguishable from none (p = 0." in found.sentence
    )
    assert found.sentence.endswith(
        "clips would tell. For these trained models: how training varies from seed to seed is not "
        "in it."
    )
    assert 8_000 < found.clips_needed < 15_000


def test_a_large_gain_is_told_apart_by_both_tests():
    rng = np.random.default_rng(0)
    first, second = (rng.random((2, 300)) < [[0.8], [0.4]]).astype(float)
    found = compared(first, second, np.repeat(np.arange(100), 3))
    assert found.is_distinguishable
    assert max(found.p_value, found.p_mcnemar) < 0.01
    assert "points, 95 % interval +" in found.sentence
    assert "distinguishable from none (p < 0.001)." in found.sentence
    assert "would tell" not in found.sentence


def test_too_few_sources_are_said_in_the_sentence():
    found = compared(np.ones(20), np.zeros(20), np.repeat(np.arange(5), 4))
    assert "no interval (5 source videos are too few" in found.sentence
    assert found.p_value == 2 / 2**5


def test_more_comparisons_ask_for_more_evidence():
    rng = np.random.default_rng(1)
    hits = {
        name: (rng.random(200) < share).astype(float)
        for name, share in {"a": 0.7, "b": 0.55, "c": 0.5}.items()
    }
    sources = np.repeat(np.arange(50), 4)
    alone = compare_models(hits, [("a", "b")], sources, draws=2000, seed=1)[0]
    among = compare_models(hits, [("a", "b"), ("a", "c"), ("b", "c")], sources, draws=2000, seed=1)
    assert among[0].p_value == alone.p_value == alone.p_holm
    assert among[0].p_holm > alone.p_holm
    assert [found.p_holm for found in among] == holm([found.p_value for found in among])
    assert compare_models(hits, [], sources, draws=2000, seed=1) == []
