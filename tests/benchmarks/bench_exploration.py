"""Exploration: `gp_select` against a loop over scikit-learn's GP, and at 50,000 candidates.

    python tests/benchmarks/bench_exploration.py [--small]

Times are CPU seconds of this process (all threads), so that a busy machine spoils them less; set
OMP_NUM_THREADS=1 for the plainest reading. The two ways take turns in one run and must make the
same picks; the ratio of their times is what to compare. The bars: a ratio of 20 or more at 5,000
candidates, and 20 CPU seconds or less for 200 picks of 50,000.
"""

from __future__ import annotations

import argparse
from time import process_time

import numpy as np

from synthkit.synalign.exploration import Exploration, gp_select, median_distance


def cloud(n: int, d: int, seed: int = 0) -> np.ndarray:
    """`n` unit vectors in 30 clusters of uneven size, (n, d): a stand-in for sentence vectors."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, d))
    shares = rng.dirichlet(np.ones(30))
    points = centres[rng.choice(30, size=n, p=shares)] + rng.normal(size=(n, d))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def sklearn_select(
    vectors: np.ndarray,
    k: int,
    length: float,
    first: int = 0,
    noise: float = 1e-6,
    neighbours: int = 1,
) -> np.ndarray:
    """The loop of the public code on scikit-learn's GP, the optimiser off: the oracle, (k,)."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=neighbours).fit(vectors) if neighbours > 1 else None
    picks, seen = [], []
    for step in range(k):
        if step:
            gp = GaussianProcessRegressor(RBF(length), alpha=noise, optimizer=None)
            gp.fit(vectors[seen], np.zeros(len(seen)))
            spread = gp.predict(vectors, return_std=True)[1]
            spread[picks] = -1.0
            first = int(spread.argmax())
        picks.append(first)
        seen += [first] if near is None else near.kneighbors(vectors[[first]])[1][0].tolist()
    return np.array(picks)


def timed(work) -> tuple[float, Exploration | np.ndarray]:
    started = process_time()
    found = work()
    return process_time() - started, found


def compare(n: int = 5_000, k: int = 200, d: int = 384) -> dict[str, float]:
    """CPU seconds of both ways, their ratio, and whether the picks are equal."""
    vectors = cloud(n, d)
    length = median_distance(vectors)
    first, ours = timed(lambda: gp_select(vectors, k, length, first=0))
    loop, theirs = timed(lambda: sklearn_select(vectors, k, length))
    second, _ = timed(lambda: gp_select(vectors, k, length, first=0))
    fast = min(first, second)
    equal = bool(np.array_equal(ours.picks, theirs))
    return {"loop_s": loop, "fast_s": fast, "ratio": loop / fast, "equal": equal}


def large(n: int = 50_000, k: int = 200, d: int = 384) -> dict[str, float]:
    """CPU seconds of `gp_select` with its own length scale, and the share of ties."""
    vectors = cloud(n, d)
    spent, found = timed(lambda: gp_select(vectors, k))
    return {"candidates": n, "picks": k, "cpu_s": spent, "tie_share": found.tie_share}


def main(small: bool = False) -> dict[str, dict[str, float]]:
    """Print and return both measurements; `small` takes a tenth of the candidates."""
    scale = 10 if small else 1
    results = {"against scikit-learn": compare(5_000 // scale), "large": large(50_000 // scale)}
    for name, found in results.items():
        shown = ", ".join(
            f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
            for key, value in found.items()
        )
        print(f"{name}: {shown}")
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tenth of the candidates")
    main(parser.parse_args().small)
