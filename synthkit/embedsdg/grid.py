"""Windows that slide over a map: one list of edges, so that every function means the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..core.arguments import finite_rows

MOST_CELLS = 2e8  # that a table of counts may have


def as_points(points: np.ndarray, name: str = "points") -> np.ndarray:
    """`points` as float64 (n, K) with n >= 1, K in 2, 3 and every number finite."""
    points = finite_rows(points, name)
    if points.shape[1] not in (2, 3) or not len(points):
        raise ValueError(
            f"{name} must have shape (n, 2) or (n, 3), got {points.shape}; see `Reducer`"
        )
    return points


@dataclass(frozen=True)
class Grid:
    """Equal windows that slide over a box in K = 2 or 3 axes.

    Each axis is cut into fine cells; with a stride of p/q a window is q of them wide and moves by
    p. A window holds its lower faces but not its upper ones, except that the last window of an axis
    holds the upper bound too.

    Attributes:
        bounds: (K, 2), the lower and upper end of each axis.
        n_windows: positions of the window on each axis, which is the shape of the counts.
        stride: the step between windows, as a fraction of a window.

    Raises:
        ValueError: an axis without width, no window, a stride that is no small fraction, or more
            cells than fit in memory.
    """

    bounds: tuple[tuple[float, float], ...]
    n_windows: tuple[int, ...]
    stride: Fraction = Fraction(1, 2)

    def __post_init__(self):
        bounds = tuple((float(low), float(high)) for low, high in self.bounds)
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "n_windows", tuple(int(n) for n in self.n_windows))
        object.__setattr__(self, "stride", _ratio(self.stride))
        _check(self)

    @classmethod
    def fit(
        cls, points: np.ndarray, n_windows: int | Sequence[int] | None = None, *,
        stride: float | Fraction = Fraction(1, 2), quantiles: tuple[float, float] | None = None,
    ) -> Grid:  # fmt: skip
        """The grid over the points' own range (the paper's bounds), or between two quantiles.

        Args:
            points: (n, K).
            n_windows: on each axis; the default is 60 in the plane and 20 in space.
            quantiles: such as (.005, .995), in the place of minimum and maximum.
        """
        points = as_points(points)
        n_axes = points.shape[1]
        if quantiles and not 0 <= quantiles[0] < quantiles[1] <= 1:
            raise ValueError(f"quantiles are two rising numbers from 0 to 1, got {quantiles}")
        ends = np.quantile(points, quantiles or (0, 1), axis=0).T  # (K, 2)
        if n_windows is None:
            n_windows = {2: 60, 3: 20}[n_axes]
        if isinstance(n_windows, (int, np.integer)):
            n_windows = (n_windows,) * n_axes
        return cls(tuple(map(tuple, ends)), tuple(n_windows), stride)

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """Fine cells on each axis."""
        step, width = self.stride.numerator, self.stride.denominator
        return tuple(step * (n - 1) + width for n in self.n_windows)

    @property
    def side(self) -> np.ndarray:
        """The window's width on each axis, (K,)."""
        low, high = np.array(self.bounds).T
        return (high - low) * self.stride.denominator / np.array(self.fine_shape)

    def edges(self, axis: int) -> np.ndarray:
        """The edges of the fine cells of one axis, (cells + 1,)."""
        return np.linspace(*self.bounds[axis], self.fine_shape[axis] + 1)

    def fine_cells(self, points: np.ndarray) -> np.ndarray:
        """Each point's fine cell, (n, K) integers; -1 on an axis where it lies outside."""
        points = as_points(points)
        if points.shape[1] != len(self.bounds):
            raise ValueError(f"the grid has {len(self.bounds)} axes, the points {points.shape[1]}")
        return np.array([_cells(column, self.edges(a)) for a, column in enumerate(points.T)]).T

    def cells(self) -> Grid:
        """The same box in cells of about a window that do not overlap: for statistics."""
        ratio = np.array(self.fine_shape) / self.stride.denominator
        return Grid(self.bounds, tuple(np.maximum(1, ratio.astype(int))), Fraction(1))


def _cells(x: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The j with edges[j] <= x < edges[j + 1], the last cell closed above; -1 outside."""
    low, high, n = edges[0], edges[-1], len(edges) - 1
    x = np.ascontiguousarray(x)
    cell = np.clip((x - low) * (n / (high - low)), 0, n - 1).astype(np.int64)
    cell -= x < edges[cell]  # rounding leaves the guess at most one cell off
    cell += x >= edges[cell + 1]
    cell[x == high] = n - 1
    return np.where((x < low) | (x > high), -1, cell)


def _ratio(stride: float | Fraction) -> Fraction:
    """A stride as p/q with q <= 100."""
    ratio = Fraction(stride).limit_denominator(100)
    if not 0 < ratio <= 1 or abs(float(ratio) - float(stride)) > 1e-9:
        raise ValueError(
            "stride is the fraction of a window it moves by, such as 0.5, 0.25 or Fraction(1, 3); "
            f"got {stride}"
        )
    return ratio


def _check(grid: Grid) -> None:
    n_axes = len(grid.bounds)
    if n_axes not in (2, 3) or len(grid.n_windows) != n_axes or min(grid.n_windows) < 1:
        raise ValueError(
            f"a grid has 2 or 3 axes and at least one window on each; got {n_axes} axes "
            f"and n_windows={grid.n_windows}"
        )
    for axis, (low, high) in enumerate(grid.bounds):
        cell = (high - low) / grid.fine_shape[axis]
        if not cell > 8 * np.spacing(max(abs(low), abs(high))):
            raise ValueError(
                f"axis {axis} runs from {low} to {high} and cannot be cut into windows: the "
                "points are constant (or not finite) there; lower k or add different texts"
            )
    if np.prod(grid.fine_shape, dtype=float) > MOST_CELLS:
        raise ValueError(
            f"{grid.fine_shape} fine cells do not fit in memory: take fewer windows, or a "
            f"stride with a small denominator such as 1/2 (got {grid.stride})"
        )
