"""Reading files of rows: csv, tsv, json, jsonl and txt; never a pickle, which can run code."""

from __future__ import annotations

import csv
import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage import read_json, read_jsonl

if TYPE_CHECKING:
    import pandas as pd

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".txt")


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
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        return read_table(path, dtype=str).to_dict("records")
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


def decoded(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark; ValueError where it is none."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path.name} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from error


def lines(path: Path) -> list[str]:
    """The lines of a text, split at line feeds only: other separators may stand inside a text."""
    content = decoded(path).replace("\r\n", "\n").rstrip("\n")
    return content.split("\n") if content else []


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """A delimited file with a header; nothing is missing but what `na_values` names."""
    import pandas as pd

    content = decoded(path)
    header = content.partition("\n")[0]
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    options = {"sep": separator, "keep_default_na": False, "skipinitialspace": True, **options}
    if separator == "\t" and not _is_quoted(lines(path)):
        options["quoting"] = csv.QUOTE_NONE  # else a stray mark swallows lines
    try:
        names = pd.read_csv(io.StringIO(content), sep=separator, header=None, nrows=1, dtype=str)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a field too many in each line
            frame = pd.read_csv(io.StringIO(content), index_col=False, low_memory=False, **options)
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{path.name} is empty") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path.name} is not a table of one width: {error}") from error
    given = [name.strip() if isinstance(name, str) else "" for name in names.iloc[0]]
    frame.columns = [ours or theirs for ours, theirs in zip(given, frame.columns)]
    return frame


def _is_quoted(lines: list[str]) -> bool:
    """Whether every field that opens with a quotation mark is quoted by the rules of csv."""
    fields = (field for line in lines for field in line.split("\t") if field.startswith('"'))
    return all(re.fullmatch(r'"(?:[^"]|"")*"', field) for field in fields)
