"""Values of JSON, as a column of a table may hold them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from .columns import MISSING, Category, Column, Constant, Date


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs of a JSON object as a dictionary; KeyError, of the name, if one is there twice."""
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise KeyError(name)
    return dict(pairs)


def no_constant(word: str) -> None:
    """Refuse NaN and Infinity, which Python reads though JSON has them not."""
    raise ValueError(f"{word} is not JSON")


def value_fault(column: Column, value: Any) -> str | None:
    """Name the fault of a value of JSON in a column; None if there is none."""
    if value is None:
        return None if column.missing else "null"
    if isinstance(column, Constant) and column.missing:
        return "not empty"
    if isinstance(column, (Category, Constant)):
        values = column.values if isinstance(column, Category) else (column.value,)
        kind = isinstance(value, bool)
        same = any(each == value and isinstance(each, bool) == kind for each in values)
        return None if same else "unknown value"
    if isinstance(column, Date):
        try:
            place = column.place(value if isinstance(value, str) else None)
        except ValueError:
            return "not a date"
        return None if column.low_code <= place <= column.high_code else "outside the range"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "not a number"
    if not column.low <= value <= column.high:
        return "outside the range"
    return "not a whole number" if column.integer and value != int(value) else None


def from_values(column: Column, values: list) -> pd.Series:
    """Values of JSON as a series of the column's type."""
    if isinstance(column, Constant):
        return column.restore(np.zeros(len(values), dtype=np.int64))
    if isinstance(column, Date):
        codes = [MISSING if value is None else round(column.place(value)) for value in values]
        return column.restore(np.array(codes, dtype=np.int64))
    return column.restore(column.codes(pd.Series(values, dtype=object), "nearest"))
