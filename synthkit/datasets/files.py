"""Files of data: found, unpacked and decoded; never a pickle, which can run code."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
FORMATS = (".csv", ".tsv", ".json", ".jsonl", ".txt")
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


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
