"""Sums over parts equal those over the whole."""

import numpy as np
import pytest

from synthkit.scale import MeanFeatures, stream_influence
from synthkit.synalign import mmd2

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(300, 4)), RNG.normal(0.7, 1, size=(200, 4))


def test_mmd_of_parts_is_near_the_exact_one():
    sides = [MeanFeatures(4, 2.0, features=20_000) for _ in range(2)]
    for side, points in zip(sides, (X, Y)):
        for part in np.array_split(points, 7):
            side.add(part)
    assert sides[0].mmd2(sides[1]) == pytest.approx(mmd2(X, Y, bandwidth=2.0), rel=0.05)


def test_merged_sides_equal_one_that_saw_all():
    one = MeanFeatures(4, 1.0).add(X)
    halves = MeanFeatures(4, 1.0).add(X[:100]).merge(MeanFeatures(4, 1.0).add(X[100:]))
    other = MeanFeatures(4, 1.0).add(Y)
    assert halves.n == one.n == 300
    assert halves.mmd2(other) == pytest.approx(one.mmd2(other), rel=1e-9)
    with pytest.raises(ValueError, match="other features: seed is 0 and 1"):
        one.mmd2(MeanFeatures(4, 1.0, seed=1).add(Y))
    with pytest.raises(ValueError, match="one side has no points yet"):
        one.mmd2(MeanFeatures(4, 1.0))


@pytest.mark.parametrize("method", ["dot", "cosine"])
def test_scores_of_shards_are_those_of_all_rows(method):
    rows, queries = X, Y[:3]
    shards = stream_influence(np.array_split(rows, 4), queries, method=method)
    whole = queries @ rows.T
    if method == "cosine":
        whole /= np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(rows, axis=1))
    assert np.allclose(np.concatenate(list(shards), axis=1), whole)
    with pytest.raises(ValueError, match="gradients of width 2, queries of 4"):
        list(stream_influence([rows[:, :2]], queries, method=method))
