"""Intervals and the permutation test, by hand and by what they promise."""

import math
from itertools import permutations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from synthkit.core.intervals import (
    Interval,
    bootstrap_interval,
    mean_interval,
    paired_interval,
    permutation_spearman,
    proportion_interval,
)

VALUES = [0.71, 0.84, 0.79, 0.88, 0.80]
NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20)


def test_interval_reads_well():
    assert str(Interval(0.81, 0.74, 0.88, 5)) == "0.81 [0.74, 0.88], n=5"
    assert str(Interval(0.8123, 0.8111, 0.8135, 9)) == "0.812 [0.811, 0.814], n=9"
    assert str(Interval(1.0, 1.0, 1.0, 3)) == "1.00 [1.00, 1.00], n=3"


def test_mean_interval_by_hand():
    found, half = mean_interval(VALUES), 2.776445 * np.std(VALUES, ddof=1) / math.sqrt(5)
    assert (found.mean, found.n) == (pytest.approx(0.804), 5)
    assert (found.low, found.high) == pytest.approx((0.804 - half, 0.804 + half), abs=1e-6)
    assert mean_interval([0.5] * 3) == Interval(0.5, 0.5, 0.5, 3)


@given(NUMBERS)
def test_mean_lies_inside_and_signs_turn(values):
    found = mean_interval(values)
    assert found.low <= found.mean <= found.high
    other = mean_interval([-value for value in values])
    assert (other.low, other.high) == pytest.approx((-found.high, -found.low))


def test_bootstrap_is_that_of_resamples_and_repeats_with_its_seed():
    values = np.random.default_rng(0).gamma(2.0, size=60)
    found = bootstrap_interval(values, n=4000, seed=1)
    rng = np.random.default_rng(7)
    drawn = [np.mean(rng.choice(values, size=60)) for _ in range(4000)]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.06)
    assert found.mean == pytest.approx(np.mean(values)) and found.n == 60
    assert bootstrap_interval(values, n=4000, seed=1) == found
    assert bootstrap_interval(values, n=4000, seed=2) != found


@given(st.integers(1, 400), st.data())
def test_proportion_interval_is_wilsons(n, data):
    k, z = data.draw(st.integers(0, n)), 1.959964
    found = proportion_interval(k, n)
    for end in (found.low, found.high):  # both solve (p - k/n)^2 = z^2 p (1 - p) / n
        assert (end - k / n) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, abs=1e-6)
    assert 0 <= found.low <= found.mean <= found.high <= 1
    assert (found.low == 0) == (k == 0) and (found.high == 1) == (k == n)


def test_spearman_is_scipys_and_so_is_p():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 40)  # ties
    y = x + rng.normal(0, 4, 40)
    rho, p = permutation_spearman(x, y, n=20_000, seed=0)
    theirs = scipy.stats.spearmanr(x, y)
    assert rho == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, abs=0.01)
    assert permutation_spearman(x, y, n=20_000, seed=0) == (rho, p)


def test_permutation_p_counts_every_ordering_of_a_few_pairs():
    x, y = [1, 2, 3, 4, 5], [10, 30, 20, 50, 40]
    rho, p = permutation_spearman(x, y)
    far = [abs(scipy.stats.spearmanr(x, each).statistic) >= rho - 1e-9 for each in permutations(y)]
    assert rho == pytest.approx(0.8) and p == pytest.approx(np.mean(far))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), "at least 2 numbers, got 1"),
        (lambda: mean_interval([1.0, math.nan, 2.0]), "position 1"),
        (lambda: mean_interval([[1.0, 2.0], [3.0, 4.0]]), r"shape \(2, 2\)"),
        (lambda: paired_interval([1, 2, 3], [1, 2]), "equal lengths, got 3 and 2"),
        (lambda: bootstrap_interval([1, math.inf]), "not finite"),
        (lambda: bootstrap_interval(VALUES, n=5), "at least 100"),
        (lambda: proportion_interval(3, 2), "k=3, n=2"),
        (lambda: proportion_interval(0, 0), "n >= 1"),
        (lambda: permutation_spearman([1, 2, 3], [1, 2, 3]), "x needs at least 4"),
        (lambda: permutation_spearman([1, 1, 1, 1], [1, 2, 3, 4]), "x is constant"),
        (lambda: permutation_spearman([1, 2, 3, 4], [1, 2, 3, 4, 5]), "4 and 5"),
        (lambda: permutation_spearman([1, 2, 3, 4], [1, 2, 4, 3], n=0), "positive"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
