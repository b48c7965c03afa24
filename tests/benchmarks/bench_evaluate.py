"""The time of `evaluate`: 5,000 texts beside 5,000, and a table of 30,000 rows beside 30,000.

    python tests/benchmarks/bench_evaluate.py [--small]

The bar is 60 seconds each on two idle cores, libraries included: they are imported in that time.
Seconds of the processor are printed as well, since a busy machine stretches those of the clock.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np

from synthkit import evaluate
from synthkit.evaluation.report import Report
from synthkit.worlds import load_world

BAR = 60  # seconds


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


def main(small: bool = False) -> dict[str, float]:
    """Print and return the seconds of both; `small` takes a hundredth of the rows."""
    n, m = (50, 300) if small else (5_000, 30_000)
    real, made, test = (texts(n, seed) for seed in range(3))
    world = load_world("census")
    rows = [world.frame(size, seed) for seed, size in enumerate((m, m, m // 3))]
    return {
        "texts": timed(f"{n:,} x {n:,} texts", lambda: evaluate(real, made, test)),
        "table": timed(f"{m:,} x {m:,} rows", lambda: evaluate(*rows, target=world.target)),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a hundredth of the rows")
    main(parser.parse_args().small)
