"""Lesson 40: the variance tracker of SynAlign, its baselines, coverage, and labels."""

import logging
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from bench_exploration import sklearn_select
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg.lapack import dpstrf
from sklearn.metrics.pairwise import rbf_kernel

from synthkit.core.intervals import paired_interval
from synthkit.embed.encoders import TfidfEmbedder
from synthkit.studies.synalign.coverage import coverage, nearest_pick
from synthkit.synalign.checks import checked_vectors
from synthkit.synalign.exploration import (
    GPTracker,
    explore,
    gp_select,
    k_centre_select,
    median_distance,
    medoid_select,
    quotas,
    random_select,
)
from synthkit.worlds import load_world

SELECTORS = {
    "gp": lambda vectors, k, seed=0: gp_select(vectors, k, seed=seed).picks,
    "random": random_select,
    "k_centre": k_centre_select,
    "medoids": medoid_select,
}
every_selector = pytest.mark.parametrize("way", SELECTORS.values(), ids=SELECTORS)


def cloud(n, d=5, seed=0, groups=6):
    """A mixture of unequal groups, (n, d)."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.normal(size=(groups, d))
    shares = np.arange(1, groups + 1) / (groups * (groups + 1) / 2)
    return centres[rng.choice(groups, n, p=shares)] + rng.normal(size=(n, d))


def review_vectors(n, seed):
    rows = load_world("reviews").rows(n, seed)
    encoder = TfidfEmbedder().fit([row["text"] for row in rows])
    return encoder, encoder([row["text"] for row in rows]), rows


@pytest.fixture(scope="module")
def reviews():
    return review_vectors(300, 0)[1]


def gram(X, length, noise=1e-6):
    """K + τ²I."""
    return rbf_kernel(X, X, 1 / (2 * length**2)) + noise * np.eye(len(X))


# --- the length scale -----------------------------------------------------------------------------


def test_median_distance_is_the_median_of_all_pairs():
    from scipy.spatial.distance import pdist

    X = cloud(90)
    assert median_distance(X) == pytest.approx(np.median(pdist(X)), rel=1e-9)


def test_copies_do_not_count_as_a_distance_and_a_sample_of_rows_is_enough():
    X = np.repeat([[0.0, 0.0], [3.0, 4.0]], [9, 1], axis=0)
    assert median_distance(X) == pytest.approx(5) == median_distance(X + 1e6)
    X = cloud(1500)
    sampled = [median_distance(X, most=400, seed=1) for _ in range(2)]
    assert sampled[0] == sampled[1] == pytest.approx(median_distance(X), rel=0.1)


@pytest.mark.parametrize("vectors", [np.ones((5, 3)), np.zeros((2, 1)), [[7.0, 1e8]]])
def test_no_distance_no_length(vectors):
    with pytest.raises(ValueError, match=f"all {len(vectors)} vectors are the same"):
        median_distance(vectors)


# --- the variance ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.integers(0, 19), min_size=1, max_size=30),
    st.floats(0.2, 20),
    st.sampled_from([1e-6, 1e-2, 1.0]),
)
def test_tracker_equals_the_formula_even_when_a_text_is_seen_twice(seed, seen, length, noise):
    X = cloud(20, seed=seed)
    tracker = GPTracker(X, length, noise)
    before = tracker.variance
    for i in seen:
        tracker.observe(i)
        assert (tracker.variance <= before + 1e-12).all() and (tracker.variance >= 0).all()
        before = tracker.variance
    assert tracker.seen == seen
    cross = rbf_kernel(X[seen], X, 1 / (2 * length**2))
    expected = 1 - (cross * np.linalg.solve(gram(X[seen], length, noise), cross)).sum(0)
    np.testing.assert_allclose(tracker.variance, expected, atol=1e-7)


# --- the two oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "options"), [(0, {}), (1, {}), (3, {"neighbours": 3, "noise": 1e-4}), (None, {})]
)
def test_picks_are_those_of_scikit_learn(seed, options, reviews):
    X = reviews if seed is None else cloud(200, 8, seed)
    ours = gp_select(X, 30, first=0, **options)
    assert ours.length == median_distance(X)
    np.testing.assert_array_equal(ours.picks, sklearn_select(X, 30, ours.length, **options))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_picks_are_the_pivots_of_lapack_and_add_up_to_the_determinant(seed):
    X = cloud(200, 8, seed)
    ours = gp_select(X, 50, first=0)
    factor, pivots, _, _ = dpstrf(gram(X, ours.length), lower=1)
    np.testing.assert_array_equal(ours.picks, pivots[:50] - 1)
    np.testing.assert_allclose(factor.diagonal()[:50] ** 2, ours.variance + 1e-6, rtol=1e-6)
    logdet = np.linalg.slogdet(gram(X[ours.picks], ours.length))[1]
    assert np.log(ours.variance + 1e-6).sum() == pytest.approx(logdet)


# --- the loop -------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["gp", "k_centre"])
def test_a_list_can_be_continued_and_the_seed_draws_its_first_pick_only(way):
    X = cloud(80)
    ways = {"gp": lambda k, **o: gp_select(X, k, 2.0, **o).picks,
            "k_centre": lambda k, **o: k_centre_select(X, k, **o)}  # fmt: skip
    whole = ways[way](30, seed=3)
    np.testing.assert_array_equal(ways[way](18, covered=whole[:12], seed=9), whole[12:])
    assert len({ways[way](1, seed=seed)[0] for seed in range(20)}) > 5


def test_all_candidates_can_be_picked():
    X = cloud(25)
    for neighbours in (1, 2, 60):
        found = gp_select(X, 25, neighbours=neighbours)
        assert sorted(found.picks.tolist()) == list(range(25))


def test_a_neighbour_is_marked_as_seen():
    X = np.array([[0.0], [0.1], [5.0], [5.3], [20.0]])
    found = gp_select(X, 4, 0.2, first=0, neighbours=2)
    # 2 and 3 mark each other, so that 1 and the other of them come last
    assert found.picks[0] == 0 and set(found.picks[1:3].tolist()) in ({2, 4}, {3, 4})
    assert found.variance[3] < 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-50, 50))
def test_picks_do_not_depend_on_scale_place_or_rotation(seed, scale, shift):
    X = cloud(40, 4, seed)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    plain = gp_select(X, 12, first=0).picks
    moved = gp_select(scale * (X @ turn) + scale * shift, 12, first=0).picks
    np.testing.assert_array_equal(plain, moved)


def test_copies_are_picked_last():
    found = gp_select(np.repeat(cloud(10), 5, axis=0), 20, ties="first")
    assert {i // 5 for i in found.picks[:10]} == set(range(10))
    assert found.variance[9] > 100 * found.variance[10]


# --- the published setting ------------------------------------------------------------------------


def test_the_published_length_returns_the_order_of_the_file(reviews, caplog):
    with caplog.at_level(logging.WARNING):
        found = gp_select(reviews, 30, 0.1, noise=1e-10, first=200, ties="first")
    library = sklearn_select(reviews, 30, 0.1, first=200, noise=1e-10)
    assert len(set(found.picks) & set(library)) >= 28  # up to the last bit of a variance near 1
    assert found.tie_share > 0.9 and "tie for the largest variance" in caplog.text
    rest = found.picks[1:]
    assert (np.diff(rest) > 0).all() and rest[-1] < 60
    by_chance = [gp_select(reviews, 30, 0.1).picks for _ in range(2)]
    assert (np.diff(by_chance[0][1:]) < 0).any() and np.array_equal(*by_chance)


def test_the_median_leaves_no_ties(reviews, caplog):
    with caplog.at_level(logging.WARNING):
        found = gp_select(reviews, 60)
    assert found.tie_share < 0.01 and not caplog.text
    assert np.isnan(found.ties[0]) and np.isfinite(found.ties[1:]).all()
    assert gp_select(reviews, 1).tie_share == 0


# --- the baselines --------------------------------------------------------------------------------


@every_selector
def test_every_rule_gives_k_different_candidates_and_repeats(way):
    X = cloud(60)
    for k in (1, 7, 60):
        picks = way(X, k, seed=3)
        assert len(set(picks.tolist())) == k and picks.min() >= 0 and picks.max() < 60
        np.testing.assert_array_equal(picks, way(X, k, seed=3))


@every_selector
def test_every_rule_takes_copies_and_one_candidate(way):
    assert way(np.ones((1, 3)), 1).tolist() == [0]
    X = np.repeat(cloud(4), 3, axis=0)
    assert len(set(way(X, 9).tolist())) == 9


@every_selector
@pytest.mark.parametrize(
    ("vectors", "k", "words"),
    [
        (np.ones((5, 2)), 0, "asked for 0 picks of 5 candidates"),
        (np.ones((5, 2)), 6, "asked for 6 picks of 5 candidates"),
        ([[1.0, np.nan], [0.0, 1.0]], 1, "1 of 2 vectors are not finite, the first is row 0"),
        ([1.0, 2.0], 1, r"shape \(n, d\)"),
        (np.empty((3, 0)), 1, r"got \(3, 0\)"),
    ],
)
def test_every_rule_refuses_bad_vectors_and_counts(way, vectors, k, words):
    with pytest.raises(ValueError, match=words):
        way(vectors, k)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4))
def test_k_centre_is_within_twice_the_best(seed, k):
    X = cloud(9, 2, seed)
    radius = nearest_pick(X, X[k_centre_select(X, k, seed=seed)]).max()
    best = min(nearest_pick(X, X[list(c)]).max() for c in combinations(range(9), k))
    assert radius <= 2 * best + 1e-9


def test_medoids_are_in_the_middle_of_groups_apart():
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [50, 0], [0, 50]])
    X = np.concatenate([middles[i] + rng.normal(size=(n, 2)) for i, n in enumerate((30, 20, 10))])
    X = np.vstack([X, middles])
    assert medoid_select(X, 3).tolist() == [
        int(group[((X[group] - X[group].mean(axis=0)) ** 2).sum(axis=1).argmin()])
        for group in ([*range(30), 60], [*range(30, 50), 61], [*range(50, 60), 62])
    ]


# --- coverage -------------------------------------------------------------------------------------


def test_coverage_by_hand():
    line = np.array([[0.0], [1.0], [4.0]])
    assert nearest_pick(line, line[[0]]).tolist() == [0, 1, 4]
    found = coverage(line, [0])
    assert found["mean distance"] == pytest.approx(5 / 3)
    assert found["largest distance"] == 4 and 1 < found["95th percentile"] < 4
    assert coverage(line, [0, 2], others=[[3.0]])["mean distance"] == 1
    assert max(coverage(line, range(3)).values()) == 0
    with pytest.raises(ValueError, match="numbered 0 to 2"):
        coverage(line, [3])
    with pytest.raises(ValueError, match=r"1 columns .* 2: .*same encoder"):
        coverage(line, [0], others=[[3.0, 1.0]])


def test_the_tracker_covers_more_than_chance():
    """The bar: distances to the nearest pick below those of random choice, interval without 0."""
    found = {"gp": [], "random": []}
    for seed in range(8):
        encoder, X, _ = review_vectors(400, seed)
        fresh = encoder([row["text"] for row in load_world("reviews").rows(400, seed + 1000)])
        for name, seen in found.items():
            picks = SELECTORS[name](X, 40, seed=seed)
            seen.append(list(coverage(X, picks, fresh).values()))
    for measure in range(3):
        gap = paired_interval(
            [each[measure] for each in found["gp"]], [each[measure] for each in found["random"]]
        )
        assert gap.high < 0, (measure, gap)


# --- labels ---------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=40),
    st.sampled_from(["average", "proportion"]),
    st.data(),
)
def test_quotas_add_up_and_never_exceed_a_label(labels, split, data):
    sizes = Counter(labels)
    n = data.draw(st.integers(len(sizes), len(labels)))
    given_ = quotas(labels, n, split)
    assert sum(given_.values()) == n and given_.keys() == sizes.keys()
    assert all(1 <= given_[label] <= sizes[label] for label in sizes)
    if split == "average":
        short = [k for label, k in given_.items() if k < sizes[label]]
        assert not short or max(given_.values()) - min(short) <= 1


def test_quotas_by_frequency():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    assert quotas(labels, 10, "proportion") == {"a": 6, "b": 3, "c": 1}
    assert quotas(labels, 9) == {"a": 3, "b": 3, "c": 3}
    assert quotas(labels, 50) == {"a": 20, "b": 20, "c": 10}


@pytest.mark.parametrize("method", SELECTORS)
def test_explore_serves_each_label_from_its_own_texts_in_turn(method):
    X, labels = cloud(60), ["x", "y", "z"] * 20
    plan = explore(X, 12, labels, method=method, seed=1)
    chosen = [labels[i] for i in plan.picks]
    assert Counter(chosen) == {"x": 4, "y": 4, "z": 4} and len(set(plan.picks.tolist())) == 12
    assert all(set(chosen[i : i + 3]) == {"x", "y", "z"} for i in range(0, 12, 3))
    assert plan.by_chance == () and plan.tie_share.keys() == {"x", "y", "z"}
    again = explore(X, 12, labels, method=method, seed=1)
    np.testing.assert_array_equal(plan.picks, again.picks)


# --- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, words",
    [
        ({"length": 0.0}, "length must be a positive number, got 0.0"),
        ({"length": np.nan}, "length must be a positive number"),
        ({"noise": 0.0}, "noise must be a positive number"),
        ({"neighbours": 0}, "neighbours counts the pick itself"),
        ({"ties": "last"}, "got 'last'"),
        ({"first": 5}, "first holds 5"),
        ({"first": -1}, "first holds -1"),
        ({"covered": [7]}, "covered holds 7"),
        ({"covered": [1], "first": 1}, "among the covered"),
        ({"covered": [0, 1, 2, 3]}, "asked for 2 picks of 1 candidates"),
    ],
)
def test_impossible_settings_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        gp_select(cloud(5), 2, **options)


# --- labels that are odd, and bad input -----------------------------------------------------------


@pytest.mark.parametrize("equal", [np.ones((20, 5)), 0.1 + 1e-16 * cloud(20)])
def test_a_label_of_equal_texts_is_served_by_chance_and_named(equal):
    plan = explore(np.vstack([cloud(20), equal]), 10, ["a"] * 20 + ["b"] * 20)
    assert plan.by_chance == ("b",) and (plan.picks >= 20).sum() == 5


@pytest.mark.parametrize(
    ("n", "labels", "options", "words"),
    [
        (3, ["a"] * 4, {}, "5 vectors have 4 labels"),
        (9, None, {}, "9 picks of 5 candidates"),
        (1, list("aabbb"), {}, "1 picks cannot serve 2 labels"),
        (2, None, {"split": "even"}, "got 'even'"),
        (2, None, {"method": "kmeans"}, "got 'kmeans'"),
        (2, None, {"length": -1.0}, "length must be a positive number"),
    ],
)
def test_explore_refuses(n, labels, options, words):
    with pytest.raises(ValueError, match=words):
        explore(cloud(5), n, labels, **options)


def test_one_candidate_is_picked_and_the_caller_s_array_is_left_alone():
    found = gp_select([[0.5, 0.5]], 1)
    assert found.picks.tolist() == [0] and found.variance.tolist() == [1]
    X = cloud(6).astype(np.float32)
    before = X.copy()
    gp_select(X, 3)
    np.testing.assert_array_equal(X, before)
    assert checked_vectors(X).dtype == np.float64
