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

    n: int
    example_rho: float  # Spearman over single examples: the honest number
    example_p: float  # its permutation p-value
    cell_rho: float  # Spearman over non-overlapping cells with enough test points; nan if < 4
    n_cells: int
    binned_pearson: float  # over `bins` equal groups by density: aggregated, inflates
    binned_spearman: float
    bins: int
    within_rho: float  # mean Spearman inside a group, weighted by size; nan without groups
    n_within: int  # groups in which it exists
    family_rho: float  # Spearman over groups of mean density and accuracy; nan without groups
    n_groups: int

    def rows(self) -> list[tuple[str, float, int]]:
        """(statistic, value, units it is computed over), ready for a table."""
        return [
            ("per example, Spearman", self.example_rho, self.n),
            ("per example, permutation p", self.example_p, self.n),
            ("per cell, Spearman", self.cell_rho, self.n_cells),
            ("within group, Spearman", self.within_rho, self.n_within),
            ("over groups, Spearman", self.family_rho, self.n_groups),
            (f"{self.bins} bins, Pearson (aggregated; inflates)", self.binned_pearson, self.bins),
            (f"{self.bins} bins, Spearman (aggregated; inflates)", self.binned_spearman, self.bins),
        ]


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
    cell_x, cell_y = _cell_means(density, correct, points, grid.cells(), min_cell)
    bin_x, bin_y = _bin_means(density, correct, bins, np.random.default_rng(seed))
    within, n_within, family = float("nan"), 0, float("nan")
    if groups is not None:
        groups = np.asarray(groups)
        within, n_within = _within(density, correct, groups)
        family = _rho(*_means(groups, density, correct)[:2])
    return DensityAccuracy(
        n=len(density),
        example_rho=rho,
        example_p=p,
        cell_rho=_rho(cell_x, cell_y),
        n_cells=len(cell_x),
        binned_pearson=_rho(bin_x, bin_y, ranked=False),
        binned_spearman=_rho(bin_x, bin_y),
        bins=bins,
        within_rho=within,
        n_within=n_within,
        family_rho=family,
        n_groups=0 if groups is None else len(np.unique(groups)),
    )


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


def _within(density: np.ndarray, correct: np.ndarray, groups: np.ndarray) -> tuple[float, int]:
    """The size-weighted mean of the groups' own correlations, and how many groups have one."""
    found = [
        (_rho(density[g], correct[g]), g.sum()) for g in (groups == u for u in np.unique(groups))
    ]
    found = [(rho, size) for rho, size in found if np.isfinite(rho)]
    if not found:
        return float("nan"), 0
    rhos, sizes = np.array(found).T
    return float(np.average(rhos, weights=sizes)), len(found)


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
