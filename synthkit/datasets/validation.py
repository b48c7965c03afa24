"""The one check that every method makes of its data: rows are there, and columns hold text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset


def as_dataset(data: Dataset | pd.DataFrame | Sequence[Mapping], *columns: str) -> Dataset:
    """`data` as a `datasets.Dataset` whose `columns` are there and hold text in every row.

    Args:
        data: a Dataset, a DataFrame (its index is dropped) or a list of dictionaries.
        columns: names of the columns that must hold non-blank strings.

    Returns:
        A Dataset with all the columns of `data`; `data` itself where it is one already.

    Raises:
        TypeError: `data` is none of the three.
        ValueError: no rows, a column is missing (the message names those found), or a row holds
            something else than text (the message gives its number, from 0).
    """
    from datasets import Dataset

    table = data.with_format(None) if isinstance(data, Dataset) else columns_of(data)
    is_dataset = isinstance(table, Dataset)
    need_rows(len(table) if is_dataset else len(next(iter(table.values()), [])))
    need_columns(table.column_names if is_dataset else table, columns)
    for name in columns:
        check_texts(list(table[name]), name)
    return data if is_dataset else to_dataset(table)


def columns_of(data: Any) -> dict[str, list]:
    """The columns of a DataFrame or of a list of dictionaries; what a row lacks is None."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        if not data.columns.is_unique:
            raise ValueError(f"a column name occurs twice: {', '.join(map(str, data.columns))}")
        plain = {name for name, kind in data.dtypes.items() if kind in ("int64", "float64", "bool")}
        frame = data.astype(object).where(data.notna(), None)
        return {str(k): (data if k in plain else frame)[k].tolist() for k in data.columns}
    if not isinstance(data, (list, tuple)) or not all(isinstance(row, Mapping) for row in data):
        found = f"keys {', '.join(map(str, data))}" if isinstance(data, Mapping) else str(data)[:80]
        raise TypeError(
            "needs a datasets.Dataset (one split), a pandas.DataFrame or a list of dictionaries; "
            f"found {type(data).__name__}: {found}"
        )
    need_rows(len(data))
    names = dict.fromkeys(name for row in data for name in row)
    return {name: [row.get(name) for row in data] for name in names}


def to_dataset(table: Mapping[str, list]) -> Dataset:
    """The columns as a Dataset; a column of nothing but None is a column of text."""
    from datasets import Dataset, Features, Value

    try:
        dataset = Dataset.from_dict(dict(table))
    except (TypeError, ValueError, OverflowError) as error:  # Arrow's errors are among these
        raise ValueError(f"a column holds values that do not go together: {error}") from error
    features = {
        name: Value("string") if getattr(kind, "dtype", "") == "null" else kind
        for name, kind in dataset.features.items()
    }
    return dataset if features == dict(dataset.features) else dataset.cast(Features(features))


def need_columns(found: Iterable[str], wanted: Iterable[str]) -> None:
    """ValueError, naming what was found, when a wanted column is not there."""
    found = [str(name) for name in found]
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise ValueError(
            f"no column called {', '.join(map(repr, lacking))}; found {', '.join(found) or 'none'}"
        )


def need_rows(n: int) -> None:
    """ValueError when there are no rows."""
    if n == 0:
        raise ValueError("the data set is empty: there must be at least one row")


def is_blank(value: Any) -> bool:
    """None, NaN, or a string of nothing but white space."""
    nan = isinstance(value, float) and value != value
    return value is None or nan or (isinstance(value, str) and not value.strip())


def check_texts(values: list, column: str) -> None:
    """ValueError, naming the first bad row, when a value is not a text or is blank."""
    bad = [i for i, v in enumerate(values) if not isinstance(v, str) or not v.strip()]
    if bad:
        raise ValueError(bad_rows(column, bad, values, "text"))


def bad_rows(column: str, bad: list[int], values: list, needed: str) -> str:
    """What an error says of the rows numbered `bad`, which do not hold what is `needed`."""
    found = values[bad[0]]
    return (
        f"column {column!r}: {len(bad)} of {len(values)} rows do not hold {needed}; the first is "
        f"row {bad[0]} (from 0), which holds {str(found)[:60]!r} ({type(found).__name__}); "
        "mend or leave out these rows"
    )
