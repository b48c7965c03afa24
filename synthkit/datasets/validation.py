"""The one check that every method makes of its data: rows are there, and columns hold text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .containers import check_whole, columns_of, is_missing, need_rows

if TYPE_CHECKING:
    from datasets import Dataset


def as_dataset(data: Any, *columns: str) -> Dataset:
    """`data` as a `datasets.Dataset` whose `columns` are there and hold text in every row.

    Args:
        data: a table (see `containers.as_frame`; its index is dropped), or a list of texts, which
            is a table with one column, `text`.
        columns: names of the columns that must hold non-blank strings.

    Returns:
        A Dataset with all the columns of `data`; `data` itself where it is one already.

    Raises:
        TypeError: `data` is nothing of that kind.
        ValueError: no rows, a column is missing (the message names those found), or a row holds
            something else than text (the message gives its number, from 0).
    """
    from datasets import Dataset

    is_dataset = isinstance(data, Dataset)
    table: Any = data.with_format(None) if is_dataset else columns_of(data)
    need_rows(len(table) if is_dataset else len(next(iter(table.values()), [])))
    need_columns(table.column_names if is_dataset else table, columns)
    for name in columns:
        check_texts(list(table[name]), name)
    return data if is_dataset else to_dataset(table)


def to_dataset(table: Mapping[str, list]) -> Dataset:
    """The columns as a Dataset; a column of nothing but None is a column of text."""
    from datasets import Dataset, Features, Value

    table = {name: _without_nan(values) for name, values in table.items()}
    try:
        dataset = Dataset.from_dict(table)
    except (TypeError, ValueError, OverflowError) as error:  # Arrow's errors are among these
        for name, values in table.items():
            check_whole(values, f"column {name!r}")
            kinds = Counter(type(value).__name__ for value in values if value is not None)
            usual = max(kinds, key=kinds.__getitem__, default="")
            bad = [i for i, v in enumerate(values) if v is not None and type(v).__name__ != usual]
            if bad and kinds["str"]:
                needed = f"{'text' if usual == 'str' else usual} as the others do"
                raise ValueError(bad_rows(name, bad, values, needed)) from error
        raise ValueError(f"a column holds values that do not go together: {error}") from error
    features: Any = {
        name: Value("string") if getattr(kind, "dtype", "") == "null" else kind
        for name, kind in dataset.features.items()
    }
    return dataset if features == dict(dataset.features) else dataset.cast(Features(features))


def _without_nan(values: list) -> list:
    """A column of texts with None where it has NaN, as a table read by pandas does."""
    if not any(isinstance(value, str) for value in values):
        return values
    return [None if isinstance(value, float) and value != value else value for value in values]


def need_columns(found: Iterable[str], wanted: Iterable[str]) -> None:
    """ValueError, naming what was found, when a wanted column is not there."""
    found = [str(name) for name in found]
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise ValueError(
            f"no column called {', '.join(map(repr, lacking))}; found {', '.join(found) or 'none'}"
        )


def is_blank(value: Any) -> bool:
    """None, NaN, or a string of nothing but white space."""
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def check_texts(values: list, column: str) -> None:
    """ValueError, naming the first bad row, when a value is not a text or is blank."""
    bad = [i for i, v in enumerate(values) if not isinstance(v, str) or not v.strip()]
    if bad:
        raise ValueError(bad_rows(column, bad, values, "text"))


def bad_rows(column: str, bad: list[int], values: list, needed: str) -> str:
    """Message about the rows numbered `bad`, which do not hold what is `needed`."""
    found = values[bad[0]]
    return (
        f"column {column!r}: {len(bad)} of {len(values)} rows do not hold {needed}; the first is "
        f"row {bad[0]} (from 0), which holds {str(found)[:60]!r} ({type(found).__name__}); "
        "mend or leave out these rows"
    )
