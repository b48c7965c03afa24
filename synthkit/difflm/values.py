"""Entries of a table as numpy holds them, and back into the types that pandas gave them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..datasets.dates import read_dates

MICROSECOND = "datetime64[us]"


def numbers_of(series: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers (n,) int64 or float64, 0 where one is missing, and which are missing (n,)."""
    gone = series.isna().to_numpy(bool)
    objects = series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "integer"
    if objects or pd.api.types.is_integer_dtype(series.dtype):
        there = series[~gone]
        if len(there) and not -(2**63) <= int(there.min()) <= int(there.max()) < 2**63:
            raise ValueError(
                f"column {series.name!r} holds whole numbers of more than 64 bits; convert it to "
                "float, or to words"
            )
        return series.where(~gone, 0).to_numpy(np.int64), gone
    if series.dtype in (np.float32, np.float16):  # 0.1 is meant, not 0.10000000149
        series = pd.Series(series.to_numpy().astype(str).astype(float), name=series.name)
    try:
        numbers = pd.to_numeric(series).to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {series.name!r} should hold numbers: {error}") from error
    wrong = np.flatnonzero(np.isinf(numbers))
    if len(wrong):
        raise ValueError(
            f"column {series.name!r} holds {len(wrong)} infinite values, the first in row "
            f"{wrong[0]}; replace them by a number or by a missing value"
        )
    return np.where(gone, 0.0, numbers), gone


def times_of(series: pd.Series, form: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds since 1970 in UTC (n,), 0 where missing or unreadable, and which those are."""
    if form is not None:
        series = read_dates(series, None if form in ("date", "datetime") else form)
    elif not pd.api.types.is_datetime64_any_dtype(series.dtype):
        series = pd.to_datetime(series, errors="coerce")
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    gone = series.isna().to_numpy(bool)
    times = series.to_numpy().astype(MICROSECOND).astype(np.int64)
    return np.where(gone, 0, times), gone


def to_dtype(found: np.ndarray, dtype: str, gone: np.ndarray | None = None) -> pd.Series:
    """Objects (n,), None where missing, as a series of the type named."""
    if gone is not None:
        found = np.where(gone, None, found)
    series = pd.Series(found, dtype=object)
    old_pandas = dtype == "str" and int(pd.__version__.split(".")[0]) < 3
    return series if dtype == "object" or old_pandas else series.astype(dtype)


def shortest(value: float, dtype: str) -> float:
    """A number as its column writes it: 0.3 in a column of float32, not 0.30000001192092896."""
    if dtype not in ("float32", "float16"):
        return value
    with np.errstate(over="ignore"):
        found = float(str(np.dtype(dtype).type(value)))
    return found if np.isfinite(found) else value


def ends_of(low: float, high: float, dtype: str) -> tuple[float, float]:
    """A column's least and largest number, both as it writes them and as 64 bits hold them."""
    if dtype not in ("float32", "float16"):
        return low, high
    least, largest = (float(np.dtype(dtype).type(end)) for end in (low, high))
    return min(low, least), max(high, largest)


def plain(value: Any) -> Any:
    """A numpy scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
