"""Measures of weights: effective size, noise floor, total variation, report, and warnings."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from .checks import as_weights, checked_vectors
from .kernels import kernel_mean, width


def effective_size(weights: Sequence[float]) -> float:
    """Kish's effective sample size 1 / sum w^2 of weights (scaled to sum to 1), from 1 to n."""
    w = as_weights(weights, len(weights))
    return float(1 / (w @ w))


def noise_floor(
    real: np.ndarray,  # (N, d), N >= 2: the sample that the mean kernel is taken from
    n: int,  # texts of the first sample
    m: int,  # texts of the second
    bandwidth: float | None = None,  # sigma; default: the median distance
) -> float:
    """The expected MMD^2 (V-statistic) of two independent samples of the real distribution."""
    y = checked_vectors(real, "real points")
    if len(y) < 2 or min(n, m) < 1:
        raise ValueError(f"a floor needs two real points and sizes >= 1, got {len(y)}, {n}, {m}")
    sigma = width(bandwidth, y)
    y = y - y.mean(0)
    apart = (len(y) * kernel_mean(y, y, sigma).mean() - 1) / (len(y) - 1)  # without the diagonal
    return float((1 / n + 1 / m) * (1 - apart))


def total_variation(
    values: Sequence[Hashable],  # n, of the synthetic texts
    real_values: Sequence[Hashable],  # m
    weights: Sequence[float] | None = None,  # (n,); default: equal
) -> float:
    """TV = 1/2 sum_v |p(v) - q(v)| of a categorical attribute, from 0 to 1."""
    if not len(values) or not len(real_values):
        raise ValueError(f"both sides need values, got {len(values)} and {len(real_values)}")
    shares = Counter()
    for value, weight in zip(values, as_weights(weights, len(values))):
        shares[value] += weight
    for value, count in Counter(real_values).items():
        shares[value] -= count / len(real_values)
    return float(sum(abs(share) for share in shares.values()) / 2)


@dataclass(frozen=True)
class AlignmentReport:
    """The effect of weights on the distance to real texts that they were not fitted to."""

    mmd2: float  # of the weighted set to the held-out texts
    unweighted: float
    floor: float  # expected between as many real texts as were fitted and the held-out ones
    effective: float  # effective sample size
    largest: float  # weight
    n: int  # synthetic texts

    @property
    def ratio(self) -> float:
        """Weighted over unweighted distance."""
        return self.mmd2 / self.unweighted if self.unweighted > 0 else float("nan")

    def __repr__(self) -> str:
        shown = (f"{name}={value:.3g}" for name, value in vars(self).items())
        return f"AlignmentReport({', '.join(shown)})"


def tell_of_collapse(w: np.ndarray, x: np.ndarray, y: np.ndarray, sigma: float) -> None:
    """Warn when few texts carry the weight, or when the kernel is too narrow to see anything."""
    size, n = effective_size(w), len(w)
    most = max(0.05, min(20 / n, (1 + 1 / n) / 2))  # among few texts: half-way from 1 / n to 1
    if size < 0.02 * n or w.max() > most:
        warnings.warn(
            f"the weights have collapsed: effective size {size:.0f} of {n}, largest weight "
            f"{w.max():.2f}. Use tilting with a larger ridge, or write texts of the kinds that are "
            "missing (see witness)",
            stacklevel=3,
        )
    seen = kernel_mean(x[:: max(1, n // 500)], y[:: max(1, len(y) // 500)], sigma).mean()
    if seen < 2 / n and seen < 0.05:
        warnings.warn(
            f"bandwidth {sigma:.3g} is too narrow: on average a synthetic text sees the real ones "
            f"with a kernel of {seen:.1e}, and itself with 1; the median distance is "
            f"{width(None, x, y):.3g}",
            stacklevel=3,
        )
