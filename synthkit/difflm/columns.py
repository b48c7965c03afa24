"""The kinds of column of a table: each turns values into whole numbers (codes) and back."""

from __future__ import annotations

import datetime
import math
from bisect import bisect_left
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.dates import write_dates
from .values import MICROSECOND, ends_of, is_number, numbers_of, plain, shortest, times_of, to_dtype

MISSING = int(np.iinfo(np.int64).min)  # the code of a missing value, in every column


@dataclass(frozen=True)
class Column:
    """Common part of the kinds of column.

    Attributes:
        name: the column's name.
        missing: whether entries were missing.
        dtype: the pandas type that comes back.
        kind: of the column, as the schema's JSON names it.
    """

    name: str
    _: KW_ONLY
    missing: bool = False
    dtype: str = "object"

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

    def within(self, wrong: np.ndarray, series: pd.Series, unseen: str) -> None:
        """ValueError where an entry is `wrong` (n,), that is outside, unless `unseen` allows it."""
        rows = np.flatnonzero(wrong)
        if len(rows) and unseen != "nearest":
            ends = self.restore(np.array([self.low_code, self.high_code]))
            raise ValueError(
                f"column {self.name!r}: {series.iloc[rows[0]]} (row {rows[0]}) lies outside "
                f"{ends[0]} to {ends[1]}; unseen='nearest' takes the nearest value"
            )


@dataclass(frozen=True)
class Category(Column):
    """A column of few different values, each one token.

    Attributes:
        values: the values, in order; code i stands for values[i].
        levels: all categories of a pandas `category` column, else None.
        ordered: whether that column's categories are ordered.
    """

    values: tuple
    levels: tuple | None = None
    ordered: bool = False
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
        return _in_type(self, every[np.where(codes == MISSING, len(self.values), codes)])

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
class Number(Column):
    """A column of numbers on a grid: code c stands for c x step, kept within low and high.

    Attributes:
        low, high: the least and the largest value of the table.
        exponent: the step is 10 ** exponent.
        origin: codes are written as their distance from this code (0 where signs are needed).
        digits: significant digits that were asked for; None: all.
        integer: whether all values are whole.
    """

    low: float
    high: float
    exponent: int
    origin: int = 0
    digits: int | None = None
    integer: bool = False
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
        codes = self._to_codes(numbers)
        self.within(((codes < self.low_code) | (codes > self.high_code)) & ~gone, series, unseen)
        return self.mark(np.clip(codes, self.low_code, self.high_code), gone)

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
        """Place of a number, in steps: exact, so that 0.3 is three steps of 0.1.

        Raises:
            ValueError: it is no finite number.
        """
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

    Attributes:
        ranks: values of the table, in order; a value between two of them is rounded to the nearer.
        integer: whether all values are whole.
    """

    ranks: tuple
    integer: bool = False
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
        """Place of a number, in ranks: a half where it lies between two levels.

        Raises:
            ValueError: it is no finite number.
        """
        _check_number(self.name, value)
        value = shortest(plain(value), self.dtype)
        after = bisect_left(self.ranks, value)
        there = after < len(self.ranks) and self.ranks[after] == value
        return Fraction(after) if there else Fraction(2 * after - 1, 2)


@dataclass(frozen=True)
class Date(Column):
    """A column of dates or times: code c stands for c units after a first day.

    Attributes:
        start: midnight of the first day, ISO 8601, UTC.
        unit: microseconds per step: a day, hour, minute, second, millisecond or microsecond.
        low, high: the first and the last code.
        form: how a text column writes its dates (see `synthkit.datasets.dates`); "date" or
            "datetime" for objects of Python's own types; None for a column of a datetime type.
        ends: the first and the last time in microseconds after the start, which no date that comes
            back exceeds; None where they are the codes low and high.
    """

    start: str
    unit: int
    low: int
    high: int
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
        self.within(((codes < self.low_code) | (codes > self.high_code)) & ~gone, series, unseen)
        return self.mark(np.clip(codes, self.low_code, self.high_code), gone)

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
        ends lie between two codes, and it is nearest to that one.

        Raises:
            ValueError: it cannot be read as a date.
        """
        steps = self.steps(value)
        nearest = min(max(steps, Fraction(self.low)), Fraction(self.high))
        return nearest if self.ends and abs(steps - nearest) <= Fraction(1, 2) else steps

    def steps(self, value: Any) -> Fraction:
        """Place of a date, in units after the start; a text in the form of a column of texts.

        Raises:
            ValueError: it cannot be read as a date.
        """
        written = isinstance(value, str) and self.form not in (None, "date", "datetime")
        try:
            form = self.form and self.form.replace("%-", "%")
            time = pd.to_datetime(value, format=form) if written else pd.Timestamp(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"column {self.name!r} holds dates, found {value!r}") from error
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


@dataclass(frozen=True)
class Constant(Column):
    """A column of one value, or of none: it takes no token.

    Attributes:
        value: the value; None where every entry is missing.
        levels, ordered: see `Category`.
        form: "date" or "datetime" for an object of Python's own types, see `Date`.
    """

    value: Any = None
    levels: tuple | None = None
    ordered: bool = False
    form: str | None = None
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
        return _in_type(self, np.full(len(codes), value, dtype=object))

    def restore_one(self) -> Any:
        """The value as the column holds it."""
        return self.restore(np.zeros(1, dtype=np.int64)).iloc[0]


def _in_type(column: Category | Constant, found: np.ndarray) -> pd.Series:
    """Values (n,) as a series of the column's type, with its levels if it has some."""
    if column.levels is not None:
        return pd.Series(pd.Categorical(found, list(column.levels), ordered=column.ordered))
    return to_dtype(found, column.dtype)


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
