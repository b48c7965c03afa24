"""How long alignment takes, in CPU seconds of one process, and what each solver reaches.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_alignment.py [--small]

Unit vectors of width 384 around 24 centres (real) and around these and 6 more (synthetic), in
uneven shares. The time of exact weights grows with the number of texts that keep weight: `--flat`
takes clusters so wide that most of them do, the worst case. Bars:
tilting at 20,000 x 20,000 within 5 CPU seconds, exact weights at 5,000 x 5,000 within 10, and at
1,000 exact weights sooner than softmax-Adam and at a lower value.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np

from synthkit.synalign import alignment as al

FLAT = "--flat" in sys.argv


def mixture(n: int, clusters: int, seed: int, d: int = 384) -> np.ndarray:
    """`n` unit vectors (n, d) float32 around the first `clusters` of 30 centres."""
    centres = np.random.default_rng(7).normal(size=(30, d))
    rng = np.random.default_rng(seed)
    shares = np.full(clusters, 1 / clusters) if FLAT else rng.dirichlet(np.ones(clusters))
    noise = (1.5 if FLAT else 0.7) * rng.normal(size=(n, d))
    points = centres[rng.choice(clusters, size=n, p=shares)] + noise
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def timed(call: Callable, *arguments: Any, **options: Any) -> tuple[Any, float]:
    """What the call returns, and its CPU seconds."""
    started = process_time()
    found = call(*arguments, **options)
    return found, process_time() - started


def tilting(n: int) -> dict[str, float]:
    """`align` by default on n x n points, ridge chosen by folds; values by random features."""
    synthetic, real = mixture(n, 30, 0), mixture(n, 24, 1)
    weights, seconds = timed(al.align, synthetic, real)
    values = [al.mmd2(synthetic, real, w, bandwidth=1.4, features=1024) for w in (None, weights)]
    return {"n": n, "seconds": seconds, "unweighted": values[0], "mmd2": values[1],
            "effective": al.effective_size(weights)}  # fmt: skip


def exact(n: int, **others: Callable) -> dict[str, dict[str, float]]:
    """The quadratic programme on n x n points by `solve_exact` and by other solvers."""
    synthetic, real = mixture(n, 30, 0), mixture(n, 24, 1)
    points = al.as_points(synthetic, real)
    sigma = al.width(None, *points)
    objective, shared = timed(al.Objective.between, *points, sigma)
    results = {}
    for name, solve in {"exact": al.solve_exact, **others}.items():
        found, seconds = timed(solve, objective)
        results[name] = {
            "n": n,
            "seconds": shared + seconds,
            "mmd2": found.value,
            "gap": found.gap,
            "effective": al.effective_size(found.weights),
        }
    return results


def show(name: str, row: dict[str, float], bar: float | None = None) -> None:
    verdict = (
        "" if bar is None else f" (bar {bar:g} s: {'met' if row['seconds'] <= bar else 'NOT met'})"
    )
    values = ", ".join(
        f"{key} {value:.3e}"
        for key, value in row.items()
        if key not in ("n", "seconds", "effective")
    )
    print(f"{name:28s} n={row['n']:6,d}  {row['seconds']:6.2f} CPU-s{verdict}  {values}, "
          f"effective size {row['effective']:,.0f}")  # fmt: skip


def main(small: bool = False) -> dict[str, Any]:
    """Print and return the measurements; `small` takes a tenth of the texts."""
    scale = 10 if small else 1
    results: dict[str, Any] = {"tilting": tilting(20_000 // scale)}
    show("tilting, ridge by folds", results["tilting"], None if small else 5)
    results["large"] = exact(5_000 // scale)["exact"]
    show("exact, column generation", results["large"], None if small else 10)
    results |= exact(1_000 // scale, adam=al.solve_adam)
    for name in ("exact", "adam"):
        show(name, results[name])
    better = results["exact"]["mmd2"] <= results["adam"]["mmd2"]
    ratio = results["adam"]["seconds"] / results["exact"]["seconds"]
    print(f"softmax-Adam takes {ratio:.1f} times the exact time; exact is lower or equal: {better}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tenth of the texts")
    parser.add_argument("--flat", action="store_true", help="wide clusters: the worst case")
    main(parser.parse_args().small)
