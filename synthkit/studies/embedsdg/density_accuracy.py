"""Relation of density on the map to the student's accuracy, with and without aggregation.

The paper's evidence is one figure (arXiv 2603.22294, Figure 7), a correlation of averages. Averages
hide the scatter between examples, so that the unaggregated numbers stand beside it here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.intervals import permutation_spearman
from ...embedsdg.grid import Grid, as_points


@dataclass(frozen=True)
class DensityAccuracy:
    """Correlation of density and correctness, from single examples to aggregates."""

    example_rho: float  # Spearman over single examples: the honest number
    example_p: float  # its permutation p-value
    cell_rho: float  # Spearman over non-overlapping cells with enough test points; nan if < 4
    binned_pearson: float  # over `bins` equal groups by density: aggregated, inflates
    binned_spearman: float
    within_rho: float  # mean Spearman inside a group, weighted by size; nan without groups


def density_accuracy(
    density: np.ndarray,  # (m,) training points around each test point, from `density_at`
    correct: np.ndarray,  # (m,) whether the student answered it, booleans or a score
    points: np.ndarray,  # (m, K) the test points
    grid: Grid,  # its `cells()` are the regions
    *,
    bins: int = 45,  # the paper's n, by its p-values
    min_cell: int = 5,  # test points a cell needs
    groups: Sequence | None = None,  # (m,) families: separates density from difficulty
    n_permutations: int = 10_000,
    seed: int = 0,
) -> DensityAccuracy:
    """The paper's density-accuracy relation (its Figure 7) with the unaggregated numbers beside it.

    Raises ValueError for unequal lengths, fewer test points than bins, and for a density or a
    correctness that is the same everywhere.
    """
    points = as_points(points)
    density, correct = np.asarray(density, float), np.asarray(correct, float)
    lengths = {len(density), len(correct), len(points), len(points if groups is None else groups)}
    if len(lengths) > 1 or len(points) < max(bins, 4):
        raise ValueError(
            f"density, correct, points and groups need one entry a test point, at least {bins} "
            f"(one a bin); found lengths {sorted(lengths)}"
        )
    rho, p = permutation_spearman(density, correct, n_permutations, seed)
    cells = _cell_means(density, correct, points, grid.cells(), min_cell)
    binned = _bin_means(density, correct, bins, np.random.default_rng(seed))
    within = float("nan") if groups is None else _within(density, correct, np.asarray(groups))
    return DensityAccuracy(rho, p, _rho(*cells), _rho(*binned, ranked=False), _rho(*binned), within)


def _means(keys: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
    """Each value averaged within each key, and the sizes last; keys in sorted order."""
    _, code, size = np.unique(keys, return_inverse=True, return_counts=True)
    return [np.bincount(code, value) / size for value in values] + [size]


def _rho(x: np.ndarray, y: np.ndarray, ranked: bool = True) -> float:
    """Spearman (or Pearson) correlation; nan below four pairs or for a constant side."""
    from scipy.stats import rankdata

    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1] if ranked else np.corrcoef(x, y)[0, 1])


def _within(density: np.ndarray, correct: np.ndarray, groups: np.ndarray) -> float:
    """The size-weighted mean of the groups' own correlations; nan where none has one."""
    masks = [groups == group for group in np.unique(groups)]
    found = np.array([(_rho(density[mask], correct[mask]), mask.sum()) for mask in masks])
    rhos, sizes = found[np.isfinite(found[:, 0])].T
    return float(np.average(rhos, weights=sizes)) if len(rhos) else float("nan")


def _cell_means(
    density: np.ndarray, correct: np.ndarray, points: np.ndarray, cells: Grid, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean density and correctness of each cell with at least `least` test points."""
    index = cells.fine_cells(points)
    kept = (index >= 0).all(axis=1)  # test points may lie outside
    key = np.ravel_multi_index(tuple(index[kept].T), cells.n_windows)
    x, y, size = _means(key, density[kept], correct[kept])
    return x[size >= least], y[size >= least]


def _bin_means(
    density: np.ndarray, correct: np.ndarray, bins: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mean density and correctness of `bins` equal groups in order of density."""
    shuffled = rng.permutation(len(density))  # ties fall in random order
    order = shuffled[np.argsort(density[shuffled], kind="stable")]
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order)) * bins // len(order)
    return tuple(_means(rank, density, correct)[:2])
