"""Columns of two tables side by side: their kinds, types, numbers and categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.containers import as_frame, plain_types, values_of
from ..datasets.dates import date_form

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 250  # the trees take 255; what is rarer counts as missing
TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
EXACT = 2**53  # whole numbers below it are floats without loss
FEW_VALUES = 20  # a numeric target of so few values is a class


def column_kinds(real: pd.DataFrame, categories: Sequence[str] = ()) -> dict[str, str]:
    """Kind of each column of the real table: "number", "category" or "date".

    Dates are columns of a datetime type, objects of Python's date or datetime, and texts that
    `date_form` can read; their kind is "date " with the form, such as "date %d.%m.%Y".

    Args:
        real: the table that decides, whatever the types of a synthetic one.
        categories: columns of numbers (or of dates as texts or objects) that are codes of
            categories.

    Raises:
        ValueError: a name in `categories` that is no column.
    """
    from pandas.api import types

    categories = values_of(categories, "categories")
    unknown = [name for name in categories if name not in real.columns]
    if unknown:
        raise ValueError(f"categories= names {unknown}; the columns are {list(real.columns)}")

    def kind(name: str) -> str:
        values = real[name]
        if types.is_datetime64_any_dtype(values):
            return "date"
        if name in categories or types.is_bool_dtype(values):
            return "category"
        return "number" if types.is_numeric_dtype(values) else _kind_of_words(values)

    return {name: kind(name) for name in real.columns}


def _kind_of_words(values: pd.Series) -> str:
    """The kind of a column that is neither of numbers nor of a datetime type."""
    from pandas.api import types

    there = values.dropna()
    if there.empty or isinstance(values.dtype, types.CategoricalDtype):
        return "category"
    held = types.infer_dtype(there)
    if held in ("date", "datetime"):
        return "date"
    form = date_form(there) if held == "string" else None
    return "category" if form is None else f"date {form}"


def check_tables(real: Any, *others: Any) -> list[pd.DataFrame]:
    """All tables as DataFrames, the columns of the others in the types of the first.

    A number that another table writes as text ("1" for 1) becomes a number again, and so on.

    Raises:
        TypeError: one of them is no table (see `synthkit.datasets.as_frame`).
        ValueError: no rows or no columns, a column named twice, a column that is missing, or one of
            lists or other containers.
    """
    frames = [plain_types(as_frame(table)) for table in (real, *others)]
    real, *others = frames
    for table in frames:
        if table.empty:
            raise ValueError(f"a table has {len(table)} rows and {table.shape[1]} columns")
        if not table.columns.is_unique:
            raise ValueError(f"a column name occurs twice: {list(table.columns)}")
        lacking = [name for name in real.columns if name not in table.columns]
        if lacking:
            raise ValueError(
                f"no column {lacking} in a table with {list(table.columns)}; the real table has "
                "them: add or rename columns, or drop them there"
            )
        for name in real.columns:
            _check_values(table[name])
    return [real, *(_in_types_of(table, real) for table in others)]


def _check_values(values: pd.Series) -> None:
    if values.dtype == object:
        for value in values:
            if isinstance(value, (list, dict, set, np.ndarray)):
                raise ValueError(
                    f"column {values.name!r} of a table holds values of type {type(value).__name__}"
                    "; write them as text, or leave out the column"
                )


def _in_types_of(table: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    cast = {name: as_type_of(table[name], real[name]) for name in real.columns}
    changed = {name: values for name, values in cast.items() if values is not table[name]}
    return table.assign(**changed) if changed else table


def as_type_of(values: pd.Series, real: pd.Series) -> pd.Series:
    """A column with numbers, truth values and words written as in the real column.

    What cannot be written so stays as it is; two columns of one type come back unchanged.
    """
    import pandas as pd
    from pandas.api import types

    if isinstance(real.dtype, types.CategoricalDtype):
        real = pd.Series(real.cat.categories)
    if values.dtype == real.dtype and values.dtype != object:
        return values
    if isinstance(values.dtype, types.CategoricalDtype):
        values = values.astype(object)
    kind = types.infer_dtype(real, skipna=True)
    if kind == "boolean" and not types.is_bool_dtype(values):
        return values.astype(object).map(lambda each: TRUTH.get(str(each).strip().lower(), each))
    if types.is_numeric_dtype(real) and not types.is_numeric_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        return numbers.astype(object).where(numbers.notna() | values.isna(), values)
    if kind == "string" and types.is_numeric_dtype(values):
        return values.astype(object).map(_written, na_action="ignore")
    return values


def _written(number: Any) -> str:
    """A number as text, whole ones without a decimal point."""
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number) if whole else number)


def numbers_of(values: pd.Series, kind: str = "number", origin: int = 0) -> np.ndarray:
    """A column as floats (n,), NaN for what is missing, infinite or no number.

    Args:
        values: the column.
        kind: see `column_kinds`; dates are counted in days, those without a time zone as UTC.
        origin: see `origin_of`; numbers are counted from there.
    """
    import pandas as pd

    if kind != "number":
        _, _, form = kind.partition(" ")
        form = form.replace("%-", "%") or None
        dates = pd.to_datetime(values, format=form, errors="coerce", utc=True)
        return ((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(float)
    found = pd.to_numeric(values, errors="coerce")
    if origin:  # Python's own whole numbers have all their digits
        found = found.astype(object) - origin
    found = found.to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def origin_of(values: pd.Series, kind: str = "number") -> int:
    """From where the numbers of a column are best counted: 0, or the least one where some are whole
    numbers of 2^53 or more, which floats would round."""
    from pandas.api import types

    if kind != "number" or not types.is_integer_dtype(values) or values.isna().all():
        return 0
    low, high = int(values.min()), int(values.max())
    return low if max(-low, high) >= EXACT else 0


def codes_of(values: pd.Series, place: dict[Any, int]) -> np.ndarray:
    """A column of categories as the numbers that `place` gives them (n,), NaN where it has none."""
    return values.astype(object).map(place).to_numpy(float, na_value=np.nan)


def places_of(values: pd.Series, most: int | None = None) -> dict[Any, int]:
    """The categories of a column, the most frequent first, numbered from 0."""
    return {value: i for i, value in enumerate(counts_of(values).index[:most])}


def counts_of(values: pd.Series) -> pd.Series:
    """Count each category, the most frequent first, without those that never occur."""
    counts = values.value_counts()
    return counts[counts > 0]


def encoded(
    tables: Sequence[pd.DataFrame],
    known: pd.DataFrame,
    kinds: dict[str, str],
    most: int | None = MOST_CATEGORIES,
) -> list[np.ndarray]:
    """Each table as floats (n, columns of `kinds`): the `most` frequent categories of the table
    `known` numbered from 0, numbers as they are (large ones from the `origin_of` the first table),
    dates in days, NaN for everything else."""
    columns: list[list[np.ndarray]] = [[] for _ in tables]
    for name, kind in kinds.items():
        place = places_of(known[name], most) if kind == "category" else {}
        origin = origin_of(tables[0][name], kind)
        for table, found in zip(tables, columns):
            values = table[name]
            found.append(
                codes_of(values, place) if kind == "category" else numbers_of(values, kind, origin)
            )
    return [np.stack(found, axis=1) for found in columns]
