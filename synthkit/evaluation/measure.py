"""One measure of a report, and the loop that takes it of synthetic data and of real data alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..core.intervals import Interval, mean_interval, no_interval
from .mauve import mauve
from .two_samples import mmd, mmd_p_value

LEAST = (20, 10)  # real and synthetic entries, below which nothing is measured
SMALL = 250  # entries a side, below which the report says so


@dataclass(frozen=True)
class Measure:
    """One measure of a report: `baseline` is real data against real data."""

    family: str  # fidelity, diversity, novelty, utility or privacy
    name: str
    reading: str  # what the numbers mean
    synthetic: Interval
    baseline: Interval
    digits: int = 2

    @property
    def apart(self) -> bool:
        """True if the two intervals do not touch; False where one of them is not known."""
        return (
            self.synthetic.low > self.baseline.high + 1e-12
            or self.baseline.low > self.synthetic.high + 1e-12
        )

    def cells(self) -> list[str]:
        """The row as text: family, name, reading, synthetic, real, a star when they are apart."""
        sides = (self.synthetic, self.baseline)
        shown = [side.text(self.digits).rpartition(", n=")[0] for side in sides]
        shown = [re.sub(r"-(0\.?0*)(?![\d.])", r"\1", text) for text in shown]  # no -0.00
        return [self.family, self.name, self.reading, *shown, "*" if self.apart else ""]


class Gauge(NamedTuple):
    """A way to take a measure: `of(x, a)` is the value of a sample x beside the real sample a."""

    family: str
    name: str
    reading: str
    of: Callable[[Any, Any], float]
    low: float = 0.0  # the ends of its scale
    high: float = 1.0
    digits: int = 2


def _mauve(x: Any, a: Any) -> float:
    return mauve(x.features, a.features, seeds=(0,)).mauve


def _mmd(x: Any, a: Any) -> float:
    return mmd(x.features, a.features)


OF_FEATURES = (  # of samples that have `features`
    Gauge("fidelity", "MAUVE", "1 = same", _mauve),
    Gauge("fidelity", "MMD²", "0 = same", _mmd, -math.inf, math.inf, 4),
)


@dataclass
class Halves:
    """Samples of equal size, drawn `splits` times: the synthetic x, the real a, another real b.

    Args:
        real, synthetic: what has a length, `features` and `take(indices)`.
        other: real data that b is drawn from; None: a and b are two parts of `real`.
        most: entries of a sample.
        splits: how often.
        rng: of the draws.

    Raises:
        ValueError: fewer than 20 real or 10 synthetic entries, or fewer than two splits.
    """

    real: Any
    synthetic: Any
    other: Any
    most: int
    splits: int
    rng: np.random.Generator

    def __post_init__(self) -> None:
        n, m = len(self.real), len(self.synthetic)
        if n < LEAST[0] or m < LEAST[1] or self.splits < 2:
            raise ValueError(
                f"an evaluation needs {LEAST[0]} real and {LEAST[1]} synthetic entries and 2 "
                f"splits; got {n} real, {m} synthetic, {self.splits} splits"
            )
        self.size = size = min(n // 2, m, self.most)
        if self.other is not None and len(self.other) < 2 * size:
            self.other = None  # too few: they would make every sample smaller
        self.fraction = size / len(self.real if self.other is None else self.other)
        self.drawn = [self._draw() for _ in range(self.splits)]

    def _draw(self) -> tuple[Any, Any, Any]:
        order = self.rng.permutation(len(self.real))
        b = (
            self.real.take(order[self.size : 2 * self.size])
            if self.other is None
            else self.other.take(self.rng.permutation(len(self.other))[: self.size])
        )
        x = self.synthetic.take(self.rng.permutation(len(self.synthetic))[: self.size])
        return x, self.real.take(order[: self.size]), b

    def measures(self, gauges: Iterable[Gauge]) -> tuple[list[Measure], list[str]]:
        """The measures, and a sentence for each that these data do not allow."""
        found, notes = [], []
        for gauge in gauges:
            try:
                values = np.array([(gauge.of(x, a), gauge.of(b, a)) for x, a, b in self.drawn])
                if not np.isfinite(values).all():
                    raise ValueError("these data give it no value")
            except ValueError as error:
                notes.append(f"{gauge.name} is left out: {error}")
                continue
            ends = gauge.low, gauge.high
            sides = mean_interval(values[:, 0]), next_draw(values[:, 1], self.fraction, *ends)
            found.append(Measure(*gauge[:3], *sides, gauge.digits))
            if gauge.name == "MMD²":
                found.append(self._p_value())
        return found, notes

    def _p_value(self) -> Measure:
        """The permutation test of MMD² on the first samples."""
        x, a, b = self.drawn[0]
        values = (mmd_p_value(side.features, a.features) for side in (x, b))
        sides = (no_interval(value, self.size) for value in values)
        return Measure("fidelity", "MMD p-value", "small = differ", *sides, 3)


def next_draw(
    values: Sequence[float] | np.ndarray, fraction: float, low: float = 0, high: float = 1
) -> Interval:
    """The interval (95 %) of another sample's value, given the values of random parts.

    A part holds `fraction` of the data, so parts are alike by 1 - fraction (Cochran, 1977, ch. 2)
    and their mean is itself uncertain by `fraction`; exact for means, a guide for other measures.

    Args:
        values: one a part.
        fraction: what a part holds of all the data, below 1.
        low, high: the ends of the scale, which the interval does not leave.
    """
    mean = mean_interval(values)
    scale = math.sqrt(1 + mean.n * (1 + fraction) / (1 - fraction))
    half = (mean.high - mean.low) / 2 * scale
    return Interval(mean.mean, max(low, mean.mean - half), min(high, mean.mean + half), mean.n)


class Found(NamedTuple):
    """The parts of a report."""

    rows: list[Measure]
    notes: list[str]  # sentences to know before reading
    kind: str  # what is counted: texts or rows
    n_real: int
    n_synthetic: int
    size: int  # entries of a sample of equal size
    reference: str  # what plays the synthetic side


def size_note(size: int, kind: str) -> list[str]:
    """The line that says when a sample is too small to trust; none where it is not."""
    if size >= SMALL:
        return []
    return [
        f"Small sample: {size} {kind} a side show only large differences, and a missing star "
        f"proves little. Take {SMALL} or more of each."
    ]


def copy_note(share: float, kind: str) -> list[str]:
    """The line that says when nothing is synthetic at all."""
    if share < 1:
        return []
    return [f"Every one of the synthetic {kind} equals a real one: none is new, however faithful."]
