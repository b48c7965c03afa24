"""The time of `evaluate`: 5,000 texts beside 5,000, and a table of 30,000 rows beside 30,000.

    python tests/benchmarks/bench_evaluate.py [--small]

The bar is 60 seconds each on two idle cores, libraries included: they are imported in that time.
Seconds of the processor are printed as well, since a busy machine stretches those of the clock.
For a comparison that holds on any machine, MMD² and the Vendi score are timed beside the same by
their definitions in double precision: the bar is a ratio of 1.5 of their processor seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np

from synthkit import evaluate
from synthkit.evaluation.report import Report
from synthkit.evaluation.two_samples import gaussian_kernel, mmd, vendi
from synthkit.worlds import load_world

BAR = 60  # seconds
RATIO = 1.5


def texts(n: int, seed: int) -> list[str]:
    """`n` texts of 10 to 60 words out of 20,000, frequent and rare as in language (Zipf)."""
    rng = np.random.default_rng(seed)
    chances = 1 / np.arange(1, 20_001)
    chances /= chances.sum()
    lengths = rng.integers(10, 61, n)
    drawn = rng.choice(len(chances), lengths.sum(), p=chances)
    return [" ".join(f"w{i}" for i in part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]


def timed(what: str, run: Callable[[], Report]) -> float:
    """Print and return the seconds of a report."""
    clock, processor = perf_counter(), process_time()
    report = run()
    clock, processor = perf_counter() - clock, process_time() - processor
    told = "within" if clock <= BAR else "over"
    print(
        f"{what}: {clock:.1f} s by the clock, {told} the bar of {BAR} s; {processor:.1f} s of the "
        f"processor; {len(report.rows)} measures",
        flush=True,
    )
    return clock


def by_definition(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """MMD² of x and y and the Vendi score of x, in double precision throughout."""
    k, own, n = plain_kernel(np.concatenate([x, y])), plain_kernel(x), len(x)
    inner = (k[:n, :n].sum() + k[n:, n:].sum() - 2 * n) / (n * (n - 1))
    shares = np.linalg.eigvalsh(own / n)
    shares = shares[shares > 1e-12]
    return inner - 2 * k[:n, n:].mean(), np.exp(-(shares * np.log(shares)).sum())


def plain_kernel(rows: np.ndarray) -> np.ndarray:
    """The Gaussian kernel (n, n) as wide as the median distance."""
    lengths = (rows**2).sum(axis=1)
    squared = np.maximum(lengths[:, None] + lengths - 2 * rows @ rows.T, 0)
    return np.exp(squared / (-2 * np.median(squared[np.triu_indices(len(rows), 1)])))


def kernels(n: int, rounds: int = 3) -> float:
    """Print and return the ratio of processor seconds, of the definitions over the package."""
    x, y = np.random.default_rng(0).normal(size=(2, n, 40))
    ways = {
        "definition": lambda: by_definition(x, y),
        "package": lambda: (mmd(x, y), vendi(gaussian_kernel(x))),
    }
    spent = {name: [] for name in ways}
    for _ in range(rounds + 1):  # the first one warms up
        for name, way in ways.items():
            start = process_time()
            way()
            spent[name].append(process_time() - start)
    ratio = float(np.median(spent["definition"][1:]) / np.median(spent["package"][1:]))
    told = "met" if ratio >= RATIO else "NOT met"
    print(f"MMD² and Vendi score, {n:,} rows a side: {ratio:.2f} times as fast as by definition, "
          f"bar of {RATIO} {told}", flush=True)  # fmt: skip
    return ratio


def main(small: bool = False) -> dict[str, float]:
    """Print and return the seconds and the ratio; `small` takes a hundredth of the rows."""
    n, m = (50, 300) if small else (5_000, 30_000)
    real, made, test = (texts(n, seed) for seed in range(3))
    world = load_world("census")
    rows = [world.frame(size, seed) for seed, size in enumerate((m, m, m // 3))]
    return {
        "ratio": kernels(200 if small else 2_000),
        "texts": timed(f"{n:,} x {n:,} texts", lambda: evaluate(real, made, test)),
        "table": timed(f"{m:,} x {m:,} rows", lambda: evaluate(*rows, target=world.target)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a hundredth of the rows")
    main(parser.parse_args().small)
