"""Claims about a study: a number that was asked for before the run, what was found, a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..statistics import Interval, mean_interval
from .measurements import difference, values

if TYPE_CHECKING:
    import pandas as pd

    from .results import Result


@dataclass(frozen=True)
class Claim:
    """A statement about a study with the number it needs, and what was found.

    Attributes:
        text: what should hold.
        world: where.
        found: the measured number with its interval over seeds.
        least: the smallest value that counts as a yes.
        strict: the whole interval must lie above `least`, not its middle alone.
    """

    text: str
    world: str
    found: Interval
    least: float
    strict: bool = False

    @property
    def holds(self) -> bool:
        return self._holds(self.found.low if self.strict else self.found.mean)

    def _holds(self, number: float) -> bool:
        return number > self.least if self.strict else number >= self.least

    @property
    def measured(self) -> str:
        """What was found, with as many decimals as it takes to see whether the claim holds."""
        number, digits = self.found.low if self.strict else self.found.mean, self.found.digits
        while digits < 6 and self._holds(round(number, digits)) != self.holds:
            digits += 1
        return self.found.text(digits)


def gap(
    result: Result, text: str, measure: str, arm: str, against: str, least: float, *,
    where: str = "", strict: bool = False, **labels: str,
) -> list[Claim]:  # fmt: skip
    """A claim about the difference of two arms; none where fewer than three seeds have both."""
    try:
        found = difference(result, measure, arm, against, **labels)
    except ValueError:
        return []
    return [Claim(text, where or labels.get("world", ""), found, least, strict)]


def level(
    text: str, numbers: np.ndarray, least: float, *, where: str = "", strict: bool = False
) -> list[Claim]:
    """A claim about a number a seed (seeds,); none where fewer than three are there."""
    there = np.asarray(numbers)[np.isfinite(numbers)]
    if len(there) < 3:
        return []
    return [Claim(text, where, mean_interval(there), least, strict)]


def level_of(
    result: Result, text: str, measure: str, arm: str, least: float, *, sign: int = 1,
    where: str = "", **labels: str,
) -> list[Claim]:  # fmt: skip
    """A claim about one measure of one arm, or about minus it."""
    numbers = sign * values(result, measure, arm, **labels)
    return level(text, numbers, least, where=where or labels.get("world", ""))


def verdicts(claims: Iterable[Claim]) -> pd.DataFrame:
    """The claims as a table: what, where, measured, needed, verdict."""
    import pandas as pd

    rows = [
        {
            "claim": claim.text,
            "world": claim.world,
            "measured": claim.measured,
            "needed": f"{'>' if claim.strict else '>='} {claim.least:+.2f}",
            "verdict": "holds" if claim.holds else "does not hold",
        }
        for claim in claims
    ]
    return pd.DataFrame(rows, columns=["claim", "world", "measured", "needed", "verdict"])
