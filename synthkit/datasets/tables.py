"""Tables from files or from memory, with a type for each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .containers import as_frame, check_names, values_of
from .delimited import read_words
from .files import format_of, local_file
from .reading import read_typed
from .words import typed

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL")  # "None" is often a real category


def load_table(
    source: str | Path | pd.DataFrame | Dataset | Sequence[Mapping],
    *,
    sep: str | None = None,
    decimal: str | None = None,
    dtype: Any = None,
    missing: Sequence[str] = MISSING,
) -> pd.DataFrame:
    """A table with a type for each column.

    Of words in a file, whole numbers become int64 (where some are missing float64, or Int64 where
    that would round), other numbers float64, True and False bool (with gaps boolean). Everything
    else stays as it is written: words, dates, numbers with leading zeros, amounts of money.

    Args:
        source: a file, packed with gzip or not: csv or tsv with a header and any of the separators
            comma, semicolon, tab and bar, in UTF-8 or with a byte-order mark; parquet, feather,
            json, jsonl; Excel, which needs openpyxl. Or a table in memory, which is copied and
            renumbered (see `containers.as_frame`).
        sep: the separator; None finds the one that cuts all lines into as many fields.
        decimal: the decimal mark, "." or ","; None finds it out.
        dtype: a type, or a dictionary of types by column, instead of those found: `{"zip": str}`.
            Numeric types drop currency and per cent signs.
        missing: the entries of a file that stand for a missing value.

    Raises:
        FileNotFoundError: there is no such file. TypeError: `source` is no path and no table.
        ImportError: see `source`.
        ValueError: no rows, no columns, a column named twice, a line of too many fields, or a word
            that is nothing of the type asked for.

    Warns:
        UserWarning: lines with too few fields, numbers that can be read in two ways, amounts.
    """
    if decimal not in (None, ".", ","):
        raise ValueError(f"decimal is '.' or ',', or None to find it out; found {decimal!r}")
    if sep is not None and (not isinstance(sep, str) or len(sep) != 1):
        raise ValueError(f"sep is one character, or None to find it out; found {sep!r}")
    if not isinstance(source, (str, Path)):
        frame = as_frame(source, "the table").reset_index(drop=True)
    elif (frame := read_typed(path := local_file(source), missing)) is None:
        words, sep = read_words(path, sep or ("\t" if format_of(path) == ".tsv" else None))
        check_names(words.columns)
        how = {"decimal": decimal, "dtype": dtype, "missing": values_of(missing, "missing")}
        frame, dtype = typed(words, separator=sep, **how), None
    frame.columns = [str(name) for name in frame.columns]
    check_names(frame.columns)
    if frame.empty:
        raise ValueError(f"the table has {len(frame)} rows and {frame.shape[1]} columns; give some")
    return frame if dtype is None else _as_types(frame, dtype)


def _as_types(frame: pd.DataFrame, dtype: Any) -> pd.DataFrame:
    """A table that had types already, in others."""
    try:
        return frame.astype(dtype)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the table does not take dtype={dtype!r}: {error}") from error
