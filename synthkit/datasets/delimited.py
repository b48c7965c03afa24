"""Delimited files: how their fields are set apart, and their words."""

from __future__ import annotations

import csv
import io
import itertools
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .files import decoded

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
LOOKED_AT = 200  # rows from which the separator is told


@dataclass(frozen=True)
class Layout:
    """The way in which the fields of a file are separated.

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
    reader = csv.reader(
        io.StringIO(content, newline=""), delimiter=layout.separator,
        quoting=csv.QUOTE_MINIMAL if layout.quoted else csv.QUOTE_NONE,
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
