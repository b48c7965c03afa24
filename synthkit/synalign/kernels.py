"""The Gaussian kernel, its means over a set, and the feature maps that stand in for it."""

from __future__ import annotations

import numpy as np

from .exploration import median_distance

_ENTRIES = 2**22  # of a kernel matrix that are held at once


def gaussian_kernel(x: np.ndarray, y: np.ndarray, bandwidth: float) -> np.ndarray:
    """k(x_i, y_j) = exp(-||x_i - y_j||^2 / 2 sigma^2), (n, m); `bandwidth` is sigma."""
    from sklearn.metrics.pairwise import rbf_kernel

    return rbf_kernel(x, y, gamma=0.5 / bandwidth**2)


def kernel_mean(
    x: np.ndarray,  # (n, d): where it is evaluated
    y: np.ndarray,  # (m, d): the points of the set
    bandwidth: float,  # sigma
    weights: np.ndarray | None = None,  # (m,), default 1 / m each
) -> np.ndarray:  # (n,)
    """The kernel mean of a set, sum_j w_j k(x_i, y_j), at each x_i, in blocks of rows."""
    w = np.full(len(y), 1 / len(y)) if weights is None else weights
    y, w = y[w > 0], w[w > 0]
    rows = max(1, _ENTRIES // len(y))
    blocks = (x[start : start + rows] for start in range(0, len(x), rows))
    return np.concatenate([gaussian_kernel(block, y, bandwidth) @ w for block in blocks])


def width(bandwidth: float | None, *sets: np.ndarray) -> float:
    """sigma as given, or the median distance of the sets together."""
    if bandwidth is None:
        return median_distance(np.vstack(sets))
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth is a distance and must be positive, got {bandwidth}")
    return float(bandwidth)


def random_features(
    x: np.ndarray,  # (n, d)
    bandwidth: float,  # sigma
    features: int = 512,  # D, even
    seed: int = 0,  # of the waves: the same seed and width give the same map
) -> np.ndarray:  # (n, D), each row of length 1
    """z(x) with E[z(x)'z(y)] = k(x, y) (Rahimi and Recht, 2007): paired cosines and sines."""
    if features < 2 or features % 2:
        raise ValueError(f"features come in pairs of cosine and sine: an even D, got {features}")
    waves = np.random.default_rng(seed).normal(size=(x.shape[1], features // 2)) / bandwidth
    phase = x @ waves
    return np.hstack([np.cos(phase), np.sin(phase)]) * np.sqrt(2 / features)


def feature_map(
    synthetic: np.ndarray,  # (n, d)
    real: np.ndarray,  # (m, d)
    bandwidth: float,  # sigma
    features: int = 512,  # D; 0: the embedding itself, centred and scaled to total variance 1
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:  # (n, D), (m, D)
    """The features of both sets: those of the Gaussian kernel, or the embedding itself."""
    if features:
        return tuple(random_features(x, bandwidth, features, seed) for x in (synthetic, real))
    middle = synthetic.mean(0)
    scale = np.sqrt(((synthetic - middle) ** 2).sum(1).mean()) or 1.0
    return (synthetic - middle) / scale, (real - middle) / scale
