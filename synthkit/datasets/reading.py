"""Reading files of rows and of tables; never a pickle, which can run code."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage import read_json, read_jsonl
from .containers import as_frame, with_gaps

if TYPE_CHECKING:
    import pandas as pd

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".txt")
PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 200  # rows from which the separator is told


def local_file(path: str | Path) -> Path:
    """The path of a file that is there and is not a pickle."""
    path = Path(path)
    if path.suffix.lower() in PICKLES:
        raise ValueError(
            f"{path.name} is a pickle, which can run code when it is read; "
            f"save the data as one of {', '.join(FORMATS)}"
        )
    if path.is_dir():
        inside = ", ".join(sorted(p.name for p in path.iterdir())[:10]) or "nothing"
        raise ValueError(f"{path} is a folder; name the file in it. It holds {inside}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    with open(path, "rb") as handle:
        if handle.read(2) in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise ValueError(f"{path.name} holds a pickle, whatever its name; it is not read")
    return path


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
    except ValueError:
        return read_jsonl(path)  # JSON Lines behind .json
    if isinstance(value, dict) and isinstance(value.get("entries"), list):
        value = value["entries"]
    value = [value] if isinstance(value, dict) else value
    if not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
        raise ValueError(f"{path.name} must hold a list of objects, found {str(value)[:80]!r}")
    return value


def content_of(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name ends in .gz, .bz2 or .xz."""
    opened = PACKED.get(path.suffix.lower(), open)
    try:
        with opened(path, "rb") as handle:
            return handle.read()
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path.name} is packed and damaged: {error}") from error


def format_of(path: Path) -> str:
    """The ending that tells a file's format, in lower case: ".csv" for a.csv and for a.csv.gz."""
    packed = path.suffix.lower() in PACKED
    return (Path(path.stem) if packed else path).suffix.lower()


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte-order mark, without the mark.

    Raises:
        ValueError: it is none of these.
    """
    content = content_of(path)
    marks = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
    marks |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((e for mark, e in marks.items() if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not {encoding.upper().removesuffix('-SIG')} text (byte "
            f"{error.start}); save it as UTF-8"
        ) from error
    if "\0" in text:
        raise ValueError(f"{path.name} holds zero bytes, as no text does; save it as UTF-8")
    return text


def lines(path: Path) -> list[str]:
    """The lines of a text, split at line feeds only: other separators may stand inside a text."""
    content = decoded(path).replace("\r\n", "\n").rstrip("\n")
    return content.split("\n") if content else []


# --- tables of words ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How the fields of a file are set apart.

    Attributes:
        separator: between two fields.
        quoted: whether quotation marks around a field hide separators in it.
        spaced: whether blanks stand between a separator and a quotation mark.
    """

    separator: str
    quoted: bool = True
    spaced: bool = False


def layout_of(content: str, separator: str | None = None) -> Layout:
    """The separator that cuts the first lines into rows of one width, quotation marks heeded.

    Of several that do, the one that makes the most fields.
    """
    best, most = Layout(separator or ","), (-1.0, 0)
    for mark in [separator] if separator else SEPARATORS:
        for layout in (Layout(mark), Layout(mark, spaced=True), Layout(mark, quoted=False)):
            if not layout.quoted and mark != "\t":  # only there a stray mark is common
                continue
            rows = _first_rows(content, layout)
            if not rows or (len(rows[0]) < 2 and separator is None):
                continue
            share = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            if not layout.spaced and any(re.fullmatch(r' +".*"', f) for r in rows for f in r):
                continue  # as ` "a, b"`, which the layout with blanks takes for one field
            if (share, len(rows[0])) > most:
                best, most = layout, (share, len(rows[0]))
    return best


def _first_rows(content: str, layout: Layout, most: int | None = LOOKED_AT) -> list[list[str]]:
    """The first rows of a file in one layout; none where its quotation marks do not fit."""
    quoting = csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE
    reader = csv.reader(
        io.StringIO(content, newline=""), delimiter=layout.separator, quoting=quoting,
        skipinitialspace=layout.spaced, strict=layout.separator == "\t",
    )  # fmt: skip
    try:
        rows = list(itertools.islice((row for row in reader if row), most))
    except csv.Error:  # a stray quotation mark, or a field of more than 128 KiB
        return []
    return rows


def read_words(path: Path, separator: str | None = None) -> tuple[pd.DataFrame, str]:
    """A delimited file with a header as a table of words, NaN where a line is short; its separator.

    Raises:
        ValueError: it is empty, or a line has more fields than the header.

    Warns:
        UserWarning: lines with fewer fields than the header.
    """
    import pandas as pd

    content = decoded(path)
    if not content.strip():
        raise ValueError(f"{path.name} is empty")
    layout = layout_of(content, separator)
    options = {
        "sep": layout.separator, "dtype": str, "keep_default_na": False,
        "skipinitialspace": layout.spaced, "header": None,
        "quoting": csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE,
    }  # fmt: skip
    try:
        names = pd.read_csv(io.StringIO(content), nrows=1, **options).iloc[0]
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a field too many in each line
            frame = pd.read_csv(
                io.StringIO(content), index_col=False, low_memory=False, **options | {"header": 0}
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ValueError(
            f"{path.name} is not a table of one width: {str(error).strip()}"
        ) from error
    given = [name.strip() if isinstance(name, str) else "" for name in names]
    frame.columns = [ours or theirs for ours, theirs in zip(given, frame.columns)]
    rows = _first_rows(content, layout, None)[1:]
    short = [i for i, row in enumerate(rows) if len(row) < len(given)]
    if short:
        warnings.warn(
            f"{path.name}: {len(short)} of {len(rows)} rows have fewer fields than the header, the "
            f"first is row {short[0]} (from 0): {rows[short[0]]}; the rest counts as missing",
            stacklevel=4,
        )
    return frame, layout.separator


# --- tables that bring their types --------------------------------------------------------------


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
