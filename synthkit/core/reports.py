"""An account of what a method was asked for, what it gave, and why not more."""

from __future__ import annotations

import os
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

PACKAGE = str(Path(__file__).parents[1]) + os.sep


@dataclass(repr=False)
class Report:
    """An account of one call of `fit` or `sample`.

    Attributes:
        method: the class. step: "fit" or "sample".
        asked: rows that were given to `fit`, or wanted of `sample`.
        delivered: rows that were used, or returned.
        rejected: rows or drafts turned away, counted by reason.
        warnings: sentences, each of which was a Python warning, too.
        facts: the method's own, by name.
    """

    method: str
    step: str
    asked: int = 0
    delivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def warn(self, sentence: str) -> None:
        """Note a warning, and give it at the line outside the package that called it."""
        self.warnings.append(sentence)
        warnings.warn(f"{self.method}: {sentence}", stacklevel=_level_outside())

    def reasons(self) -> str:
        """The reasons for rejections, the most frequent first: "12 x duplicate, 3 x empty"."""
        return ", ".join(f"{count} x {why}" for why, count in self.rejected.most_common())

    def __repr__(self) -> str:
        lines = [f"{self.method}.{self.step}: {self.delivered} of {self.asked} rows"]
        lines += [f"rejected: {self.reasons()}"] if self.rejected else []
        lines += [f"{name}: {value!r:.200}" for name, value in self.facts.items()]
        return "\n  ".join(lines + [f"warning: {each}" for each in self.warnings])


def _level_outside() -> int:
    """The `stacklevel`, as the caller counts, of the first frame outside the package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, level = frame.f_back, level + 1
    return level


class TooFewRows(RuntimeError):
    """`sample(strict=True)` fell short.

    Attributes:
        rows: what there is. report: the `Report` that says why there is no more.
    """

    def __init__(self, sentence: str, rows: Dataset, report: Report):
        super().__init__(sentence)
        self.rows, self.report = rows, report
