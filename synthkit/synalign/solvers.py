"""Solvers of min w'Kw - 2 b'w on the simplex: interior point, column generation, Adam."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .alignment import Objective


@dataclass(frozen=True)
class Solution:
    """Weights with their certificate: `value` is at most `gap` above the least possible one."""

    weights: np.ndarray  # (n,), on the simplex
    value: float  # MMD^2 to the real points that were fitted
    gap: float
    steps: int


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


def solve_exact(
    objective: Objective,
    tol: float = 1e-9,  # on the gap
    first: int = 256,  # columns to begin with, and the least added per round
    most: int = 100,  # rounds
) -> Solution:
    """The optimal weights by column generation: interior point on some columns, all texts priced.

    Memory O(n times support). The result's `gap` certifies it, also where rounding stops the
    rounds early.
    """
    active = np.argsort(-objective.b, kind="stable")[:first]
    columns, care = objective.columns(active), 1e-6  # (n, |active|); early rounds are rough
    for rounds in range(1, most + 1):
        part = interior_point(columns[active], objective.b[active], care)
        gradient = 2 * (columns @ part - objective.b)  # (n,)
        gap = part @ gradient[active] - gradient.min()
        if gap <= tol or rounds == most:
            break
        finer = max(tol / 10, min(care, gap / 100))
        held, better = _priced(active, part, gradient, first, drop=rounds < 20)
        if not len(better) and finer == care:
            break
        care = finer
        if len(better):
            active = np.concatenate([active[held], better])
            columns = np.hstack([columns[:, held], objective.columns(better)])
    w = np.zeros(len(objective.b))
    w[active] = part
    return objective.solution(w, rounds)


def _priced(
    active: np.ndarray, part: np.ndarray, gradient: np.ndarray, first: int, drop: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The active texts that stay, as a mask, and the texts that would lower the value, best first.

    After many rounds nothing is dropped, so that the rounds cannot go in circles.
    """
    reached = part @ gradient[active]
    held = part > np.maximum(gradient[active] - reached, 1e-12)  # more weight than slack
    held |= not drop
    better = np.setdiff1d(np.flatnonzero(gradient < reached), active)
    return held, better[np.argsort(gradient[better])][: max(first, held.sum() // 2)]


def solve_adam(objective: Objective, steps: int = 2000, rate: float = 0.3) -> Solution:
    """Weights softmax(theta), theta by Adam (Kingma and Ba, 2015) from equal weights.

    Every weight stays positive, so the last ones fall to 0 slowly. Holds K: memory O(n^2).

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
