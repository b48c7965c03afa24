"""Solvers of min w'Kw - 2 b'w on the simplex: interior point, softmax with Adam, herding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .alignment import Objective, Solution


def interior_point(K: np.ndarray, b: np.ndarray, tol: float = 1e-10, most: int = 80) -> np.ndarray:
    """argmin of w'Kw - 2 b'w on the simplex, (n,), by Mehrotra's predictor-corrector method.

    Args:
        K: (n, n), positive semi-definite. b: (n,).
        tol: on the duality gap w's and on the residuals.
        most: Newton steps.
    """
    from scipy.linalg import cho_factor, cho_solve

    n, ones = len(b), np.ones(len(b))
    w = ones / n
    slope = 2 * (K @ w - b)
    level = slope.min() - 0.1 * max(np.ptp(slope), 1e-3)  # nu
    s = slope - level  # (n,), positive
    for _ in range(most):
        dual, lack = 2 * (K @ w - b) - level - s, 1 - w.sum()
        if w @ s <= tol and np.abs(dual).max() <= tol:
            break
        H = 2 * K
        H[np.diag_indices(n)] += s / w + 1e-13  # copies make K singular
        solve = partial(cho_solve, cho_factor(H, overwrite_a=True, check_finite=False))
        state = solve, solve(ones), w, s, dual, lack
        dw, _, ds = _newton(*state, -w * s)
        reach = min(_longest(w, dw), _longest(s, ds))
        mu = w @ s / n
        centre = mu * ((w + reach * dw) @ (s + reach * ds) / n / mu) ** 3
        dw, dlevel, ds = _newton(*state, centre - w * s - dw * ds)
        reach = min(1.0, 0.995 * _longest(w, dw), 0.995 * _longest(s, ds))
        w, level, s = w + reach * dw, level + reach * dlevel, s + reach * ds
    return np.maximum(w, 0) / np.maximum(w, 0).sum()


def _longest(x: np.ndarray, step: np.ndarray) -> float:
    """The largest a <= 1 with x + a step >= 0."""
    falls = step < 0
    return min(1.0, float((-x[falls] / step[falls]).min())) if falls.any() else 1.0


def _newton(solve, by_one, w, s, dual, lack, product):
    """The step (dw, dlevel, ds) that aims at w_i s_i + product_i, dual residual 0 and sum 1.

    `solve` applies the inverse of 2K + diag(s / w); `by_one` is what it makes of ones.
    """
    part = solve(product / w - dual)
    dlevel = (lack - part.sum()) / by_one.sum()
    dw = part + dlevel * by_one
    return dw, dlevel, (product - s * dw) / w


def solve_adam(objective: Objective, steps: int = 2000, rate: float = 0.3) -> Solution:
    """Weights softmax(theta), theta by Adam (Kingma and Ba, 2015) from equal weights.

    Every weight stays positive, so that the last ones die slowly. Holds K: memory O(n^2).

    Args:
        rate: at the start; it falls to 0 as a half cosine.
    """
    K, b = objective.columns(), objective.b
    theta, mean, square = (np.zeros(len(b)) for _ in range(3))
    for step in range(1, steps + 1):
        w = np.exp(theta - theta.max())
        w /= w.sum()
        gradient = 2 * (K @ w - b)
        gradient = w * (gradient - w @ gradient)
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        size = rate * (1 + np.cos(np.pi * step / steps)) / 2
        unbiased = mean / (1 - 0.9**step), np.sqrt(square / (1 - 0.99**step))
        theta -= size * unbiased[0] / (unbiased[1] + 1e-16)
    w = np.exp(theta - theta.max())
    return objective.solution(w / w.sum(), steps)


def solve_herding(
    objective: Objective, steps: int = 20_000, tol: float = 1e-8, pairwise: bool = True
) -> Solution:
    """Frank-Wolfe on the simplex: plain kernel herding (Chen et al., 2010) or pairwise steps.

    Memory O(n times texts ever chosen).

    Args:
        tol: stop at this gap.
        pairwise: False is plain kernel herding, steps of 1/t.
    """
    b, made = objective.b, {}

    def column(i: int) -> np.ndarray:
        if i not in made:
            made[i] = objective.columns(np.array([i]))[:, 0]
        return made[i]

    i = int(b.argmax())
    w, kw = np.zeros(len(b)), column(i).copy()
    w[i] = 1.0
    for step in range(2, steps + 1):
        slope = kw - b  # half the gradient
        i = int(slope.argmin())
        if 2 * (w @ slope - slope[i]) <= tol:
            break
        if pairwise:
            j = int(np.where(w > 0, slope, -np.inf).argmax())
            bend = column(i)[i] + column(j)[j] - 2 * column(i)[j]
            size = min(w[j], (slope[j] - slope[i]) / max(bend, 1e-15))  # copies do not bend
            w[i], w[j] = w[i] + size, (0.0 if size == w[j] else w[j] - size)
            kw += size * (column(i) - column(j))
        else:
            w *= 1 - 1 / step
            w[i] += 1 / step
            kw += (column(i) - kw) / step
    return objective.solution(np.maximum(w, 0) / np.maximum(w, 0).sum(), step)
