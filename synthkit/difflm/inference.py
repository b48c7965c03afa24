"""Inference of a column's kind: words, numbers on a grid or by rank, dates, or constant."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..datasets.dates import date_forms, looks_like_dates, other_form
from .columns import Category, Column, Constant, Date, Number, Ranked
from .values import ends_of, numbers_of, plain, times_of

UNITS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)  # microseconds
TYPICAL = 0.95  # a number's size: this quantile of the distances from the median
ROWS_A_VALUE = 20  # a number with fewer rows than this a value is written in digits
IDENTIFIERS = 20  # so many rows, all different, name rows
FLOAT_DIGITS, INT_DIGITS = 15, 18  # the most a float64 and a code can carry


def infer_column(
    series: pd.Series, digits: int | None, max_categories: int, few: int, ranks: int | None = None
) -> Column:
    """The kind of one column; the other arguments are those of `TableSchema.infer`."""
    there = series.dropna()
    levels, ordered, dtype = None, False, str(series.dtype)
    if isinstance(series.dtype, pd.CategoricalDtype):
        levels, ordered = tuple(map(plain, series.cat.categories)), bool(series.cat.ordered)
        series, there = series.astype(object), there.astype(object)
        dtype = "object"
    common = {"name": series.name, "missing": len(there) < len(series), "dtype": dtype}
    kind = pd.api.types.infer_dtype(there, skipna=True)
    _check_kind(series.name, there, kind, levels)
    marks = {"levels": levels, "ordered": ordered}
    if there.empty:
        warnings.warn(
            f"column {series.name!r} misses every entry: it is kept, and stays empty", stacklevel=4
        )
        return Constant(**common, **marks)
    varies = common["missing"] or there.nunique() > 1
    if kind in ("integer", "floating", "mixed-integer-float") and levels is None:
        numbers, _ = numbers_of(there)
        distinct = np.unique(numbers)
        span = int(distinct[-1]) - int(distinct[0]) if numbers.dtype.kind == "i" else math.inf
        if span < 2 * len(distinct):  # a running number
            _tell_of_identifiers(there, len(distinct), "drawn anew, so that they may repeat")
        if len(distinct) > min(few, max(2, len(series) // ROWS_A_VALUE)):
            grid = ranks is None
            return _number(numbers, digits, common) if grid else _ranked(numbers, ranks, common)
    elif kind in ("datetime64", "datetime", "date") and levels is None and varies:
        form = None if kind == "datetime64" else kind
        return _date(there, form, digits, common)
    elif kind == "string" and levels is None and varies:
        forms = date_forms(there)
        if forms:
            _tell_of_order(there, forms)
            return _date(there, forms[0], digits, common)
        _check_dates(there)
    values = _values(there, levels)
    if levels is None and all(isinstance(value, str) for value in values):
        _tell_of_identifiers(there, len(values), "copied")
    if len(values) == 1 and not common["missing"]:
        return _constant(values[0], kind, common | marks)
    if len(values) > max_categories:
        raise ValueError(
            f"column {series.name!r} holds {len(values):,} different values in {len(series):,} "
            f"rows, and each would be a token: leave the column out, put its values into groups, "
            f"or raise max_categories (now {max_categories:,})"
        )
    return Category(values=values, **common, **marks)


def _constant(value: Any, kind: str, facts: dict) -> Constant:
    """A column of one value, dates in ISO 8601."""
    form = kind if kind in ("date", "datetime") and facts["dtype"] == "object" else None
    value = value.isoformat() if hasattr(value, "isoformat") else value
    return Constant(value=value, form=form, **facts)


def _tell_of_identifiers(there: pd.Series, different: int, fate: str) -> None:
    """Warn of a column whose values name the rows."""
    if different == len(there) >= IDENTIFIERS:
        warnings.warn(
            f"column {there.name!r} holds {different:,} values, all of them different, as "
            f"identifiers are: they would be {fate}; leave the column out unless that is meant",
            stacklevel=5,
        )


def _tell_of_order(there: pd.Series, forms: list[str]) -> None:
    """Warn of dates such as 3/4/2020, which can be read with the day or the month first."""
    other = other_form(there, forms)
    if other is not None:
        warnings.warn(
            f"column {there.name!r}: dates such as {there.iloc[0]!r} are read as {forms[0]!r} and "
            f"could be {other!r}; if they are, make them dates by pd.to_datetime(..., "
            f"format={other.replace('%-', '%')!r})",
            stacklevel=5,
        )


def _check_dates(there: pd.Series) -> None:
    """Refuse words that are nearly all dates, but not in one form."""
    found = looks_like_dates(list(there))
    if found is not None:
        date, odd = found
        raise ValueError(
            f"column {there.name!r} holds dates such as {date!r}, and not all in one form from "
            f"which they come back ({odd!r}, say): make them dates by pd.to_datetime(..., "
            "errors='coerce', or utc=True for time zones), name the odd ones in "
            "load_table(missing=), or keep them as words by astype('category')"
        )


def _check_kind(name: str, there: pd.Series, kind: str, levels: tuple | None) -> None:
    """Refuse what is no entry of a table (lists, bytes, intervals, decimals, durations), and levels
    that JSON cannot hold, so that no model is trained that could not be saved."""
    known = {"string", "integer", "floating", "mixed-integer-float", "boolean", "datetime64",
             "datetime", "date", "empty", "mixed", "mixed-integer"}  # fmt: skip
    wrong = [] if kind in known else [there.iloc[0]]
    suspects = [*there] if kind in ("mixed", "mixed-integer") else []
    suspects += levels or ()
    wrong += [each for each in suspects if not isinstance(plain(each), (str, int, float))]
    wrong += [each for each in suspects if isinstance(each, float) and not math.isfinite(each)]
    if wrong:
        held, meant = ("", ", truth values or dates") if levels is None else (
            " as categories", " or truth values"
        )  # fmt: skip
        raise ValueError(
            f"column {name!r} holds {type(wrong[0]).__name__} values such as {wrong[0]!r}{held}, "
            f"where words, numbers{meant} are meant; convert it (astype(str) may do)"
        )


def _values(there: pd.Series, levels: tuple | None) -> tuple:
    """The different values in order: as the levels are, by size, or by the alphabet."""
    if there.dtype == object and pd.api.types.infer_dtype(there).startswith("mixed"):
        keys = {(type(plain(each)).__name__, plain(each)) for each in there}
        return tuple(value for _, value in sorted(keys, key=lambda key: (key[0], str(key[1]))))
    values = list(map(plain, there.unique()))
    return tuple(sorted(values, key=levels.index) if levels is not None else sorted(values))


def _number(numbers: np.ndarray, digits: int | None, common: dict) -> Number:
    """The grid of a column of numbers (n,): its step, and where its digits begin."""
    whole, low, high = _whole(numbers), plain(numbers.min()), plain(numbers.max())
    most, origin = FLOAT_DIGITS, 0
    if numbers.dtype.kind == "i":
        most, origin = INT_DIGITS, _origin(low, high)
    size = max(abs(low - origin), abs(high - origin))
    exponent = max(_exact_exponent(numbers), _magnitude(size) - most)
    if digits is not None:
        exponent = max(exponent, _magnitude(_typical(numbers)) - digits)
    if whole:
        low, high, exponent = int(low), int(high), max(exponent, 0)
    low, high = ends_of(low, high, common["dtype"]) if not whole else (low, high)
    column = Number(
        low=low, high=high, exponent=max(exponent, -300), digits=digits, integer=whole, **common
    )
    return replace(column, origin=_origin(column.low_code, column.high_code))


def _ranked(numbers: np.ndarray, ranks: int, common: dict) -> Ranked:
    """The levels of a column of numbers (n,), at most `ranks`, the least and the largest kept."""
    distinct, whole = np.unique(numbers), _whole(numbers)
    if len(distinct) > ranks:
        shares = np.linspace(0, 1, ranks)
        distinct = np.unique(np.quantile(numbers, shares, method="nearest"))
    levels = tuple(map(int if whole else float, distinct))
    return Ranked(ranks=levels, integer=whole, **common)


def _whole(numbers: np.ndarray) -> bool:
    """Tell whether all numbers (n,) are whole: integers, or floats small enough to tell."""
    if numbers.dtype.kind == "i":
        return True
    return bool((numbers == np.rint(numbers)).all() and np.abs(numbers).max() < 10**INT_DIGITS)


def _magnitude(size: float) -> int:
    """Digits before the decimal point: 3 for 305.4, 0 for 0.305, -1 for 0.03."""
    return math.floor(math.log10(size)) + 1 if size > 0 else 0


def _typical(numbers: np.ndarray) -> float:
    """The size of a column's variation, which a few huge values do not set."""
    if numbers.dtype.kind == "i" and int(numbers.max()) - int(numbers.min()) < 2**53:
        numbers = numbers - numbers.min()  # a float rounds large whole numbers, not distances
    with np.errstate(over="ignore"):
        away = np.abs(numbers.astype(float) - np.median(numbers)).clip(max=1e308)
    return float(np.quantile(away[away > 0], TYPICAL)) if (away > 0).any() else 1.0


def _exact_exponent(numbers: np.ndarray) -> int:
    """The largest power of ten of which all numbers are multiples (-300: none was found)."""
    if numbers.dtype.kind == "i" or (numbers == np.rint(numbers)).all():
        exponent, enough = 0, len(np.unique(numbers)) >= ROWS_A_VALUE
        while enough and (np.remainder(numbers, 10 ** (exponent + 1)) == 0).all():
            exponent += 1
        return exponent
    for places in range(1, FLOAT_DIGITS + 1):
        scale = float(10**places)
        with np.errstate(over="ignore"):  # an infinite product is no number of the table
            same = np.rint(numbers * scale) / scale == numbers
        if same.all():
            return -places
    return -300


def _origin(low: int, high: int) -> int:
    """A round code from which all codes are written with fewer digits and no sign, or 0."""
    if -(10**INT_DIGITS) < low <= 0:
        return 0
    round_by = 10 ** max(len(str(high - low)) - 1, 0)
    start = low // round_by * round_by
    start = start if start >= -(2**63) else low
    shorter = len(str(high - start)) < len(str(max(abs(low), abs(high))))
    return start if shorter and start > -(2**63) else 0


def _date(there: pd.Series, form: str | None, digits: int | None, common: dict) -> Date:
    """The unit and the first day of a column of dates."""
    if form == "datetime" and any(each.tzinfo is not None for each in there):
        raise ValueError(
            f"column {there.name!r} holds times of a time zone as objects; convert it by "
            "pd.to_datetime(..., utc=True)"
        )
    times, _ = times_of(there, form)
    start = int(times.min()) // UNITS[0] * UNITS[0]
    units = UNITS if digits is None else UNITS[:4]
    unit = next((unit for unit in units if ((times - start) % unit == 0).all()), units[-1])
    codes = (times - start + unit // 2) // unit
    low, high = int(codes.min()), int(codes.max())
    ends = int(times.min()) - start, int(times.max()) - start
    ends = None if ends == (low * unit, high * unit) else ends
    day = str(np.datetime64(start, "us"))
    return Date(start=day, unit=unit, low=low, high=high, form=form, ends=ends, **common)
