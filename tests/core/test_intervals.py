"""Intervals and the permutation test, against scipy."""

import math

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


def test_interval_excludes_only_what_lies_outside():
    interval = Interval(0.5, 0.4, 0.6, 3)
    assert interval.excludes(0.39) and interval.excludes(0.61)
    assert not interval.excludes(0.4) and not interval.excludes(0.6)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_mean_interval_is_scipys(confidence):
    ours = mean_interval(VALUES, confidence)
    theirs = scipy.stats.ttest_1samp(VALUES, 0).confidence_interval(confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    assert ours.mean == pytest.approx(np.mean(VALUES)) and ours.n == 5


@given(NUMBERS)
def test_mean_lies_inside(values):
    interval = mean_interval(values)
    assert interval.low <= interval.mean <= interval.high


def test_paired_interval_is_scipys():
    other = [0.70, 0.80, 0.80, 0.81, 0.77]
    theirs = scipy.stats.ttest_rel(VALUES, other).confidence_interval()
    ours = paired_interval(VALUES, other)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_pairing_removes_what_the_pairs_share():
    shared = np.linspace(0, 10, 8)
    a, b = shared + 0.1 + np.tile([0, 0.01], 4), shared
    assert paired_interval(a, b).excludes(0)
    assert not mean_interval(a).excludes(mean_interval(b).mean)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap_is_close_to_scipys(statistic):
    values = np.random.default_rng(0).gamma(2.0, size=60)
    ours = bootstrap_interval(values, statistic, n=4000, seed=1)
    theirs = scipy.stats.bootstrap(
        (values,), statistic, n_resamples=4000, method="percentile"
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.06)
    assert ours.mean == pytest.approx(statistic(values))


def test_bootstrap_repeats_with_its_seed():
    assert bootstrap_interval(VALUES, seed=3) == bootstrap_interval(VALUES, seed=3)
    assert bootstrap_interval(VALUES, seed=3) != bootstrap_interval(VALUES, seed=4)


def test_bootstrap_mean_does_not_depend_on_the_path(monkeypatch):
    slow = bootstrap_interval(VALUES, lambda array: array.mean(), n=20_000)
    fast = bootstrap_interval(VALUES, n=20_000)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.01)


@given(st.integers(1, 400), st.data())
def test_proportion_interval_is_scipys_wilson(n, data):
    k = data.draw(st.integers(0, n))
    theirs = scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    ours = proportion_interval(k, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours.low <= ours.mean <= ours.high <= 1


def test_spearman_is_scipys_and_so_is_p():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 40)  # ties
    y = x + rng.normal(0, 4, 40)
    rho, p = permutation_spearman(x, y, n=20_000, seed=0)
    theirs = scipy.stats.spearmanr(x, y)
    assert rho == pytest.approx(theirs.statistic)
    assert p == pytest.approx(theirs.pvalue, abs=0.01)


def test_permutation_p_counts_every_exact_case():
    # 4 pairs in order: 2 of the 24 orderings reach |rho| = 1.
    rho, p = permutation_spearman([1, 2, 3, 4], [10, 20, 30, 40], n=24_000)
    assert rho == pytest.approx(1) and p == pytest.approx(2 / 24, abs=0.01)


def test_permutation_blocks_change_nothing_but_the_draws():
    x = np.arange(3000.0)
    y = x + np.random.default_rng(1).normal(0, 1e5, 3000)
    rho, p = permutation_spearman(x, y, n=1500)  # more than one block
    assert 0 < p <= 1 and math.isclose(rho, scipy.stats.spearmanr(x, y).statistic)
    assert permutation_spearman(x, y, n=1500) == (rho, p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([1.0]), "at least 2 numbers, got 1"),
        (lambda: mean_interval([1.0, math.nan, 2.0]), "position 1"),
        (lambda: mean_interval([[1.0, 2.0], [3.0, 4.0]]), r"shape \(2, 2\)"),
        (lambda: mean_interval(VALUES, 95), "between 0 and 1"),
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
