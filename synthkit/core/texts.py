"""Texts in every script: reading them, splitting them into words, comparing them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from numbers import Number
from typing import Any

# Scripts that put no space between words: Thai and Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_JOINERS = "\u200c\u200d"  # without width: they stand inside a word, or inside one emoji
_PLAIN = re.compile(r"\w+|[^\w\s]")  # ASCII needs no more
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def normal(text: str) -> str:
    """A text in lower case, with composed characters (NFC), so that "e" + "´" equals "é"."""
    return unicodedata.normalize("NFC", text.lower())


def same_key(text: str) -> str:
    """A text without letter case, white space and ways of composing: equal keys, equal texts."""
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


def split_words(text: str, mask_digits: bool = False) -> list[str]:
    """The words and punctuation marks of a text, in lower case.

    In scripts without spaces between words (Chinese, Japanese, Thai, ...) each character with its
    marks is a word.

    Args:
        mask_digits: write every number as "#".
    """
    text = _NUMBER.sub("#", normal(text)) if mask_digits else normal(text)
    return (_PLAIN if text.isascii() else _pattern(_marks(text))).findall(text)


def count_words(text: str) -> int:
    """Count the words between white space; in scripts that use none, each character counts."""
    unspaced = re.compile(f"[{_UNSPACED}]")
    letters = unicodedata.normalize("NFC", text)
    return sum(
        max(1, sum(not _is_mark(found) for found in unspaced.findall(part)))
        for part in letters.split()
    )


def _marks(text: str) -> str:
    """The marks among a text's characters, which belong to the letter before them."""
    return "".join(sorted(letter for letter in set(text) if _is_mark(letter)))


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter).startswith("M") or letter in _JOINERS


@lru_cache(maxsize=256)
def _pattern(marks: str) -> re.Pattern[str]:
    marks = re.escape(marks)
    behind = f"[{marks}]*" if marks else ""
    spaced = rf"(?:(?![{_UNSPACED}])[\w{marks}])+"
    return re.compile(rf"[{_UNSPACED}]{behind}|{spaced}|[^\w\s]{behind}")


def text_in(row: Mapping[str, Any], column: str, number: int | None = None) -> str:
    """The text of a row's column; a number is written out.

    Args:
        number: of the row, for the error.

    Raises:
        ValueError: there is none (None, NaN, blank), or what is there is neither text nor number.
    """
    value = row[column]
    nan = isinstance(value, float) and value != value
    missing = value is None or nan or not str(value).strip()
    if not missing and isinstance(value, (str, Number)):
        return str(value)
    where = "a row" if number is None else f"row {number} (from 0)"
    found = "no text" if missing else f"a {type(value).__name__} where text is needed"
    raise ValueError(
        f"column {column!r} of {where} holds {found}: {value!r:.60}; mend or leave out this row"
    )
