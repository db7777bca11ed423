from itertools import permutations, product

import numpy as np
import pytest

from hmdb_kedro.evaluation.control import shuffled_label_controls


def shuffled_label_control(probabilities, labels, sources, **options):
    return shuffled_label_controls({"one": probabilities}, labels, sources, **options)["one"]


def certain(labels, n_classes):
    return np.eye(n_classes)[labels]


def test_the_drawings_are_those_of_sources_that_change_their_labels():
    """Against all orders of four sources and of their two clips, by brute force."""
    labels = np.array([0, 0, 1, 2, 1, 1, 2, 0])
    sources = np.array(list("aabbccdd"))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(3), size=8)
    predicted = probabilities.argmax(axis=1)
    blocks = labels.reshape(4, 2)
    every = [
        (np.concatenate([blocks[i][:: 1 - 2 * flip] for i, flip in zip(order, flips, strict=True)]))
        for order in permutations(range(4))
        for flips in product((0, 1), repeat=4)
    ]
    every = [(shuffled == predicted).mean() for shuffled in every]
    found = shuffled_label_control(probabilities, labels, sources, draws=4000, seed=1)
    assert found.top1 == (labels == predicted).mean()
    assert found.mean == pytest.approx(np.mean(every), abs=0.01)
    as_good = np.mean([accuracy >= found.top1 for accuracy in every])
    assert found.p_value == pytest.approx(as_good, abs=0.03)


def test_what_is_learnt_is_above_and_what_is_guessed_is_not():
    sources = np.arange(90) // 3
    labels = np.random.default_rng(1).permutation(np.arange(90) % 6)
    learnt = shuffled_label_control(certain(labels, 6), labels, sources, draws=500, seed=1)
    assert learnt.top1 == 1
    assert learnt.mean == pytest.approx(1 / 6, abs=0.02)
    assert learnt.is_above
    guesses = np.random.default_rng(2).permutation(labels)
    guessed = shuffled_label_control(certain(guesses, 6), labels, sources, draws=500, seed=1)
    assert guessed.low <= guessed.top1 <= guessed.high
    assert not guessed.is_above


def test_sources_that_all_show_every_class_in_one_order_are_shuffled_too():
    labels, sources = np.arange(60) % 4, np.arange(60) // 4
    found = shuffled_label_control(certain(labels, 4), labels, sources, draws=500, seed=1)
    assert found.mean == pytest.approx(1 / 4, abs=0.02)
    assert found.is_above


def test_the_order_of_clips_plays_no_part():
    labels, sources = np.arange(60) % 4, np.arange(60) // 5
    probabilities = np.random.default_rng(3).dirichlet(np.ones(4), size=60)
    found = shuffled_label_control(probabilities, labels, sources, draws=200, seed=1)
    order = np.argsort(sources % 7, kind="stable")
    again = shuffled_label_control(
        probabilities[order], labels[order], sources[order], draws=200, seed=1
    )
    assert again == found


def test_clips_of_one_source_spread_more_than_clips_of_their_own():
    """Where a source has one label, three clips of a source are right or wrong together."""
    labels = np.repeat(np.arange(20) % 4, 3)
    together = shuffled_label_control(
        certain(labels, 4), labels, np.arange(60) // 3, draws=1000, seed=1
    )
    alone = shuffled_label_control(certain(labels, 4), labels, np.arange(60), draws=1000, seed=1)
    assert together.high - together.low > 1.4 * (alone.high - alone.low)


def test_models_are_held_to_the_same_drawings():
    labels, sources = np.arange(60) % 4, np.arange(60) // 5
    first, second = np.random.default_rng(3).dirichlet(np.ones(4), size=(2, 60))
    both = shuffled_label_controls(
        {"first": first, "second": second}, labels, sources, draws=200, seed=1
    )
    for name, probabilities in (("first", first), ("second", second)):
        alone = shuffled_label_control(probabilities, labels, sources, draws=200, seed=1)
        assert both[name] == alone
