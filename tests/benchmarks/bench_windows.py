"""Counting points in sliding windows: `count_windows` against one numpy mask per window.

    python tests/benchmarks/bench_windows.py [--small]

The mask loop is timed on a subset of the windows and scaled up to all of them; on that subset the
two must give the same counts.
"""

from __future__ import annotations

import argparse
from time import perf_counter

import numpy as np

from synthkit.embedsdg.grid import Grid
from synthkit.embedsdg.sparsity import count_windows


def cloud(n: int, n_axes: int, seed: int = 0) -> np.ndarray:
    """`n` points from a mixture of 40 Gaussians, (n, n_axes)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, n_axes))
    return centres[rng.integers(40, size=n)] + rng.normal(scale=0.2, size=(n, n_axes))


def count_loop(points: np.ndarray, grid: Grid, indices: list[tuple[int, ...]]) -> np.ndarray:
    """The count of each window in `indices`, by a mask over all points: the readable oracle."""
    edges = [grid.edges(axis) for axis in range(points.shape[1])]
    step, width = grid.stride.numerator, grid.stride.denominator
    counts = []
    for index in indices:
        inside = np.ones(len(points), dtype=bool)
        for axis, i in enumerate(index):
            x, low, high = points[:, axis], edges[axis][i * step], edges[axis][i * step + width]
            inside &= (x >= low) & ((x <= high) if i == grid.n_windows[axis] - 1 else (x < high))
        counts.append(int(inside.sum()))
    return np.array(counts)


def compare(n: int, n_windows: int, n_axes: int, subset: int = 50) -> dict[str, float]:
    """Seconds of both counters, their ratio, and whether they agree on `subset` windows."""
    points = cloud(n, n_axes)
    grid = Grid.fit(points, n_windows, stride=0.25)  # a window is four fine cells wide
    times = []
    for _ in range(3):
        started = perf_counter()
        counts = count_windows(points, grid)
        times.append(perf_counter() - started)
    chosen = np.random.default_rng(0).choice(counts.size, size=subset, replace=False)
    indices = [tuple(int(i) for i in np.unravel_index(c, counts.shape)) for c in chosen]
    started = perf_counter()
    expected = count_loop(points, grid, indices)
    loop = (perf_counter() - started) * counts.size / subset
    return {
        "points": n,
        "windows": counts.size,
        "loop_s": loop,
        "fast_s": min(times),
        "ratio": loop / min(times),
        "equal": bool(np.array_equal(expected, counts.ravel()[chosen])),
    }


def main(small: bool = False) -> dict[str, dict[str, float]]:
    """Print and return the comparison in 2-D and 3-D; `small` takes a tenth of the points."""
    n = 40_000 if small else 400_000
    results = {"2-D": compare(n, 100, 2), "3-D": compare(n, 40, 3)}
    for name, found in results.items():
        print(
            f"{name}: {found['points']:,} points, {found['windows']:,} windows: "
            f"loop {found['loop_s']:.1f} s (scaled up), integral image {found['fast_s']:.4f} s, "
            f"ratio {found['ratio']:,.0f}, equal: {found['equal']}"
        )
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="40,000 points instead of 400,000")
    main(parser.parse_args().small)
