"""Lesson 10: the map, the windows, the regions and the pairs of EmbedSDG."""

import itertools
import logging
import re
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import points_in_clusters

from synthkit.embedsdg.grid import Grid
from synthkit.embedsdg.sparsity import (
    choose_threshold,
    count_windows,
    dense_regions,
    density_at,
    describe_pairs,
    embed_texts,
    random_pairs,
    select_pairs,
    sparse_regions,
)


class FakeLM:
    """Word embeddings from a fixed table and weights that fall with the position."""

    def embed_tokens(self, texts):
        table = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 8))).float()
        return [table[[sum(map(ord, word)) % 64 for word in text.split()]] for text in texts]

    def attention_weights(self, texts, pooling="received"):
        power = {"received": 1.0, "uniform": 0.0}[pooling]
        weights = [torch.arange(len(t.split()), 0, -1).float() ** power for t in texts]
        return [w / w.sum() for w in weights]


TEXTS = [f"w{i} has {i % 7} apples and {i % 5} pears {'today ' * (i % 3)}" for i in range(70)]


@pytest.fixture(scope="module")
def points():
    return points_in_clusters()


@pytest.fixture(scope="module")
def grid(points):
    return Grid.fit(points, 15)


def loop(points, grid):
    """Every window's count, from its faces alone."""
    counts = np.zeros(grid.n_windows, int)
    step, width = grid.stride.numerator, grid.stride.denominator
    for index in np.ndindex(*grid.n_windows):
        inside = np.ones(len(points), bool)
        for axis, i in enumerate(index):
            edges, x = grid.edges(axis), points[:, axis]
            below = x < edges[i * step + width]
            if i == grid.n_windows[axis] - 1:
                below |= x == grid.bounds[axis][1]
            inside &= (x >= edges[i * step]) & below
        counts[index] = inside.sum()
    return counts


# --- equation (2) --------------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["received", "uniform"])
def test_embedding_is_the_weighted_sum_of_token_embeddings(pooling):
    lm = FakeLM()
    Z = embed_texts(lm, TEXTS, weights=pooling, batch_size=8)
    for text, z in zip(TEXTS, Z):
        expected = np.zeros(8)
        tokens, weights = lm.embed_tokens([text])[0], lm.attention_weights([text], pooling)[0]
        for token, weight in zip(tokens.tolist(), weights.tolist()):
            expected += weight * np.array(token)
        np.testing.assert_allclose(z, expected, atol=1e-6)
    assert Z.shape == (70, 8) and Z.dtype == np.float32


@pytest.mark.parametrize(
    ("texts", "words"),
    [([], "empty"), (["a", " "], "row 1 is empty"), ([3], "row 0"), ("a b", "not one string")],
)
def test_embedding_refuses_what_has_no_token(texts, words):
    with pytest.raises((TypeError, ValueError), match=words):
        embed_texts(FakeLM(), texts)


# --- grid and counts -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_axes=st.sampled_from([2, 3]),
    sizes=st.lists(st.integers(1, 7), min_size=3, max_size=3),
    stride=st.fractions(Fraction(1, 8), 1, max_denominator=8),
    on_edges=st.booleans(),
    shift=st.sampled_from([0.0, 1e6, -0.3]),
)
def test_counts_equal_the_loop(seed, n_axes, sizes, stride, on_edges, shift):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(40, n_axes)) * 10 ** rng.uniform(-3, 3) + shift
    grid = Grid.fit(points, sizes[:n_axes], stride=stride)
    if on_edges:  # every point on a face of some fine cell
        points = np.stack([rng.choice(grid.edges(a), size=40) for a in range(n_axes)], axis=1)
    np.testing.assert_array_equal(count_windows(points, grid), loop(points, grid))


@pytest.mark.parametrize("n_axes", [2, 3])
@pytest.mark.parametrize("windows", [1, 6, 13])
def test_windows_that_do_not_overlap_hold_each_point_once(n_axes, windows):
    points = np.random.default_rng(windows).normal(size=(500, n_axes))
    grid = Grid.fit(points, windows, stride=1)
    assert count_windows(points, grid).sum() == 500
    assert count_windows(points, Grid.fit(points, 9).cells()).sum() == 500


def test_grid_refuses_bad_input(points):
    for bad, words in [
        (np.ones((9, 2)), "axis 0 runs from 1.0 to 1.0"),
        (np.column_stack([points[:, 0], np.zeros(600)]), "axis 1"),
        (np.vstack([points, [np.nan, 0]]), "row 600"),
        (points[:, :1], r"\(n, 2\) or \(n, 3\)"),
        (points[:0], "shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            Grid.fit(bad)
    for stride in (0, 1.5, -1, 0.123456789):
        with pytest.raises(ValueError, match="stride"):
            Grid.fit(points, stride=stride)
    with pytest.raises(ValueError, match="at least one window"):
        Grid.fit(points, 0)
    with pytest.raises(ValueError, match="memory"):
        Grid.fit(points, 20_000)
    with pytest.raises(ValueError, match="quantiles"):
        Grid.fit(points, quantiles=(0.9, 0.1))
    with pytest.raises(ValueError, match="2 axes, the points 3"):
        count_windows(np.zeros((4, 3)), Grid.fit(points))


@pytest.mark.parametrize("n_axes", [2, 3])
def test_density_is_the_count_of_a_centred_box(n_axes):
    rng = np.random.default_rng(n_axes)
    points, queries = rng.normal(size=(300, n_axes)), rng.normal(size=(40, n_axes))
    points[:, 0] *= 100  # axes of different scale
    queries[:, 0] *= 100
    grid = Grid.fit(points, 6)
    expected = [(np.abs(points - q) <= grid.side / 2).all(axis=1).sum() for q in queries]
    np.testing.assert_array_equal(density_at(points, queries, grid), expected)
    assert (density_at(points, points, grid) >= 1).all()
    with pytest.raises(ValueError, match="queries are not finite"):
        density_at(points, queries * np.nan, grid)


# --- threshold and regions -----------------------------------------------------------------------


def test_threshold_is_the_smallest_that_flags_two_windows_a_pair(points, grid):
    counts = count_windows(points, grid)
    for n, passes in itertools.product((1, 5, 30), (1, 3)):
        T = choose_threshold(counts, n, passes=passes)
        assert ((counts >= 2) & (counts < T)).sum() >= 2 * n / passes
        assert ((counts >= 2) & (counts < T - 1)).sum() < 2 * n / passes


def test_threshold_says_when_it_flags_everything(points, grid, caplog):
    counts = count_windows(points, grid)
    with caplog.at_level(logging.WARNING):
        assert choose_threshold(counts, 10**6) == counts.max() + 1
    assert "flags all of them" in caplog.text


def test_threshold_refuses_bad_input():
    lonely = np.eye(4, dtype=int)
    for refuse in (
        choose_threshold,
        lambda c, T: sparse_regions(c, Grid(((0, 1), (0, 1)), (4, 4)), T),
    ):
        with pytest.raises(ValueError, match="highest count is 1"):
            refuse(lonely, 3)
    for wrong in ({"n_pairs": 0}, {"n_pairs": 3, "passes": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            choose_threshold(np.full((3, 3), 5), **wrong)


def test_regions_are_strictly_below_the_threshold_and_sparsest_first(points, grid):
    counts = count_windows(points, grid)
    regions = sparse_regions(counts, grid, 6, seed=1)
    assert len(regions) == ((counts >= 2) & (counts < 6)).sum()
    found = [region.count for region in regions]
    assert found == sorted(found) and min(found) == 2 and max(found) == 5
    assert all(region.holds(points).sum() == region.count for region in regions)
    assert all(counts[region.index] == region.count for region in regions)


def test_ties_are_shuffled_by_the_seed(points, grid):
    counts = count_windows(points, grid)
    first, again, other = (sparse_regions(counts, grid, 6, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert {r.index for r in first} == {r.index for r in other}
    twos = [r.index for r in first if r.count == 2]
    assert twos != sorted(twos)


def test_dense_regions_are_the_other_end(points, grid):
    counts = count_windows(points, grid)
    found = [region.count for region in dense_regions(counts, grid, 12)]
    assert found == sorted(found, reverse=True) and found[0] == counts.max() and found[-1] >= 12


def test_regions_refuse_what_cannot_be(points, grid):
    counts = count_windows(points, grid)
    with pytest.raises(ValueError, match="raise the threshold"):
        sparse_regions(counts, grid, 2)
    with pytest.raises(ValueError, match="count again"):
        sparse_regions(counts[1:], grid, 5)
    with pytest.raises(ValueError, match="count again"):
        dense_regions(counts[1:], grid, 5)
    with pytest.raises(ValueError, match="highest count"):
        dense_regions(counts, grid, 10**6)


# --- pairs ---------------------------------------------------------------------------------------


def regions_of(points, grid, T=9):
    return sparse_regions(count_windows(points, grid), grid, T)


@pytest.mark.parametrize("n_axes", [2, 3])
def test_pairs_lie_near_opposite_faces_of_their_window(n_axes):
    points = np.random.default_rng(5).normal(size=(800, n_axes))
    grid = Grid.fit(points, 4)
    regions = sparse_regions(count_windows(points, grid), grid, 50)
    known = {region.index: region for region in regions}
    for pair in select_pairs(points, regions, len(regions) // 2, max_uses=99):
        inside = np.flatnonzero(known[pair.region].holds(points))
        assert {pair.a, pair.b} <= set(inside) and pair.a != pair.b
        x = points[inside, pair.axis]
        side = max(1, int(0.2 * len(inside)))
        assert points[pair.a, pair.axis] <= np.sort(x)[side - 1]
        assert points[pair.b, pair.axis] >= np.sort(x)[-side]
        assert pair.count == len(inside) and pair.turn == 0


def test_pairs_take_the_sparsest_regions_first(points, grid):
    pairs = select_pairs(points, regions_of(points, grid), 20)
    assert [p.count for p in pairs] == sorted(p.count for p in pairs)
    assert len({p.region for p in pairs}) == 20


def test_pairs_are_new_and_seeds_are_capped(points, grid):
    regions = regions_of(points, grid)[-12:]
    pairs = select_pairs(points, regions, 20, max_uses=2)
    about = describe_pairs(pairs)
    assert about["most uses"] <= 2 and about["pairs"] == 20 and about["passes"] > 1
    assert len({frozenset((p.a, p.b)) for p in pairs}) == 20


def test_pairs_never_join_identical_texts():
    points = np.random.default_rng(0).uniform(size=(60, 2))
    texts = [f"Text  {i % 2}" if i % 3 else f"text {i % 2}" for i in range(60)]
    regions = regions_of(points, Grid.fit(points, 4), T=40)
    for pair in [
        *select_pairs(points, regions, 8, texts=texts, max_uses=9),
        *random_pairs(60, 30, texts=texts),
    ]:
        assert texts[pair.a].split()[1] != texts[pair.b].split()[1]


def test_pairs_say_how_many_there_can_be(points, grid):
    regions = regions_of(points, grid)[:5]
    with pytest.raises(ValueError, match="5 regions give") as error:
        select_pairs(points, regions, 500)
    most = int(re.search(r"give (\d+) ", str(error.value))[1])
    fewer = select_pairs(points, regions, 500, strict=False)
    assert select_pairs(points, regions, most) == fewer and len(fewer) == most


@pytest.mark.parametrize("options", [{"n": 0}, {"near": 0}, {"near": 0.6}, {"max_uses": 0}])
def test_pairs_refuse_settings_out_of_range(points, grid, options):
    with pytest.raises(ValueError, match="0 < near"):
        select_pairs(points, regions_of(points, grid), **{"n": 3, **options})


def test_random_pairs_are_different_and_exhaustible():
    pairs = random_pairs(5, 10, seed=2)
    assert len({frozenset((p.a, p.b)) for p in pairs}) == 10 == len(pairs)
    assert pairs == random_pairs(5, 10, seed=2) != random_pairs(5, 10, seed=3)
    assert describe_pairs(pairs)["regions"] == 0
    assert len(random_pairs(5, 11, strict=False)) == 10
    with pytest.raises(ValueError, match="form 10 pairs"):
        random_pairs(5, 11)
    with pytest.raises(ValueError, match="form 0 pairs"):
        random_pairs(3, 1, texts=["a", "A ", "a"])


# --- speed ---------------------------------------------------------------------------------------


def test_counting_is_a_hundred_times_faster_than_a_mask_a_window(repo, monkeypatch, capsys):
    monkeypatch.syspath_prepend(repo / "tests" / "benchmarks")
    import bench_windows

    monkeypatch.delitem(sys.modules, "bench_windows")
    for found in bench_windows.main(small=True).values():
        assert found["equal"] and found["ratio"] >= 100
