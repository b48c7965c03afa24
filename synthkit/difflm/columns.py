"""The kinds of column of a table: each turns values into whole numbers (codes) and back."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.dates import write_dates
from .column_base import MISSING, Category, Column, Constant
from .values import MICROSECOND, ends_of, is_number, numbers_of, plain, shortest, times_of, to_dtype

__all__ = ["MISSING", "Category", "Column", "Constant", "Date", "Number", "Ranked"]


@dataclass(frozen=True)
class Number(Column):
    """A column of numbers on a grid: code c stands for c x step, kept within low and high."""

    low: float  # the least value of the table
    high: float  # and the largest
    exponent: int  # the step is 10 ** exponent
    origin: int = 0  # codes are written as their distance from this one (0: signs are needed)
    digits: int | None = None  # significant digits that were asked for; None: all
    integer: bool = False  # whether all values are whole
    dtype: str = field(default="float64", kw_only=True)
    kind: str = field(default="number", init=False)

    @property
    def step(self) -> float:
        return 10**self.exponent if self.exponent >= 0 else float(f"1e{self.exponent}")

    @property
    def low_code(self) -> int:
        return int(self._to_codes(np.array([self.low]))[0])

    @property
    def high_code(self) -> int:
        return int(self._to_codes(np.array([self.high]))[0])

    def codes(self, series: pd.Series, unseen: str = "error") -> np.ndarray:
        """The codes (n,) of numbers, rounded to the nearest step; see `TableSchema.codes`."""
        numbers, gone = numbers_of(series)
        return self.bounded(self._to_codes(numbers), gone, series, unseen)

    def restore(self, codes: np.ndarray) -> pd.Series:
        """The numbers of codes (n,), in the column's type."""
        gone = codes == MISSING
        codes = np.where(gone, self.low_code, codes)
        if self.integer:  # compared before they are multiplied, which may take more than 64 bits
            step, low, high = 10 ** max(self.exponent, 0), int(self.low), int(self.high)
            least, most = -(-low // step), high // step
            values = np.clip(codes, least, most) * step
            values = np.where(codes < least, low, np.where(codes > most, high, values))
        else:
            scale = float(10 ** abs(self.exponent))
            with np.errstate(over="ignore"):  # the largest float, rounded up: clipped next
                values = codes * scale if self.exponent >= 0 else codes / scale
            values = np.clip(values, self.low, self.high)
        return _with_gaps(values, gone, self.dtype)

    def place(self, value: Any) -> Fraction:
        """Place of a finite number, in steps: exact, so that 0.3 is three steps of 0.1."""
        _check_number(self.name, value)
        return Fraction(str(shortest(plain(value), self.dtype))) / Fraction(10) ** self.exponent

    def _to_codes(self, numbers: np.ndarray) -> np.ndarray:
        if self.integer:  # one rule for halves, whether whole numbers come as int or as float
            if numbers.dtype.kind != "i":
                most = 2.0**63 - 1024  # the largest float below 2 ** 63
                numbers = np.rint(np.clip(numbers, -(2.0**63), most)).astype(np.int64)
            step = 10 ** max(self.exponent, 0)  # the sum of a number and half a step may overflow
            return numbers // step + (numbers % step + step // 2) // step
        scale = float(10 ** abs(self.exponent))
        with np.errstate(over="ignore"):
            scaled = numbers / scale if self.exponent >= 0 else numbers * scale
        return np.rint(np.clip(scaled, -(2.0**62), 2.0**62)).astype(np.int64)


@dataclass(frozen=True)
class Ranked(Column):
    """A column of numbers by rank: code c stands for ranks[c].

    Where the table has more values than ranks, the ranks lie equally many rows apart. So the first
    digit of a code tells the most, however long the tails of the column are, and with 1,000 ranks
    and few ties all digits of a place are as frequent; a grid (`Number`) spends its first digits on
    outliers. What is drawn are values of the table itself.
    """

    ranks: tuple  # values of the table, in order; one between two of them goes to the nearer
    integer: bool = False  # whether all values are whole
    dtype: str = field(default="float64", kw_only=True)
    kind: str = field(default="ranked", init=False)

    @property
    def low(self):
        return ends_of(self.ranks[0], self.ranks[-1], self.dtype)[0]

    @property
    def high(self):
        return ends_of(self.ranks[0], self.ranks[-1], self.dtype)[1]

    @property
    def high_code(self) -> int:
        return len(self.ranks) - 1

    def codes(self, series: pd.Series, unseen: str = "error") -> np.ndarray:
        """The codes (n,) of numbers, of the nearest level each; see `TableSchema.codes`."""
        numbers, gone = numbers_of(series)
        self.within(((numbers < self.low) | (numbers > self.high)) & ~gone, series, unseen)
        levels = np.array(self.ranks)
        numbers = np.clip(numbers, levels[0], levels[-1])
        after = np.searchsorted(levels, numbers).clip(1, len(levels) - 1)
        with np.errstate(over="ignore"):  # an infinite distance is the larger one all the same
            left, right = numbers - levels[after - 1], levels[after] - numbers
        if left.dtype.kind == "i":  # no distance is negative, and unsigned ones take 64 bits
            left, right = left.view(np.uint64), right.view(np.uint64)
        return self.mark(after - (left <= right), gone)

    def restore(self, codes: np.ndarray) -> pd.Series:
        """The levels of codes (n,), in the column's type."""
        gone = codes == MISSING
        values = np.array(self.ranks)[np.where(gone, 0, codes)]
        return _with_gaps(values, gone, self.dtype)

    def place(self, value: Any) -> Fraction:
        """Place of a finite number, in ranks: a half where it lies between two levels."""
        _check_number(self.name, value)
        value = shortest(plain(value), self.dtype)
        after = bisect_left(self.ranks, value)
        there = after < len(self.ranks) and self.ranks[after] == value
        return Fraction(after) if there else Fraction(2 * after - 1, 2)


@dataclass(frozen=True)
class Date(Column):
    """A column of dates or times: code c stands for c units after a first day.

    `form` is how a text column writes its dates (see `synthkit.datasets.dates`); "date" or
    "datetime" for objects of Python's own types; None for a column of a datetime type. `ends` are
    the first and the last time in microseconds after the start, which no date that comes back
    exceeds; None where they are the codes low and high.
    """

    start: str  # midnight of the first day, ISO 8601, UTC
    unit: int  # microseconds in a step: a day, an hour, down to a microsecond
    low: int  # the first code
    high: int  # the last one
    form: str | None = None
    dtype: str = field(default=MICROSECOND, kw_only=True)
    ends: tuple[int, int] | None = None
    kind: str = field(default="date", init=False)

    @property
    def low_code(self) -> int:
        return self.low

    @property
    def high_code(self) -> int:
        return self.high

    def codes(self, series: pd.Series, unseen: str = "error") -> np.ndarray:
        """The codes (n,) of dates, rounded to the nearest unit; see `TableSchema.codes`."""
        times, gone = times_of(series, self.form)
        wrong = np.flatnonzero(gone & series.notna().to_numpy(bool))
        if len(wrong):
            raise ValueError(
                f"column {self.name!r}: {series.iloc[wrong[0]]!r} (row {wrong[0]}) is no date of "
                f"the form {self.form!r}"
            )
        codes = (times - self._start + self.unit // 2) // self.unit
        return self.bounded(codes, gone, series, unseen)

    def restore(self, codes: np.ndarray) -> pd.Series:
        """The dates of codes (n,), in the column's type."""
        gone = codes == MISSING
        times = np.where(gone, 0, codes) * self.unit
        if self.ends is not None:
            times = np.clip(times, *self.ends)
        series = pd.Series((times + self._start).astype(MICROSECOND)).mask(gone)
        if self.form == "date":
            return series.dt.date.astype(object).where(~gone, None)
        if self.form == "datetime":
            return series.astype(object).where(~gone, None)
        if self.form is not None:
            return to_dtype(write_dates(series, self.form).to_numpy(object), self.dtype, gone)
        zone = getattr(pd.api.types.pandas_dtype(self.dtype), "tz", None)
        return (series if zone is None else series.dt.tz_localize("UTC")).astype(self.dtype)

    def place(self, value: Any) -> Fraction:
        """Place of a date, in units after the start; at the first or the last code if the table's
        ends lie between two codes, and it is nearest to that one."""
        steps = self.steps(value)
        nearest = min(max(steps, Fraction(self.low)), Fraction(self.high))
        return nearest if self.ends and abs(steps - nearest) <= Fraction(1, 2) else steps

    def steps(self, value: Any) -> Fraction:
        """Place of a date, in units after the start; a text in the form of a column of texts."""
        written = isinstance(value, str) and self.form not in (None, "date", "datetime")
        form = self.form and self.form.replace("%-", "%")
        try:
            time = pd.to_datetime(value, format=form) if written else pd.Timestamp(value)
        except (TypeError, ValueError):
            time = pd.NaT
        if time is pd.NaT:
            raise ValueError(f"column {self.name!r} holds dates, found {value!r}")
        zone = None if self.form else getattr(pd.api.types.pandas_dtype(self.dtype), "tz", None)
        if time.tzinfo is None and zone is not None:
            time = time.tz_localize(zone)
        if time.tzinfo is not None:
            time = time.tz_convert("UTC").tz_localize(None)
        away = int(time.to_datetime64().astype(MICROSECOND).astype(int)) - self._start
        return Fraction(away, self.unit)

    @property
    def edges(self) -> tuple[Fraction, Fraction]:
        """Places of the first and the last date, in units after the start."""
        ends = self.ends or (self.low * self.unit, self.high * self.unit)
        return Fraction(ends[0], self.unit), Fraction(ends[1], self.unit)

    @property
    def _start(self) -> int:
        return int(np.datetime64(self.start, "us").astype(np.int64))


def _with_gaps(values: np.ndarray, gone: np.ndarray, dtype: str) -> pd.Series:
    """Numbers (n,) as a series of the type named, missing where `gone` (n,) says so."""
    if not gone.any() and dtype != "object":
        return pd.Series(values).astype(dtype)
    found = values.astype(object)
    found[gone] = None
    return to_dtype(found, dtype)


def _check_number(name: str, value: Any) -> None:
    """Raise ValueError when `value` is no finite number."""
    if not is_number(value) or not math.isfinite(value):
        raise ValueError(f"column {name!r} holds numbers, found {value!r}")
