"""Sums over parts of data that no memory holds: MMD by random features, influence by shards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..core.arguments import as_count, finite_rows


@dataclass
class MeanFeatures:
    """Mean of random Fourier features of points that come in parts (Rahimi and Recht, 2007).

    Two of them give an estimate of MMD^2 for a Gaussian kernel: the squared distance of their
    means. Parts may be added anywhere and merged, since only a sum and a count are kept. The error
    falls as one over the root of the number of features.

    Args:
        width: d, of the points. bandwidth: sigma of the kernel exp(-|x - y|^2 / (2 sigma^2)).
        features: D, how many. seed: of their directions; it must be the same for both sides.

    Raises:
        ValueError: a bandwidth that is not above 0.
    """

    width: int
    bandwidth: float
    features: int = 2048
    seed: int = 0

    def __post_init__(self):
        as_count(self.features, "features")
        if not self.bandwidth > 0:
            raise ValueError(f"bandwidth must be above 0, found {self.bandwidth}")
        rng = np.random.default_rng(self.seed)
        self._directions = rng.standard_normal((self.width, self.features)) / self.bandwidth
        self._phases = rng.uniform(0, 2 * np.pi, self.features)
        self._sum, self.n = np.zeros(self.features), 0

    def add(self, points: np.ndarray) -> MeanFeatures:
        """Count points (n, d) in; returns self. ValueError: another width, or not finite."""
        points = finite_rows(points, "points")
        if points.shape[1] != self.width:
            raise ValueError(f"points of width {points.shape[1]}; the first had {self.width}")
        waves = np.cos(points @ self._directions + self._phases)
        self._sum, self.n = self._sum + waves.sum(0), self.n + len(points)
        return self

    def merge(self, other: MeanFeatures) -> MeanFeatures:
        """Count in what another one has counted, elsewhere; returns self."""
        self._alike(other)
        self._sum, self.n = self._sum + other._sum, self.n + other.n
        return self

    def mmd2(self, other: MeanFeatures) -> float:
        """MMD^2 between the two sides, a V-statistic as in `synalign.mmd2`."""
        self._alike(other)
        if not (self.n and other.n):
            raise ValueError("one side has no points yet: add some to both")
        gap = self._sum / self.n - other._sum / other.n
        return float(2 / self.features * gap @ gap)

    def _alike(self, other: MeanFeatures) -> None:
        for name in ("width", "bandwidth", "features", "seed"):
            if getattr(self, name) != getattr(other, name):
                raise ValueError(
                    f"the two sides have other features: {name} is {getattr(self, name)} and "
                    f"{getattr(other, name)}"
                )


def stream_influence(
    shards: Iterable[np.ndarray], queries: np.ndarray, *, method: str = "cosine"
) -> Iterator[np.ndarray]:
    """Scores (q, n) of each shard's rows for all queries, with one shard in memory at a time.

    Args:
        shards: gradients (n, p) of the training rows, as the stage `Gradients` makes them.
        queries: gradients (q, p).
        method: "dot", the fall of a query's loss per small gradient step on a row, or "cosine".

    Raises:
        ValueError: another method, widths that differ, or numbers that are not finite.
    """
    if method not in ("dot", "cosine"):
        raise ValueError(f"method must be 'dot' or 'cosine', found {method!r}")
    asked = finite_rows(queries, "queries")
    for shard in shards:
        rows = finite_rows(shard, "gradients")
        if rows.shape[1] != asked.shape[1]:
            raise ValueError(f"gradients of width {rows.shape[1]}, queries of {asked.shape[1]}")
        scores = asked @ rows.T
        if method == "cosine":
            scores /= _lengths(asked)[:, None] * _lengths(rows)
        yield scores


def _lengths(rows: np.ndarray) -> np.ndarray:
    return np.maximum(np.linalg.norm(rows, axis=1), np.finfo(float).tiny)
