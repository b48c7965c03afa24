"""Partitions of a training set: BM25+, selection of queries, cuts of many kinds, small parts."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from synthkit.spa.bm25 import bm25_scores
from synthkit.spa.partition import (
    NEEDS,
    RULES,
    Partition,
    agreement,
    assign,
    cluster_rows,
    drop_parts,
    fill_parts,
    make_partition,
    normalise,
    parts_without_scores,
    select_queries,
)

# --- BM25+ ----------------------------------------------------------------------------------------

DOCUMENTS = [
    "the red house near the river",
    "a blue car and a red car",
    "blue river",
    "the the the house of the red king",
    "nothing here is alike",
]
ASKED = ["red house", "the red red river", "unknown words blue", "car house unknown"]
# By BM25Plus of rank-bm25 0.2.2 on text.split().
STORED = [
    [3.4981970589690596, 2.403359922663301, 1.791759469228055, 3.2644384850319366],
    [7.465423994873602, 4.806719845326602, 5.116466317993007, 6.541331714951938],
    [1.0986122886681098, 2.06797607278703, 2.631559668205007, 1.0986122886681098],
    [3.9366691756753167, 5.227449326454497, 2.8903717578961645, 3.7933407622809128],
]
STORED_LAST = [1.791759469228055, 3.58351893845611, 1.0986122886681098, 2.8903717578961645]


def test_bm25_equals_the_package_of_the_paper():
    found = bm25_scores(ASKED, DOCUMENTS, tokenise=str.split)
    assert found.shape == (4, 5) and found.dtype == np.float64
    np.testing.assert_allclose(found[:, :4], STORED, rtol=1e-12)
    np.testing.assert_allclose(found[:, 4], STORED_LAST, rtol=1e-12)


@pytest.mark.parametrize(
    ("queries", "documents", "options", "error", "words"),
    [
        ([], DOCUMENTS, {}, ValueError, "no rows"),
        (ASKED, ["", " "], {}, ValueError, "2 documents has a word"),
        ("red house", DOCUMENTS, {}, TypeError, "not one string"),
        ([{"label": "x"}], DOCUMENTS, {}, ValueError, "label"),
        (ASKED, DOCUMENTS, {"k1": -1.0}, ValueError, "k1=-1.0"),
        (ASKED, DOCUMENTS, {"delta": float("nan")}, ValueError, "delta=nan"),
    ],
)
def test_bm25_says_what_is_wrong(queries, documents, options, error, words):
    with pytest.raises(error, match=words):
        bm25_scores(queries, documents, **options)


# --- scores ---------------------------------------------------------------------------------------

LOUD = np.array(  # two loud queries that are alike, and a quiet one that likes other rows
    [
        [9.0, 8.0, 9.5, 3.0, 2.0, 2.5],
        [8.5, 9.0, 9.0, 2.5, 2.0, 3.5],
        [0.2, 0.3, 0.1, 0.9, 1.0, 0.8],
    ]
)


def planted(k=4, n=80, noise=0.2, seed=0):
    """Scores (k, n) of k queries, each liking the rows of its own mode; and the modes (n,)."""
    rng = np.random.default_rng(seed)
    modes = rng.integers(k, size=n)
    return np.eye(k)[:, modes] + noise * rng.normal(size=(k, n)), modes


shapes = st.tuples(st.integers(1, 5), st.integers(3, 9))
numbers = st.integers(-99, 99).map(lambda x: x / 8)
tables = arrays(float, shapes, elements=numbers).filter(lambda t: np.ptp(t, axis=1).min() > 0)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_normalised_queries_are_comparable(table):
    before = table.copy()
    z, rank = normalise(table), normalise(table, "rank")
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-9)
    np.testing.assert_allclose(z.std(1), 1)
    assert rank.min() > 0 and rank.max() < 1
    np.testing.assert_allclose(rank.mean(1), 0.5)
    np.testing.assert_array_equal(normalise(table, "none"), before)
    np.testing.assert_array_equal(table, before)
    for row, ranked, scored in zip(table, rank, z):
        order = np.argsort(row)
        assert (np.diff(ranked[order]) >= 0).all() and (np.diff(scored[order]) >= 0).all()


def test_ranks_share_ties_and_forget_the_shape():
    np.testing.assert_allclose(normalise([[5, 1, 5, 2]], "rank"), [[0.75, 0.125, 0.75, 0.375]])
    scores, _ = planted()
    np.testing.assert_allclose(normalise(scores, "rank"), normalise(np.exp(scores), "rank"))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([1.0, 2.0], r"found \(2,\)"),
        (np.ones((0, 4)), r"found \(0, 4\)"),
        (np.ones((4, 0)), r"found \(4, 0\)"),
        ([[1.0, 2.0, 3.0], [1.0, float("nan"), 2.0]], "1 scores are not finite.*query 1, row 1"),
        ([[1.0, float("inf"), 3.0]], "query 0, row 1: inf"),
        ([[1.0, 2.0], [4.0, 4.0]], "query 1 scores all 2 rows alike.*identical"),
    ],
)
@pytest.mark.parametrize("use", [normalise, assign, lambda s: select_queries(s, 1)])
def test_scores_that_cannot_be_used(scores, words, use):
    with pytest.raises(ValueError, match=words):
        use(scores)


# --- arg-max --------------------------------------------------------------------------------------


def test_the_loud_query_wins_raw_scores_only():
    pair = LOUD[[0, 2]]
    assert assign(pair, "none").tolist() == [0] * 6
    for how in ("z", "rank"):
        assert assign(pair, how).tolist() == [0, 0, 0, 1, 1, 1]


@settings(max_examples=40, deadline=None)
@given(arrays(float, shapes, elements=numbers, unique=True), st.sampled_from(["none", "z"]))
def test_arg_max_is_an_arg_max_and_the_sign_turns_it(table, how):
    values = normalise(table, how)
    gaps = np.sort(values, 0)
    assume(len(table) == 1 or np.diff(gaps, axis=0).min() > 1e-4)
    np.testing.assert_array_equal(assign(table, how), values.argmax(0))
    np.testing.assert_array_equal(assign(table, how, sign=-1), values.argmin(0))


def test_tied_queries_are_an_error_that_names_them():
    scores, _ = planted(k=3)
    twins = scores[[0, 0, 0]]
    with pytest.raises(ValueError, match=r"80 of 80 rows.*queries 0 and 1.*score alike"):
        assign(twins)
    nearly = twins + 1e-9 * np.random.default_rng(0).normal(size=twins.shape)
    with pytest.raises(ValueError, match="no single best query"):
        assign(nearly)


def test_ties_may_be_broken_at_random():
    scores, _ = planted(k=1, n=3000)
    labels = assign(scores[[0, 0, 0]], ties="random", seed=1)
    assert np.bincount(labels, minlength=3).min() > 900
    np.testing.assert_array_equal(labels, assign(scores[[0, 0, 0]], ties="random", seed=1))
    assert (labels != assign(scores[[0, 0, 0]], ties="random", seed=2)).mean() > 0.5


def test_a_few_ties_are_no_error_and_favour_nobody():
    scores, modes = planted(n=400, noise=0.0)
    scores[:, :100] = [[0.5], [0.5], [0.0], [0.0]]
    labels = assign(scores, "none")
    assert set(labels[:100]) == {0, 1} and 20 < labels[:100].sum() < 80
    np.testing.assert_array_equal(labels[100:], modes[100:])


# --- which queries --------------------------------------------------------------------------------


def test_variance_keeps_twins_and_cover_does_not():
    assert select_queries(LOUD, 2, "variance").tolist() == [0, 1]
    assert select_queries(LOUD, 2, "cover").tolist() in ([0, 2], [1, 2])
    assert select_queries(LOUD, 2).tolist() == select_queries(LOUD, 2, "cover").tolist()


def farthest_first(scores, k):
    chosen = [int(np.argmax([np.var(row) for row in scores]))]
    while len(chosen) < k:
        rest = [i for i in range(len(scores)) if i not in chosen]
        near = {i: max(np.corrcoef(scores[i], scores[j])[0, 1] for j in chosen) for i in rest}
        chosen.append(min(rest, key=near.get))
    return sorted(chosen)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 7), st.integers(0, 10_000))
def test_selection_equals_its_definition(k, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(7, 12)) * rng.uniform(0.1, 3, size=(7, 1))
    assert select_queries(scores, k, "cover").tolist() == farthest_first(scores, k)
    by_variance = sorted(sorted(range(7), key=lambda i: -np.var(scores[i]))[:k])
    assert select_queries(scores, k, "variance").tolist() == by_variance
    if k < 7:
        assert set(select_queries(scores, k)) < set(select_queries(scores, k + 1))


# --- other cuts -----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 5))
def test_cheap_parts_are_balanced(n, k, seed):
    for rule in ("random", "contiguous"):
        labels = parts_without_scores(rule, n, k, seed=seed)
        assert labels.shape == (n,) and labels.min() >= 0 and labels.max() < k
        assert np.ptp(np.bincount(labels, minlength=k)) <= 1
    assert (np.diff(labels) >= 0).all(), "slices"


# --- the value ------------------------------------------------------------------------------------


def test_a_partition_tells_its_sizes():
    p = Partition([0, 2, 0, 1, 0, 2, 0, 1], 3, "influence", keys=(4, 0, 9), notes=["moved"])
    assert p.sizes.tolist() == [4, 2, 2] and p.largest_share == 0.5
    assert p.effective_parts == pytest.approx(2**1.5)
    assert p.rows(2).tolist() == [1, 5] and p.keys == (4, 0, 9) and p.notes == ("moved",)
    assert Partition([0, 0], 1, "random").effective_parts == pytest.approx(1)
    empty = Partition([0, 0, 1, 1], 3, "bm25")
    assert empty.sizes.tolist() == [2, 2, 0] and empty.effective_parts == pytest.approx(2)
    assert empty.keys == (0, 1, 2) and empty.rows(2).tolist() == []


def test_every_part_of_the_same_data_is_all_of_it():
    p = make_partition("same data", 3, n=5)
    assert p.sizes.tolist() == [5, 5, 5] and p.largest_share == 1.0
    assert [p.rows(part).tolist() for part in range(3)] == [[0, 1, 2, 3, 4]] * 3
    assert p.effective_parts == pytest.approx(3) and agreement(p, [0, 1, 0, 1, 1]) == 0


@pytest.mark.parametrize(
    ("labels", "n_parts"),
    [([0.0, 1.0], 2), ([[0, 1]], 2), ([0, 2], 2), ([-1, 0], 2), ([], 2), (["a"], 1), ([0], 0)],
)
def test_bad_labels(labels, n_parts):
    with pytest.raises(ValueError, match="one whole number a row, from 0 to"):
        Partition(labels, n_parts, "oracle")


# --- parts that are too small ---------------------------------------------------------------------


def test_fill_by_hand():
    liking = np.array([[5, 4, 4, 3, 1, 0], [0, 1, 2, 1, 5, 4], [1, 3, 1, 0, 4, 2]])
    labels, notes = fill_parts(liking.argmax(0), liking, 1)
    assert labels.tolist() == [0, 0, 0, 0, 2, 1]
    assert notes == ["part 2 had 0 rows and was given 1"]
    labels, notes = fill_parts(liking.argmax(0), liking, 2)
    assert labels.tolist() == [2, 2, 0, 0, 1, 1]  # part 1 cannot spare rows 4 and 5


def test_drop_by_hand():
    liking = np.array([[5, 4, 4, 3, 1, 0], [0, 1, 2, 1, 5, 4], [1, 3, 1, 0, 4, 6]])
    labels, alive, notes = drop_parts(liking.argmax(0), liking, 2)
    # parts 1 and 2 have one row each: 1 goes first, and its row makes 2 large enough
    assert labels.tolist() == [0, 0, 0, 0, 1, 1] and alive.tolist() == [0, 2]
    assert notes == ["part 1 had 1 rows and was dropped"]


cases = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 20), st.integers(0, 10**6))


@settings(max_examples=80, deadline=None)
@given(cases)
def test_filling_moves_no_more_than_it_must(case):
    k, min_size, more, seed = case
    n = k * min_size + more
    liking = np.random.default_rng(seed).normal(size=(k, n)) * np.arange(1, k + 1)[:, None]
    start = liking.argmax(0)
    labels, notes = fill_parts(start, liking, min_size)
    before, after = (np.bincount(each, minlength=k) for each in (start, labels))
    missing = np.maximum(min_size - before, 0)
    assert after.min() >= min_size and after.sum() == n
    assert (labels != start).sum() == missing.sum()
    assert set(labels[labels != start]) == set(np.flatnonzero(missing))
    assert len(notes) == (missing > 0).sum()


@settings(max_examples=80, deadline=None)
@given(cases)
def test_dropping_leaves_the_rows_of_the_others(case):
    k, min_size, more, seed = case
    n = min_size + more
    liking = np.random.default_rng(seed).normal(size=(k, n)) * np.arange(1, k + 1)[:, None]
    start = liking.argmax(0)
    labels, alive, notes = drop_parts(start, liking, min_size)
    assert np.bincount(labels, minlength=len(alive)).min() >= min_size
    assert labels.max() < len(alive) and len(alive) + len(notes) == k
    stayed = np.isin(start, alive)
    np.testing.assert_array_equal(alive[labels[stayed]], start[stayed])
    if (~stayed).any() and len(notes) == 1:
        best = alive[liking[np.ix_(alive, np.flatnonzero(~stayed))].argmax(0)]
        np.testing.assert_array_equal(alive[labels[~stayed]], best)


# --- one call -------------------------------------------------------------------------------------


def everything(n=60, k=4):
    scores, modes = planted(k, n)
    return {"scores": scores, "vectors": scores.T, "factor": modes, "n": n}


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_a_disjoint_cover(rule):
    p = make_partition(rule, 4, **everything())
    assert p.rule == rule and p.n_parts == 4 and len(p.keys) == 4
    rows = [p.rows(part).tolist() for part in range(4)]
    assert [len(each) for each in rows] == p.sizes.tolist()
    if rule == "same data":
        assert rows == [list(range(60))] * 4
    else:
        assert sorted(i for each in rows for i in each) == list(range(60))
    again = make_partition(rule, 4, **everything())
    np.testing.assert_array_equal(p.labels, again.labels)


def test_rules_do_what_they_are_called():
    given = everything()
    scores, modes = given["scores"], given["factor"]
    cut = {rule: make_partition(rule, 4, **given) for rule in RULES}
    np.testing.assert_array_equal(cut["influence"].labels, assign(scores))
    np.testing.assert_array_equal(cut["bm25"].labels, assign(scores))
    np.testing.assert_array_equal(cut["kmeans"].labels, cluster_rows(normalise(scores).T, 4))
    np.testing.assert_array_equal(cut["embedding"].labels, cluster_rows(scores.T, 4))
    for rule in ("random", "contiguous"):
        np.testing.assert_array_equal(cut[rule].labels, parts_without_scores(rule, 60, 4))
    assert agreement(cut["oracle"], modes) == 1.0
    wrong = make_partition("influence", scores=scores, sign=-1)
    np.testing.assert_array_equal(wrong.labels, assign(scores, sign=-1))
    assert agreement(wrong, modes) < agreement(cut["influence"], modes) - 0.2
    raw = make_partition("influence", scores=scores, how="none")
    np.testing.assert_array_equal(raw.labels, scores.argmax(0))


def test_the_queries_of_the_parts_are_told():
    p = make_partition("influence", 2, scores=LOUD)
    assert set(p.keys) in ({0, 2}, {1, 2}) and p.sizes.tolist() == [3, 3]
    np.testing.assert_array_equal(p.labels, assign(LOUD[list(p.keys)]))
    assert make_partition("influence", 2, scores=LOUD, query_rule="variance").keys == (0, 1)
    assert make_partition("bm25", scores=LOUD).n_parts == 3
    assert make_partition("oracle", factor=["x", "y", "x"]).keys == ("x", "y")


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_needs(rule):
    with pytest.raises(ValueError, match=f"'{rule}' is made from {NEEDS[rule]}"):
        make_partition(rule, 2)


@pytest.mark.parametrize(
    ("rule", "n_parts", "given", "words"),
    [
        ("trak", 2, {"n": 4}, "a partition is one of influence.*found 'trak'"),
        ("kmeans", None, {"scores": LOUD}, "'kmeans' needs n_parts"),
        ("random", 5, {"n": 4}, "4 rows cannot make 5 parts of at least 1"),
        ("random", 2, {"n": 4, "min_size": 3}, "4 rows cannot make 2 parts of at least 3"),
        ("random", 0, {"n": 4}, "n_parts=0"),
        ("random", 2, {"n": 4, "min_size": 0}, "min_size=0"),
        ("random", 2, {"n": 4, "on_small": "merge"}, "found 'merge'"),
        ("random", 2, {"n": 4, "scores": LOUD}, "of the same rows.*6.*4"),
        ("influence", 4, {"scores": LOUD}, "4 queries were asked for and there are 3"),
        ("influence", None, {"scores": LOUD[:0]}, r"at least one of each; found \(0, 6\)"),
        ("influence", 7, {"scores": LOUD}, "6 rows cannot make 7 parts"),
        ("influence", 2, {"scores": LOUD, "how": "softmax"}, "'none', 'z' or 'rank', found 'soft"),
        ("influence", 2, {"scores": LOUD, "query_rule": "norm"}, "'variance', found 'norm'"),
        ("influence", 2, {"scores": LOUD, "ties": "first"}, "sign is .1 or -1 and ties"),
        ("influence", 2, {"scores": LOUD, "how": "none"}, r"part 1 \(2\).* 0 rows.*\[6, 0\]"),
        ("kmeans", 3, {"scores": LOUD[:, [0, 1] * 3]}, "6 rows have 2 different vectors"),
        ("embedding", 2, {"vectors": np.ones(5)}, r"vectors must have shape .* got \(5,\)"),
        ("embedding", 1, {"vectors": [[1.0], [float("nan")]]}, "1 of 2 vectors are not finite"),
        ("oracle", 3, {"factor": ["a", "b", "a"]}, "has 2 levels, and 3 parts"),
        ("oracle", 2, {"factor": list("xxyx"), "min_size": 2, "on_small": "fill"},
         r"\('y'\) of partition 'oracle' has 1 rows.*choose other queries$"),
        ("influence", None, {"scores": LOUD, "min_size": 7, "on_small": "drop"}, "6 rows cannot"),
    ],
)  # fmt: skip
def test_what_cannot_be_cut(rule, n_parts, given, words):
    with pytest.raises(ValueError, match=words):
        make_partition(rule, n_parts, **given)


def test_fill_and_drop_by_name():
    raw = {"scores": LOUD[[0, 2]], "how": "none", "min_size": 2}
    filled = make_partition("influence", on_small="fill", **raw)
    assert filled.sizes.tolist() == [4, 2] and filled.rows(1).tolist() == [3, 4]
    assert filled.notes == ("part 1 had 0 rows and was given 2",)
    dropped = make_partition("influence", on_small="drop", **raw)
    assert dropped.n_parts == 1 and dropped.keys == (0,) and dropped.sizes.tolist() == [6]
    assert dropped.notes == ("part 1 had 0 rows and was dropped",)
    assert make_partition("influence", scores=LOUD[[0, 2]], min_size=3, on_small="fill").notes == ()


def test_small_groups_of_k_means_take_their_nearest_rows():
    points = np.array([[0.0], [0.1], [0.2], [0.3], [9.0]])
    p = make_partition("embedding", 2, vectors=points, min_size=2, on_small="fill")
    (pair,) = [p.rows(part).tolist() for part in range(2) if p.sizes[part] == 2]
    assert pair == [3, 4]
    assert make_partition("embedding", 2, vectors=points, min_size=2, on_small="drop").n_parts == 1
