"""Intervals and a permutation test: how sure a measured number is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95  # of every interval


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its confidence interval; `n` values went into it."""

    mean: float
    low: float
    high: float
    n: int

    def __neg__(self) -> Interval:
        """The interval of minus the estimate: that of b - a, from that of a - b."""
        return Interval(0 - self.mean, 0 - self.high, 0 - self.low, self.n)  # never -0.0

    @property
    def digits(self) -> int:
        """Decimals that the width of the interval justifies, two at least."""
        half = (self.high - self.low) / 2
        if not half >= 1e-9 or math.isinf(half):  # equal values but for rounding, or no ends
            return 2
        return min(6, max(2, -math.floor(math.log10(half))))

    def text(self, digits: int) -> str:
        """Mean, ends and n, with so many decimals."""
        if math.isnan(self.low):
            return f"{self.mean:.{digits}f} (no interval), n={self.n}"
        return f"{self.mean:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}], n={self.n}"

    def __str__(self) -> str:
        return self.text(self.digits)


def no_interval(value: float, n: int) -> Interval:
    """An estimate from `n` values for which no honest interval is known: its ends are NaN."""
    return Interval(float(value), math.nan, math.nan, n)


def _clean(values: Sequence[float], least: int, name: str = "values") -> np.ndarray:
    """`values` as a finite float array of shape (n,), n >= `least`; ValueError otherwise."""
    array = np.asarray(values, dtype=float)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one list of numbers, got an array of shape {array.shape}")
    if len(array) < least:
        raise ValueError(f"{name} needs at least {least} numbers, got {len(array)}")
    wrong = np.flatnonzero(~np.isfinite(array))
    if len(wrong):
        raise ValueError(
            f"{name} holds {len(wrong)} number(s) that are not finite, the first at position "
            f"{wrong[0]} ({array[wrong[0]]}); drop or repair them before asking for an interval"
        )
    return array


def _pairs(
    a: Sequence[float], b: Sequence[float], least: int, names: str = "ab"
) -> tuple[np.ndarray, np.ndarray]:
    """Two clean arrays of one length."""
    first, second = (_clean(side, least, name) for side, name in zip((a, b), names))
    if len(first) != len(second):
        raise ValueError(f"pairs need equal lengths, got {len(first)} and {len(second)}")
    return first, second


def mean_interval(values: Sequence[float]) -> Interval:
    """The mean and its 95 % Student t interval.

    Args:
        values: (n,) independent measurements, n >= 2, for example one accuracy a seed.

    Raises:
        ValueError: fewer than two values, or one of them is not finite.
    """
    from scipy.stats import sem, t

    array = _clean(values, least=2)
    mean, error = float(array.mean()), float(sem(array))
    if error == 0:
        return Interval(mean, mean, mean, len(array))
    low, high = t.interval(CONFIDENCE, len(array) - 1, mean, error)
    return Interval(mean, float(low), float(high), len(array))


def paired_interval(a: Sequence[float], b: Sequence[float]) -> Interval:
    """The 95 % t interval of the mean of `a - b`; `a[i]` and `b[i]` share a seed or a test item.

    Raises:
        ValueError: unequal lengths, fewer than two pairs, or a value that is not finite.
    """
    return mean_interval(np.subtract(*_pairs(a, b, 2)))


def bootstrap_interval(values: Sequence[float], n: int = 2000, seed: int = 0) -> Interval:
    """The mean of `values` and its 95 % percentile bootstrap interval (Efron, 1979).

    Args:
        values: (m,) independent measurements, m >= 2.
        n: the number of resamples drawn with replacement.
        seed: of the resampling.

    Raises:
        ValueError: too few values or resamples, or a value that is not finite.
    """
    from scipy.stats import bootstrap

    array = _clean(values, least=2)
    if n < 100:
        raise ValueError(f"a percentile of n={n} resamples is too rough; take at least 100")
    found = bootstrap(
        (array,), np.mean, n_resamples=n, confidence_level=CONFIDENCE,
        method="percentile", rng=np.random.default_rng(seed),
        batch=max(1, 2_000_000 // len(array)),  # bounds the memory
    ).confidence_interval  # fmt: skip
    return Interval(float(array.mean()), float(found.low), float(found.high), len(array))


def proportion_interval(k: int, n: int) -> Interval:
    """The proportion `k / n` and its 95 % Wilson score interval (Wilson, 1927).

    Unlike the mean plus or minus 1.96 standard errors it stays inside [0, 1] and keeps a width at
    k = 0 and k = n.

    Raises:
        ValueError: n is not positive, or k lies outside 0..n.
    """
    from scipy.stats import binomtest

    if n < 1 or not 0 <= k <= n:
        raise ValueError(f"a proportion needs 0 <= k <= n and n >= 1, got k={k}, n={n}")
    found = binomtest(int(k), int(n)).proportion_ci(CONFIDENCE, method="wilson")
    # Rounding must not push an end past the proportion itself at k = 0 and k = n.
    return Interval(k / n, min(k / n, float(found.low)), max(k / n, float(found.high)), n)


def permutation_spearman(
    x: Sequence[float], y: Sequence[float], n: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Spearman's rank correlation and its two-sided permutation p-value.

    Ties share their mean rank. The p-value is (1 + c) / (1 + n), where c counts the permutations
    whose correlation is at least as far from 0, so it is never 0; where there are no more than `n`
    orderings at all, each is tried once.

    Args:
        x: (m,) numbers, m >= 4.
        y: (m,) numbers, paired with `x`.
        n: the number of random permutations.
        seed: of the permutations.

    Raises:
        ValueError: unequal lengths, fewer than four pairs, a constant side, or a value that is not
            finite.
    """
    from scipy.stats import permutation_test, rankdata

    sides = dict(zip("xy", _pairs(x, y, 4, "xy")))
    if n < 1:
        raise ValueError(f"n counts random permutations and must be positive, got {n}")
    for name, side in sides.items():
        if np.ptp(side) == 0:
            raise ValueError(f"{name} is constant ({side[0]}): a rank correlation needs variation")
    ranks = [rankdata(side) - (len(side) + 1) / 2 for side in sides.values()]
    first, second = (rank / np.linalg.norm(rank) for rank in ranks)
    rho = float(first @ second)
    test = permutation_test(
        (first,), lambda shuffled, axis: np.abs(shuffled @ second), vectorized=True,
        permutation_type="pairings", alternative="greater", n_resamples=n,
        rng=np.random.default_rng(seed), batch=max(1, 2_000_000 // len(first)),
    )  # fmt: skip
    return rho, float(test.pvalue)
