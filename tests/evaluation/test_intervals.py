import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from hmdb_kedro.evaluation.clusters import Clusters
from hmdb_kedro.evaluation.intervals import mean_intervals, share_intervals

SEEDS = st.integers(0, 1000)


def drawn_sources(n_sources, seed=0):
    """Sources of one to about six clips."""
    sizes = 1 + np.random.default_rng(seed).poisson(2, n_sources)
    return np.repeat(np.arange(n_sources), sizes)


def drawn_differences(sources, n, rng, gain, discordance):
    """Differences of -1, 0 or 1 a clip, n times; three in ten follow their source."""
    better = (discordance + gain) / 2

    def draw(rows):
        u = rng.random((rows, n))
        return np.where(u < better, 1.0, np.where(u < discordance, -1.0, 0.0))

    of_source = draw(sources.max() + 1)[sources]
    return np.where(rng.random(of_source.shape) < 0.3, of_source, draw(len(sources)))


def drawn_hits(sources, n, rng, accuracy):
    of_source = (rng.random((sources.max() + 1, n)) < accuracy)[sources]
    follows = rng.random(of_source.shape) < 0.4
    return np.where(follows, of_source, rng.random(of_source.shape) < accuracy).astype(float)


def coverage(n_sources, simulations, make, truth):
    """How often the intervals of simulated sets hold the truth; a tenth share their sources."""
    held = []
    for seed in range(10):
        sources, rng = drawn_sources(n_sources, seed), np.random.default_rng(seed)
        intervals = make(sources, simulations // 10, rng)
        held += [interval.low <= truth <= interval.high for interval in intervals]
    return np.mean(held)


def gain_coverage(n_sources, simulations, gain, discordance):
    def make(sources, n, rng):
        values = drawn_differences(sources, n, rng, gain, discordance)
        return mean_intervals(values, Clusters.of(sources), draws=1000, seed=1)

    return coverage(n_sources, simulations, make, gain)


def share_coverage(n_sources, simulations, accuracy):
    def make(sources, n, rng):
        return share_intervals(drawn_hits(sources, n, rng, accuracy), Clusters.of(sources))

    return coverage(n_sources, simulations, make, accuracy)


@pytest.mark.parametrize("n_sources", [10, 20, 40, 100])
def test_the_interval_of_a_gain_holds_the_truth_as_often_as_it_says(n_sources):
    assert 0.93 <= gain_coverage(n_sources, 1000, gain=0.1, discordance=0.5) <= 0.97


@pytest.mark.extended
@pytest.mark.parametrize("n_sources", [10, 20, 40, 100])
@pytest.mark.parametrize(("gain", "discordance"), [(0.0, 0.3), (0.1, 0.5), (0.5, 0.6)])
def test_so_it_does_for_small_and_large_gains(n_sources, gain, discordance):
    assert 0.93 <= gain_coverage(n_sources, 10_000, gain, discordance) <= 0.97


@pytest.mark.parametrize("n_sources", [40, 100])
def test_the_interval_of_an_accuracy_holds_the_truth_as_often_as_it_says(n_sources):
    assert 0.93 <= share_coverage(n_sources, 2000, 0.6) <= 0.97


@pytest.mark.extended
@pytest.mark.parametrize("n_sources", [10, 20, 40, 100])
@pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.97])
def test_few_sources_widen_the_interval_of_an_accuracy_rather_than_narrow_it(n_sources, accuracy):
    found = share_coverage(n_sources, 10_000, accuracy)
    assert 0.93 <= found <= (0.985 if n_sources < 36 else 0.98)


@given(seed=SEEDS, n_sources=st.integers(8, 35), clips=st.integers(1, 4))
def test_with_sources_of_one_size_it_is_the_t_interval_of_their_means(seed, n_sources, clips):
    values = np.random.default_rng(seed).normal(size=(n_sources, clips))
    sources = np.repeat(np.arange(n_sources), clips)
    (found,) = mean_intervals(values.reshape(-1, 1), Clusters.of(sources), draws=1000, seed=0)
    expected = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.method, found.n_sources) == ("t", n_sources)


def test_with_many_sources_of_one_clip_it_is_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=400)
    (found,) = mean_intervals(values[:, None], Clusters.of(np.arange(400)), draws=20_000, seed=0)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    width = expected.high - expected.low
    assert found.method == "bootstrap"
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.05 * width)


def test_the_same_clips_again_are_no_new_evidence():
    rng = np.random.default_rng(0)
    sources, values = np.repeat(np.arange(60), 3), rng.normal(size=180)
    once, twice = (
        mean_intervals(
            np.tile(values, n)[:, None], Clusters.of(np.tile(sources, n)), draws=2000, seed=0
        )[0]
        for n in (1, 2)
    )
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_below_eight_sources_there_is_no_interval_and_it_says_why():
    clusters = Clusters.of(np.repeat(np.arange(7), 5))
    for found in (
        *mean_intervals(np.ones((35, 1)), clusters, draws=1000, seed=0),
        *share_intervals(np.ones((35, 1)), clusters),
    ):
        assert (found.estimate, found.low, found.high, found.method) == (1, None, None, None)
        assert "7 source videos are too few for an interval; 8 are needed" in found.reason


def test_independent_clips_have_wilsons_interval():
    hits = np.repeat([1.0, 0.0], [700, 300])
    (found,) = share_intervals(hits[:, None], Clusters.of(np.arange(1000)))
    low, high = proportion_confint(700, 1000, method="wilson")
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-4)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_all_clips_agree_the_interval_stays_open(value):
    hits = np.full((120, 1), value)
    (alone,) = share_intervals(hits, Clusters.of(np.arange(120)))
    (shared,) = share_intervals(hits, Clusters.of(np.repeat(np.arange(40), 3)))
    assert 0.02 < abs(value - (alone.low if value else alone.high)) < 0.05
    assert 0.06 < abs(value - (shared.low if value else shared.high)) < 0.12


@given(seed=SEEDS)
def test_clips_that_agree_within_a_source_widen_the_interval(seed):
    rng = np.random.default_rng(seed)
    hits = (rng.random(40) < 0.6).astype(float)
    (few,) = share_intervals(np.repeat(hits, 5)[:, None], Clusters.of(np.repeat(np.arange(40), 5)))
    (one,) = share_intervals(hits[:, None], Clusters.of(np.arange(40)))
    assert few.high - few.low == pytest.approx(one.high - one.low, rel=0.03)
    assert 0 <= few.low <= few.estimate <= few.high <= 1


@given(seed=SEEDS)
def test_the_order_of_clips_and_the_names_of_sources_play_no_part(seed):
    rng = np.random.default_rng(seed)
    sources, values = drawn_sources(20, seed), rng.normal(size=(len(drawn_sources(20, seed)), 2))
    order = rng.permutation(len(sources))
    clusters, moved = (
        Clusters.of(sources),
        Clusters.of(np.array([f"s{s:03}" for s in sources])[order]),
    )
    assert moved.sums(values[order]) == pytest.approx(clusters.sums(values))
    for one, other in zip(
        mean_intervals(values, clusters, draws=1000, seed=0),
        mean_intervals(values[order], moved, draws=1000, seed=0),
        strict=True,
    ):
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_a_column_among_some_clips_is_as_if_there_were_no_others():
    rng = np.random.default_rng(0)
    sources, values = np.repeat(np.arange(90), 3), rng.normal(size=(270, 1))
    hits = (values > 0).astype(float)
    for last in (20, 60):  # t, bootstrap
        among = sources < last
        (few,) = mean_intervals(
            values, Clusters.of(sources), draws=5000, seed=0, among=among[:, None]
        )
        (alone,) = mean_intervals(values[among], Clusters.of(sources[among]), draws=5000, seed=0)
        assert (few.n_clips, few.n_sources) == (3 * last, last)
        assert few.estimate == pytest.approx(alone.estimate)
        assert (few.low, few.high) == pytest.approx((alone.low, alone.high), abs=0.02)
        (part,) = share_intervals(hits, Clusters.of(sources), among[:, None])
        (whole,) = share_intervals(hits[among], Clusters.of(sources[among]))
        assert (part.low, part.high) == pytest.approx((whole.low, whole.high))
