"""Wishes about a row's values, turned into the codes that satisfy them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .columns import MISSING, Category, Column, Constant, Date, Ranked
from .schema import TableSchema
from .values import is_number, plain


@dataclass(frozen=True)
class Codes:
    """A set of a column's codes: intervals (first, last), sorted, none touching another."""

    intervals: tuple[tuple[int, int], ...]
    missing: bool = False  # whether a missing value belongs to the set

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.intervals) + self.missing

    def all(self) -> list[int]:
        """All codes of the set."""
        codes = [code for first, last in self.intervals for code in range(first, last + 1)]
        return [*codes, MISSING] if self.missing else codes

    def some(self, n: int = 500) -> list[int]:
        """The ends of the intervals, and codes drawn from them."""
        rng, sizes = np.random.default_rng(0), [last - first + 1 for first, last in self.intervals]
        which = rng.choice(len(sizes), n, p=np.array(sizes) / sum(sizes))
        drawn = [int(rng.integers(*self.intervals[k], endpoint=True)) for k in which]
        return [*drawn, *(end for ends in self.intervals for end in ends)]

    def holds(self, codes: np.ndarray) -> np.ndarray:
        """Mask (n,) of the codes (n,) that belong to the set."""
        inside = [(codes >= first) & (codes <= last) for first, last in self.intervals]
        return np.any([*inside, (codes == MISSING) & self.missing], axis=0)


def codes_for(schema: TableSchema, conditions: Mapping[str, Any] | None = None) -> list[Codes]:
    """For each column the codes that are allowed, and satisfy the conditions.

    Args:
        schema: the columns.
        conditions: by column: a value; None for a missing value; a set or list of values; or a
            range (low, high), both included, None for an open end. Ranges hold no missing values.
    """
    conditions = {} if conditions is None else conditions
    if not isinstance(conditions, Mapping):
        raise TypeError(
            "conditions are a dictionary of column to value, set or range, found "
            f"{type(conditions).__name__}"
        )
    for name in conditions:
        schema[name]  # raises when there is no such column
    return [
        _satisfying(column, conditions[column.name]) if column.name in conditions else _all(column)
        for column in schema.columns
    ]


def _all(column: Column) -> Codes:
    if isinstance(column, Constant):
        return Codes(() if column.missing else ((0, 0),), column.missing)
    return Codes(((column.low_code, column.high_code),), column.missing)


def _satisfying(column: Column, condition: Any) -> Codes:
    """The codes of `column` that satisfy `condition`; an error when there are none."""
    if isinstance(condition, tuple):
        found = _range(column, condition)
    else:
        many = isinstance(condition, (set, frozenset, list))
        each = [_equal(column, plain(value)) for value in (condition if many else [condition])]
        missing = any(one is None for one in each) and column.missing
        found = Codes(_merged([one for one in each if isinstance(one, tuple)]), missing)
    if not len(found):
        raise ValueError(
            f"nothing satisfies the condition {column.name!r}: {condition!r}; the column holds "
            f"{_held(column)}"
        )
    return found


def _equal(column: Column, value: Any) -> tuple[int, int] | bool | None:
    """The interval of one value, None for a missing value, False where no code is the value."""
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return None
    if isinstance(column, Constant):
        same = not column.missing and value in (column.value, column.restore_one())
        return (0, 0) if same else False
    if isinstance(column, Category):
        same = (is_number(value), isinstance(value, bool))
        for code, each in enumerate(column.values):
            if each == value and same == (is_number(each), isinstance(each, bool)):
                return code, code
        return False
    ends = _ends(column, value, value)
    return ends if ends[0] <= ends[1] else False


def _range(column: Column, condition: tuple) -> Codes:
    """The codes between two bounds, either of which may be open (None)."""
    if len(condition) != 2:
        raise ValueError(
            f"column {column.name!r}: a range is (low, high), found {condition!r}; a set of values "
            "is written {...}"
        )
    low, high = map(plain, condition)
    if isinstance(column, (Category, Constant)):
        values = column.values if isinstance(column, Category) else (column.value,)
        if not getattr(column, "comparable", True) or values == (None,):
            raise ValueError(
                f"column {column.name!r}: a range needs numbers, dates or ordered categories; a "
                f"set of values is written {{...}}; the column holds {_held(column)}"
            )
        rank = _rank(column)
        try:
            low, high = (None if end is None else rank(end) for end in (low, high))
            inside = [
                (code, code)
                for code, place in enumerate(map(rank, values))
                if (low is None or place >= low) and (high is None or place <= high)
            ]
        except TypeError as error:
            raise ValueError(f"column {column.name!r}: range {condition!r}: {error}") from error
        return Codes(_merged(inside))
    first, last = _ends(column, low, high)
    return Codes(((first, last),) if first <= last else ())


def _rank(column: Category | Constant):
    """Sort key of a category's values: their level, or the values as they are."""
    if not column.ordered or column.levels is None:
        return lambda value: value

    def level(value):
        if value not in column.levels:
            raise ValueError(
                f"column {column.name!r} has no level {value!r}; it has "
                f"{', '.join(map(repr, column.levels))}"
            )
        return column.levels.index(value)

    return level


def _ends(column: Column, low: Any, high: Any) -> tuple[int, int]:
    """The first and last code between two bounds; the first is larger where there is none.

    What a column's first and last code stand for is the table's own least and largest value, which
    need not lie on the grid.
    """
    first, last = column.low_code, column.high_code
    low, high = (end if end is None else _readable(column, end) for end in (low, high))
    if isinstance(column, Date):
        place, places = column.steps, column.edges
    else:
        place, places = column.place, (column.place(column.low), column.place(column.high))
    if low is not None and place(low) > places[0]:
        first = max(first, math.ceil(place(low)))
        first = last + 1 if place(low) > places[1] else min(first, last)
    if high is not None and place(high) < places[1]:
        last = min(last, math.floor(place(high)))
        last = first - 1 if place(high) < places[0] else last
    return first, last


def _readable(column: Column, value: Any) -> Any:
    """`value`, or the date in ISO 8601 where a column of texts writes its dates in another form."""
    if isinstance(column, Date) and isinstance(value, str):
        try:
            column.place(value)
        except ValueError:
            found = pd.to_datetime(value, format="ISO8601", errors="coerce")
            return value if found is pd.NaT else found
    return value


def _merged(intervals: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Intervals sorted, and joined where they overlap or touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _held(column: Column) -> str:
    """Content of a column, short enough for a message."""
    if isinstance(column, Constant):
        return "nothing" if column.missing else f"always {column.value!r}"
    if isinstance(column, Category):
        shown = ", ".join(map(repr, column.values[:8]))
        text = shown + (f" and {len(column.values) - 8} more" if len(column.values) > 8 else "")
    else:
        text = column.span()
        if isinstance(column, Ranked):
            text = (
                f"{len(column.ranks):,} values from {text} and none between them (wish for a wider "
                "range, or infer the schema with more ranks)"
            )
    return text + (", and missing values" if column.missing else "")
