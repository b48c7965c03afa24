"""Claims of a study: a number that was asked for before the run, what was found, a verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..core.intervals import Interval, mean_interval
from .measurements import values

if TYPE_CHECKING:
    import pandas as pd

    from .results import Result

SUPPORTED, REFUTED, UNDECIDED, NOT_RUN = "supported", "refuted", "undecided", "not run"
VERDICTS = (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN)
RULE = (
    "Supported: the whole 95 % interval lies on the claimed side of the number. Refuted: the whole "
    "interval lies on the other side. Undecided: the interval contains the number, or fewer than "
    "three seeds were run."
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


# --- what is claimed ------------------------------------------------------------------------------

Name = str | Callable[["Result", Mapping[str, str]], str]  # or found in a run, at one place


def _name(name: Name, result: Result, place: Mapping[str, str]) -> str:
    return name if isinstance(name, str) else name(result, place)


def _told(name: Name) -> str:
    return name if isinstance(name, str) else name.__name__.replace("_", " ")


@dataclass(frozen=True)
class Level:
    """One number per seed: a measure of an arm, its size alone if `absolute`, times `sign`.

    With a sign of -1 the claim is that the measure stays below a bar; its findings are shown with
    the measure's own sign.
    """

    measure: Name
    arm: Name
    sign: int = 1
    absolute: bool = False

    def numbers(self, result: Result, place: Mapping[str, str]) -> np.ndarray:
        measure, arm = (_name(name, result, place) for name in (self.measure, self.arm))
        found = values(result, measure, arm, **place)
        return self.sign * (np.abs(found) if self.absolute else found)

    def __str__(self) -> str:
        size = "|{}|" if self.absolute else "{}"
        return size.format(f"{_told(self.measure)} of {_told(self.arm)}")


@dataclass(frozen=True)
class Gap:
    """One number per seed: a measure of an arm, minus that of another (or minus its `less`)."""

    measure: Name
    arm: Name
    against: Name
    less: Name | None = None

    def numbers(self, result: Result, place: Mapping[str, str]) -> np.ndarray:
        first = Level(self.measure, self.arm).numbers(result, place)
        return first - Level(self.less or self.measure, self.against).numbers(result, place)

    def __str__(self) -> str:
        less = Level(self.less or self.measure, self.against)
        return f"{Level(self.measure, self.arm)} - {less}"


@dataclass(frozen=True)
class Claim:
    """A statement about a study, with the number that it needs.

    Attributes:
        id: unique in its study.
        text: the sentence; "{arm}" stands for the arm of the rule.
        rule: the number that is measured for each seed.
        least: the number that the mean must reach; by place, where it differs, and then the claim
            is made in these places only.
        strict: reaching it is not enough, it must be exceeded.
        paper: the id of the claim of the method's paper (in `data/papers`) that is tested, in its
            direction: `least` is the kit's; empty for a claim of the kit's own.
        at: the places where it is made; default: all.
    """

    id: str
    text: str
    rule: Level | Gap
    least: float | Mapping[str, float] = 0.0
    strict: bool = False
    paper: str = ""
    at: tuple[str, ...] = ()

    def made_at(self, place: str) -> bool:
        """Tell whether the claim is made in a place."""
        return place in (self.least if isinstance(self.least, Mapping) else self.at or (place,))

    def find(self, result: Result, name: str, place: Mapping[str, str]) -> Finding:
        """The claim with what a run measured in one place."""
        least = self.least[name] if isinstance(self.least, Mapping) else self.least
        text = self.text.format(arm=_name(self.rule.arm, result, place))
        numbers = self.rule.numbers(result, place)
        return level(text, numbers, least, where=name, strict=self.strict, claim=self)


def judge(
    claims: Iterable[Claim], result: Result, places: Mapping[str, Mapping[str, str]]
) -> list[Finding]:
    """Every claim in every place where it is made, with what a run measured there."""
    claims = tuple(claims)
    return [
        claim.find(result, name, place)
        for name, place in places.items()
        for claim in claims
        if claim.made_at(name)
    ]


# --- what was found -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """A statement with the number it needs, and what was measured.

    Attributes:
        text: what is claimed.
        place: where.
        numbers: what was measured, one number per seed; none if it was not run.
        least, strict: see `Claim`.
        claim: the declaration it comes from, if any.
    """

    text: str
    place: str
    numbers: tuple[float, ...]
    least: float
    strict: bool = False
    claim: Claim | None = field(default=None, repr=False)

    @property
    def in_paper(self) -> bool:
        """True if the method's paper makes this claim, not the kit."""
        return self.claim is not None and bool(self.claim.paper)

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
    def sign(self) -> int:
        """-1 for a claim that a number stays below a bar, whose sign the rule turns; else 1."""
        return getattr(self.claim and self.claim.rule, "sign", 1)

    @property
    def needed(self) -> str:
        """The number that is needed, such as ">= +0.10"; "<= 0.06" where it should be small."""
        least = self.least if self.sign > 0 else 0 - self.least
        digits = next(n for n in range(2, 9) if n == 8 or round(least, n) == least)
        side = "=" * (not self.strict)
        return f"<{side} {least:.{digits}f}" if self.sign < 0 else f">{side} {least:+.{digits}f}"

    @property
    def shown(self) -> Interval | None:
        """`found` with the sign that the measure has by itself."""
        return -self.found if self.found and self.sign < 0 else self.found

    @property
    def measured(self) -> str:
        """The measured value, with as many decimals as it takes to see the verdict."""
        found = self.found
        if found is None or self.shown is None:
            n = len(self.numbers)
            return f"{self.sign * float(np.mean(self.numbers)):.3f}, n={n}" if n else "-"
        digits = found.digits
        while digits < 6:
            ends = (round(end, digits) for end in (found.mean, found.low, found.high))
            if verdict(Interval(*ends, found.n), self.least, strict=self.strict) == self.verdict:
                break
            digits += 1
        return self.shown.text(digits)


def level(
    text: str, numbers: Sequence[float] | np.ndarray, least: float = 0.0, *, where: str = "",
    strict: bool = False, claim: Claim | None = None,
) -> Finding:  # fmt: skip
    """A finding from one number per seed; those that were not measured are NaN."""
    found = np.asarray(numbers, dtype=float)
    there = tuple(found[np.isfinite(found)].tolist())
    return Finding(text, where, there, least, strict, claim)


def verdicts(findings: Iterable[Finding]) -> pd.DataFrame:
    """The findings as a table: what, where, if the paper says so, measured, needed, verdict."""
    import pandas as pd

    rows = [
        {
            "claim": found.text,
            "world": found.place,
            "in the paper": "yes" if found.in_paper else "no",
            "measured": found.measured,
            "needed": found.needed,
            "verdict": found.verdict,
        }
        for found in findings
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
