"""Rows and tables of files, by the ending of their names."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.files import read_json, read_jsonl
from .containers import as_frame, with_gaps
from .delimited import read_words
from .files import FORMATS, content_of, format_of, lines

if TYPE_CHECKING:
    import pandas as pd


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a csv, tsv, json, jsonl or txt file as dictionaries."""
    kind = format_of(path)
    if kind in (".csv", ".tsv"):
        return read_words(path)[0].to_dict("records")
    if kind == ".txt":
        return [{"text": line} for line in lines(path)]
    if kind == ".jsonl":
        return read_jsonl(path)
    if kind != ".json":
        raise ValueError(f"{path.name} is of no known format; use one of {', '.join(FORMATS)}")
    try:
        value = read_json(path)
    except ValueError as error:
        if "Extra data" not in str(error):
            raise
        return read_jsonl(path)  # JSON Lines behind .json
    if isinstance(value, dict) and isinstance(value.get("entries"), list):
        value = value["entries"]
    value = [value] if isinstance(value, dict) else value
    if not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
        raise ValueError(f"{path.name} must hold a list of objects, found {str(value)[:80]!r}")
    return value


def read_typed(path: Path, missing: Sequence[str] = ()) -> pd.DataFrame | None:
    """A Parquet, Feather, Excel or JSON file as a DataFrame; None for another ending.

    Args:
        path: the file.
        missing: words in the cells of Excel that stand for a missing value, as an empty cell does.

    Raises:
        ImportError: Excel needs the package openpyxl.
        ValueError: the file is damaged.
    """
    kind = format_of(path)
    if kind in (".json", ".jsonl"):
        return as_frame(read_rows(path))
    if kind in (".xlsx", ".xlsm", ".xls", ".ods"):
        return _read_excel(path, missing)
    if kind not in (".parquet", ".pq", ".feather", ".arrow"):
        return None
    import pyarrow as pa
    from pyarrow import feather, parquet

    read = parquet.read_table if kind in (".parquet", ".pq") else feather.read_table
    try:
        return as_frame(read(pa.BufferReader(content_of(path))))
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} is damaged, or no {kind[1:]} file: {error}") from error


def _read_excel(path: Path, missing: Sequence[str]) -> pd.DataFrame:
    """The first sheet of an Excel file, cells as they are."""
    import pandas as pd

    try:
        frame = pd.read_excel(io.BytesIO(content_of(path)), dtype=object, keep_default_na=False)
    except ImportError as error:
        raise ImportError(
            f"{path.name} is an Excel file, and {error.name or 'a package'} is needed to read it: "
            "pip install openpyxl; or save the sheet as CSV"
        ) from error
    except Exception as error:  # zipfile's, openpyxl's or xlrd's own
        raise ValueError(f"{path.name} cannot be read as an Excel file: {error}") from error
    gone = {"", *missing}
    cells = (frame.iloc[:, i].tolist() for i in range(frame.shape[1]))
    series = [
        with_gaps([None if isinstance(v, str) and v.strip() in gone else v for v in column])
        for column in cells
    ]
    return pd.DataFrame(dict(enumerate(series))).set_axis(frame.columns, axis=1)
