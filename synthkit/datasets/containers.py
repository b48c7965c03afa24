"""One rule for containers of data: tables of several libraries, lists of rows, lists of values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_HALF = re.compile("[\ud800-\udfff]")
TABLES = (
    "a pandas.DataFrame, a datasets.Dataset (one split), a pyarrow.Table or a list of dictionaries"
)


def is_table(data: Any) -> bool:
    """True if `data` has columns with names: a table of some library, or a list of dictionaries."""
    if hasattr(data, "column_names") or hasattr(data, "columns"):
        return True
    rows = isinstance(data, (list, tuple)) and len(data) > 0
    return rows and all(isinstance(row, Mapping) for row in data)


def as_frame(data: Any, what: str = "a table") -> pd.DataFrame:
    """`data` as a DataFrame; one that is a DataFrame comes back itself.

    Whole numbers and truth values with gaps become the nullable types Int64 and boolean, so that
    large numbers keep their last digit.

    Args:
        data: a DataFrame, a Dataset, a pyarrow table or record batch (or a table of another library
            that Arrow can read), or a list of dictionaries.
        what: what the error calls it.

    Raises:
        TypeError: none of these. ValueError: a list without rows, or a column name twice.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    table = arrow_of(data)
    if table is not None:
        check_names(table.column_names)
        series = [_from_arrow(column) for column in table.columns]
        return pd.DataFrame(dict(enumerate(series))).set_axis(table.column_names, axis=1)
    columns = columns_of_rows(data, what)
    for name, values in columns.items():
        check_whole(values, f"column {name!r}")
    return pd.DataFrame({name: with_gaps(values) for name, values in columns.items()})


def plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its Arrow columns in the types that pandas has of its own."""
    import pandas as pd

    arrow = [name for name in frame.columns if isinstance(frame.dtypes[name], pd.ArrowDtype)]
    if not arrow:
        return frame
    found = {name: _from_arrow(frame[name].array.__arrow_array__()) for name in arrow}
    return frame.assign(**{name: each.set_axis(frame.index) for name, each in found.items()})


def columns_of(data: Any) -> dict[str, list]:
    """The columns of a table as lists of Python's own values, None where one is missing.

    Args:
        data: see `as_frame`; a list of texts is a table with one column, `text`.

    Raises:
        TypeError, ValueError: see `as_frame`.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        check_names(data.columns)
        return {str(name): _plain_column(data[name]) for name in data.columns}
    table = arrow_of(data)
    if table is not None:
        check_names(table.column_names)
        return {name: table[name].to_pylist() for name in table.column_names}
    if is_list_of_texts(data):
        return {"text": values_of(data)}
    return columns_of_rows(data)


def columns_of_rows(rows: Any, what: str = "data") -> dict[str, list]:
    """The columns of a list of dictionaries; what a row lacks is None."""
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError(f"{what} must be {TABLES}; found {found(rows)}")
    need_rows(len(rows))
    names = dict.fromkeys(name for row in rows for name in row)
    check_names(names)
    return {str(name): [row.get(name) for row in rows] for name in names}


def rows_of(data: Any) -> list[Mapping[str, Any]]:
    """The rows of a table as dictionaries; a list of dictionaries comes back as it is.

    Raises:
        TypeError, ValueError: see `columns_of`.
    """
    if isinstance(data, (list, tuple)) and all(isinstance(row, Mapping) for row in data):
        return list(data)
    columns = columns_of(data)
    return [dict(zip(columns, row)) for row in zip(*columns.values())]


def arrow_of(data: Any) -> pa.Table | None:
    """The Arrow table of a Dataset, of a pyarrow table or of one that Arrow can read, or None.

    Raises:
        TypeError: a dictionary of splits, or a Dataset that is read as a stream.
    """
    if isinstance(data, (list, tuple)):
        return None
    import pyarrow as pa
    from datasets import Dataset

    if isinstance(data, Dataset):
        return data.with_format("arrow")[:] if len(data.column_names) else data.data.table
    if isinstance(data, Mapping) or not hasattr(data, "column_names"):
        own = hasattr(data, "columns") and not isinstance(data, Mapping)
        return pa.table(data) if own and hasattr(data, "__arrow_c_stream__") else None
    try:
        return pa.table(data)
    except (TypeError, ValueError) as error:  # an IterableDataset, say
        raise TypeError(
            f"needs {TABLES}, found {type(data).__name__}; read all of its rows first, with "
            "list(...)"
        ) from error


def values_of(values: Any, what: str = "values") -> list:
    """A column as a list of Python's own values; NA and NaT become None.

    Args:
        values: a list, a tuple, a pandas Series or Index, a numpy or Arrow array, a column of a
            Dataset, a tensor, or anything else to go through once.
        what: what the error calls them.

    Raises:
        TypeError: one string, a table, or nothing that can be gone through.
    """
    import pandas as pd

    if isinstance(values, str):
        raise TypeError(f"{what} must be a list, found one string: write [{values[:40]!r}]")
    if isinstance(values, (bytes, Mapping)) or not isinstance(values, Iterable) or is_table(values):
        raise TypeError(f"{what} must be a list, found {found(values)}")
    read = next((name for name in ("to_pylist", "tolist") if hasattr(values, name)), None)
    listed = list(values) if read is None else getattr(values, read)()
    if not isinstance(listed, list):  # an array without a dimension
        raise TypeError(f"{what} must be a list, found {found(values)}")
    return [None if value is pd.NA or value is pd.NaT else value for value in listed]


def is_list_of_texts(data: Any) -> bool:
    """True if `data` is no table and holds texts: a list, a Series, a column of a Dataset."""
    if isinstance(data, (str, bytes, Mapping)) or is_table(data):
        return False
    if not isinstance(data, Sequence) and not hasattr(data, "__array__"):
        return False
    if getattr(data, "ndim", 1) != 1 or getattr(getattr(data, "dtype", None), "kind", "O") in "iuf":
        return False
    return any(isinstance(value, str) for value in values_of(data))


def texts_of(data: Any, text: str | None = None, *, least: int = 1) -> list[str]:
    """The texts of a table or a list, as a list of str.

    Args:
        data: a table (see `as_frame`), or texts in whatever `values_of` reads.
        text: the column to read. Default: `text`; else `question`, with `answer` below it if there.
        least: how many texts there must be.

    Raises:
        ValueError: there is no such column (the message lists those found), or no text at all, or,
            unless `least` is 0, an empty one.
        TypeError: `data` is none of these kinds, or an entry is not a str.
    """
    if isinstance(data, str):
        raise TypeError(f"give a list of texts, not one string: write [{data[:40]!r}]")
    if isinstance(data, Mapping) and hasattr(data, "column_names"):
        raise ValueError(f"this is a dictionary of splits ({', '.join(data)}): name one of them")
    if not is_table(data):
        return _checked(values_of(data, "texts"), "the list", least)
    columns = columns_of(data)
    wanted = [text] if text else ["text"] if "text" in columns else ["question", "answer"]
    there = [column for column in wanted if column in columns]
    if not there or wanted[0] != there[0]:
        asked = repr(text) if text else "'text' or 'question'"
        raise ValueError(f"no column {asked}; found {', '.join(columns)}. Name one with text=")
    parts = [_checked(columns[column], f"column {column!r}", least) for column in there]
    return ["\n".join(row) for row in zip(*parts)]


def _checked(values: list[Any], where: str, least: int) -> list[str]:
    if len(values) < least:
        raise ValueError(f"{where} is empty: there is no text to measure")
    for row, value in enumerate(values):
        if not isinstance(value, str):
            raise TypeError(
                f"{where} must hold texts; row {row} is {type(value).__name__} ({value})"
            )
        if least and not value.strip():
            raise ValueError(f"{where}: row {row} is empty ({value!r}); mend or leave out this row")
    check_whole(values, where)
    return values


def with_gaps(values: list) -> pd.Series:
    """Values as a Series: whole numbers and truth values with gaps in pandas' nullable types."""
    import pandas as pd

    there = [value for value in values if not is_missing(value)]
    kind = pd.api.types.infer_dtype(there)
    if len(there) == len(values) or kind not in ("integer", "boolean"):
        return pd.Series(values, dtype=None if there else object)
    values = [None if is_missing(value) else value for value in values]
    large = kind == "integer" and not -(2**63) <= min(there) <= max(there) < 2**63
    return pd.Series(values, dtype=object if large else {"integer": "Int64"}.get(kind, kind))


def is_missing(value: Any) -> bool:
    """None, NaN, NA or NaT."""
    import pandas as pd

    gone = value is None or value is pd.NA or value is pd.NaT
    return gone or (isinstance(value, float) and value != value)


def need_rows(n: int) -> None:
    """Raise ValueError when there are no rows."""
    if n == 0:
        raise ValueError("the data set is empty: there must be at least one row")


def check_names(names: Iterable) -> None:
    """Raise ValueError when a column name occurs twice, as text."""
    written = [str(name) for name in names]
    twice = sorted({name for name in written if written.count(name) > 1})
    if twice:
        raise ValueError(f"a column name occurs twice: {', '.join(twice)}; rename them")


def check_whole(values: Iterable, where: str) -> None:
    """ValueError, naming the row, when a text holds half a character (a lone surrogate)."""
    for row, value in enumerate(values):
        if isinstance(value, str) and not value.isascii() and _HALF.search(value):
            raise ValueError(
                f"{where}: row {row} (from 0) holds half a character, a lone surrogate, "
                f"which no file can keep: {value!a:.60}; mend or leave out this row"
            )


def found(data: Any) -> str:
    """A description of data of a wrong kind, for errors, with advice where there is any."""
    kind = type(data).__name__
    if data is None:
        return kind
    if isinstance(data, Mapping):
        return f"{kind}: keys {', '.join(map(str, data))}"
    if isinstance(data, Iterator):
        return f"{kind}: give list(...) of it"
    if isinstance(data, (list, tuple)):
        return f"{kind} of {', '.join(sorted({type(each).__name__ for each in data}))}"
    hint = "; load_table(path) or load_texts(path) reads a file" if _is_path(data) else ""
    return f"{kind}: {str(data)[:80]}{hint}"


def _is_path(data: Any) -> bool:
    from pathlib import Path

    return isinstance(data, Path) or (isinstance(data, str) and bool(Path(data[:999]).suffix))


def _from_arrow(column: pa.ChunkedArray) -> pd.Series:
    """An Arrow column as a Series; whole numbers and truth values with gaps stay what they are."""
    if column.null_count and str(column.type).startswith(("int", "uint", "bool")):
        return with_gaps(column.to_pylist())
    return column.to_pandas()


def _plain_column(series: pd.Series) -> list:
    """The values of a Series, None where one is missing; floats of numpy keep their NaN."""
    if str(series.dtype) in ("int64", "float64", "bool"):
        return series.tolist()
    return series.astype(object).where(series.notna(), None).tolist()
