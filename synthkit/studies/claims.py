"""Claims about a study: a number that was asked for before the run, what was found, a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.intervals import Interval, mean_interval
from .measurements import print_table, values

if TYPE_CHECKING:
    import pandas as pd

    from .results import Result

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = "supported", "refuted", "undecided", "not run"
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN)
RULE = (
    "Supported: the whole 95 % interval lies on the claimed side of the number; refuted: on the "
    "other side; undecided: the interval contains the number, or fewer than three seeds were run."
)
FEWEST_SEEDS = 3
_ROUNDING = 1e-9  # measurements have five decimals; equal ones differ by less than this


def verdict(found: Interval | None, least: float = 0.0, *, strict: bool = False) -> str:
    """Supported, refuted or undecided, by the interval alone; see `RULE`.

    Args:
        found: what was measured over the seeds; None for fewer than two of them.
        least: the number that must be reached.
        strict: reaching it is not enough, it must be exceeded.
    """
    if found is None or found.n < FEWEST_SEEDS:
        return UNDECIDED
    if found.high < least - _ROUNDING:
        return REFUTED
    enough = least + (_ROUNDING if strict else -_ROUNDING)
    return SUPPORTED if found.low >= enough else UNDECIDED


@dataclass(frozen=True)
class Claim:
    """A statement about a study with the number it needs, and what was found.

    Attributes:
        text: what is claimed.
        world: where.
        numbers: what was measured, one number per seed; none if it was not run.
        least: the number that must be reached.
        strict: reaching it is not enough, it must be exceeded.
        in_paper: whether the method's paper makes this claim (in direction; `least` is the kit's),
            or the kit does.
    """

    text: str
    world: str
    numbers: tuple[float, ...]
    least: float
    strict: bool = False
    in_paper: bool = False

    @property
    def found(self) -> Interval | None:
        """The mean with its 95 % interval; None for fewer than three seeds."""
        return mean_interval(self.numbers) if len(self.numbers) >= FEWEST_SEEDS else None

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`, by the interval alone."""
        if not self.numbers:
            return NOT_RUN
        return verdict(self.found, self.least, strict=self.strict)

    @property
    def measured(self) -> str:
        """The measured value, with as many decimals as it takes to see the verdict."""
        found = self.found
        if found is None:
            n = len(self.numbers)
            return f"{np.mean(self.numbers):.3f}, n={n}" if n else "-"
        digits = found.digits
        while digits < 6:
            shown = (round(end, digits) for end in (found.mean, found.low, found.high))
            if verdict(Interval(*shown, found.n), self.least, strict=self.strict) == self.verdict:
                break
            digits += 1
        return found.text(digits)


def gap(
    result: Result, text: str, measure: str, arm: str, against: str, least: float, *,
    where: str = "", strict: bool = False, in_paper: bool = False, **labels: str,
) -> Claim:  # fmt: skip
    """A claim about the difference of two arms, over the seeds that have both."""
    a, b = (values(result, measure, name, **labels) for name in (arm, against))
    at = where or labels.get("world", "")
    return level(text, a - b, least, where=at, strict=strict, in_paper=in_paper)


def level(
    text: str, numbers: Sequence[float] | np.ndarray, least: float, *, where: str = "",
    strict: bool = False, in_paper: bool = False,
) -> Claim:  # fmt: skip
    """A claim about one number per seed; those that were not measured are NaN."""
    found = np.asarray(numbers, dtype=float)
    there = tuple(found[np.isfinite(found)].tolist())
    return Claim(text, where, there, least, strict, in_paper)


def level_of(
    result: Result, text: str, measure: str, arm: str, least: float, *, sign: int = 1,
    where: str = "", strict: bool = False, in_paper: bool = False, **labels: str,
) -> Claim:  # fmt: skip
    """A claim about one measure of one arm, or about minus it."""
    numbers = sign * values(result, measure, arm, **labels)
    at = where or labels.get("world", "")
    return level(text, numbers, least, where=at, strict=strict, in_paper=in_paper)


def verdicts(claims: Iterable[Claim]) -> pd.DataFrame:
    """The claims as a table: what, where, whether the paper makes it, measured, needed, verdict."""
    import pandas as pd

    rows = [
        {
            "claim": claim.text,
            "world": claim.world,
            "in the paper": "yes" if claim.in_paper else "no",
            "measured": claim.measured,
            "needed": f"{'>' if claim.strict else '>='} {claim.least:+.2f}",
            "verdict": claim.verdict,
        }
        for claim in claims
    ]
    columns = ["claim", "world", "in the paper", "measured", "needed", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def run_only(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of verdicts whose claim was run."""
    return table[table["verdict"] != NOT_RUN].reset_index(drop=True)


def tally(table: pd.DataFrame) -> str:
    """Count the claims of a table by verdict, and those that the paper makes.

    For example "34 claims: 30 supported, 2 refuted, 2 undecided; of the 13 that the paper makes, 12
    are supported". Claims that were not run are counted last, and only there.
    """
    run = run_only(table)
    counts = Counter(run["verdict"])
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word]) or "none run"
    theirs = run[run["in the paper"] == "yes"]
    supported = int((theirs["verdict"] == SUPPORTED).sum())
    text = f"{len(run)} claims: {told}"
    if len(theirs):
        text += f"; of the {len(theirs)} that the paper makes, {supported} supported"
    left = len(table) - len(run)
    return f"{text}; {left} not run" if left else text


def print_claims(claims: Iterable[Claim]) -> None:
    """Print the claims that were run with their verdicts, and under them the tally and the rule."""
    table = verdicts(claims)
    print_table(run_only(table).set_index("claim"), "Claims", (f"{tally(table)}.", RULE))
