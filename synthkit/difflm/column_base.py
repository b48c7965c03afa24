"""Columns that turn values into whole numbers (codes) and back: the base, categories, constants."""

from __future__ import annotations

import datetime
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .values import is_number, numbers_of, plain, to_dtype

MISSING = int(np.iinfo(np.int64).min)  # the code of a missing value, in every column


@dataclass(frozen=True)
class Column:
    """Common part of the kinds of column; each has a `kind`, as the schema's JSON names it."""

    name: str
    _: KW_ONLY
    missing: bool = False  # whether entries were missing
    dtype: str = "object"  # the pandas type that comes back

    origin = 0  # the code from which distances are written
    low_code = 0  # the first code

    def mark(self, codes: np.ndarray, gone: np.ndarray) -> np.ndarray:
        """Codes (n,) with MISSING where an entry is missing (n,), if the column may miss some."""
        if gone.any() and not self.missing:
            raise ValueError(
                f"column {self.name!r} misses a value in row {np.flatnonzero(gone)[0]}, and none "
                "was missing when the schema was inferred; fill it, or infer the schema again"
            )
        return np.where(gone, MISSING, codes)

    def span(self) -> str:
        """The first and the last value, for a message."""
        ends = self.restore(np.array([self.low_code, self.high_code]))
        return f"{ends[0]} to {ends[1]}"

    def bounded(self, codes: np.ndarray, gone: np.ndarray, series: pd.Series, unseen: str):
        """Codes (n,) within the range, or at its nearest end if `unseen` allows it."""
        low, high = self.low_code, self.high_code
        self.within(((codes < low) | (codes > high)) & ~gone, series, unseen)
        return self.mark(np.clip(codes, low, high), gone)

    def within(self, wrong: np.ndarray, series: pd.Series, unseen: str) -> None:
        """ValueError where an entry is `wrong` (n,), that is outside, unless `unseen` allows it."""
        rows = np.flatnonzero(wrong)
        if len(rows) and unseen != "nearest":
            raise ValueError(
                f"column {self.name!r}: {series.iloc[rows[0]]} (row {rows[0]}) lies outside "
                f"{self.span()}; unseen='nearest' takes the nearest value"
            )


@dataclass(frozen=True)
class Category(Column):
    """A column of few different values, each one token."""

    values: tuple  # in order; code i stands for values[i]
    levels: tuple | None = None  # all categories of a pandas `category` column
    ordered: bool = False  # whether they are
    kind: str = field(default="category", init=False)

    @property
    def high_code(self) -> int:
        return len(self.values) - 1

    @property
    def comparable(self) -> bool:
        """True where a range means something: numbers, or ordered categories."""
        return self.ordered or all(is_number(value) for value in self.values)

    def codes(self, series: pd.Series, unseen: str = "error") -> np.ndarray:
        """The codes (n,) of values; see `TableSchema.codes`."""
        gone = series.isna().to_numpy(bool)
        table = {self._key(value): i for i, value in enumerate(self.values)}
        if self._mixed:  # 1, 1.0 and True are one value to a hash table
            found = [table.get(self._key(value), -1) for value in series]
            codes = np.array(found, dtype=np.int64)
        else:
            places, values = pd.factorize(series)
            codes = np.array([table.get(plain(value), -1) for value in values] + [-1])[places]
        if unseen == "nearest" and self.values and all(map(is_number, self.values)):
            codes = self._nearest(series, codes, gone)
        wrong = np.flatnonzero((codes < 0) & ~gone)
        if len(wrong):
            raise ValueError(
                f"column {self.name!r}: {series.iloc[wrong[0]]!r} (row {wrong[0]}) is not among "
                f"its {len(self.values)} values; infer the schema from a table that holds it"
            )
        return self.mark(codes, gone)

    def restore(self, codes: np.ndarray) -> pd.Series:
        """The values of codes (n,), in the column's type."""
        every = np.empty(len(self.values) + 1, dtype=object)
        every[:-1] = self.values
        return in_type(self, every[np.where(codes == MISSING, len(self.values), codes)])

    def _nearest(self, series: pd.Series, codes: np.ndarray, gone: np.ndarray) -> np.ndarray:
        lost = np.flatnonzero((codes < 0) & ~gone)
        numbers, _ = numbers_of(series.iloc[lost])
        away = numbers.astype(object)[:, None] - np.array(self.values, dtype=object)
        codes[lost] = np.abs(away).argmin(1) if len(lost) else 0
        return codes

    @property
    def _mixed(self) -> bool:
        kinds = {"number" if is_number(value) else type(value) for value in self.values}
        return len(kinds) > 1

    def _key(self, value: Any) -> Any:
        value = plain(value)
        return (type(value).__name__, value) if self._mixed else value


@dataclass(frozen=True)
class Constant(Column):
    """A column of one value, or of none: it takes no token."""

    value: Any = None  # None where every entry is missing
    levels: tuple | None = None  # see `Category`
    ordered: bool = False
    form: str | None = None  # "date" or "datetime" for an object of Python's own types
    kind: str = field(default="constant", init=False)

    def codes(self, series: pd.Series, unseen: str = "error") -> np.ndarray:
        """Zeros (n,), or MISSING where every entry is missing; see `TableSchema.codes`."""
        gone = series.isna().to_numpy(bool)
        other = ~gone if self.missing else gone.copy()
        if not self.missing:  # a missing value is compared with none: the answer would be missing
            other[~gone] = (series[~gone] != self.restore_one()).to_numpy(bool)
        wrong = np.flatnonzero(other)
        if len(wrong) and unseen != "nearest":
            raise ValueError(
                f"column {self.name!r}: {series.iloc[wrong[0]]!r} (row {wrong[0]}), but it was "
                f"always {self.value!r}; infer the schema from a table that holds both"
            )
        return np.full(len(series), MISSING if self.missing else 0)

    def restore(self, codes: np.ndarray) -> pd.Series:
        """The value n times, in the column's type."""
        value = self.value
        if self.form is not None:
            read = datetime.date.fromisoformat if self.form == "date" else pd.Timestamp
            value = read(value)
        return in_type(self, np.full(len(codes), value, dtype=object))

    def restore_one(self) -> Any:
        """The value as the column holds it."""
        return self.restore(np.zeros(1, dtype=np.int64)).iloc[0]


def in_type(column: Category | Constant, found: np.ndarray) -> pd.Series:
    """Values (n,) as a series of the column's type, with its levels if it has some."""
    if column.levels is not None:
        return pd.Series(pd.Categorical(found, list(column.levels), ordered=column.ordered))
    return to_dtype(found, column.dtype)
