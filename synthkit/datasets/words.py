"""Columns that were read as words: which of them hold numbers or truth values, and in what form."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .dates import date_form, read_dates

if TYPE_CHECKING:
    import pandas as pd

TRUE, FALSE = ("True", "true", "TRUE"), ("False", "false", "FALSE")
PADDED = 10  # in so many rows a blank before each word is the file's, not the word's
EXACT = 2**53  # whole numbers up to it are floats without loss
_GROUP = "\u00a0\u202f'’"  # marks between thousands besides the full stop and the comma
_MONEY = re.compile(r"[$€£¥₹%]|\b(?:USD|EUR|GBP|CHF|JPY)\b")


def typed(
    frame: pd.DataFrame,
    *,
    missing: Sequence[str],
    separator: str,
    decimal: str | None = None,
    dtype: Any = None,
) -> pd.DataFrame:
    """A table of words with a type for each column.

    Numbers with leading zeros are codes, and stay words. So do whole numbers that no type holds
    exactly beside fractions or beyond 64 bits, and columns with a number that no float holds.

    Args:
        frame: words, NaN where a line of the file was too short.
        missing: words that stand for a missing value, blanks around them aside.
        separator: of the file, which tells what "1,234" can mean.
        decimal: "." or ","; None finds it out, column by column.
        dtype: a type, or types by column, instead of those found.

    Raises:
        ValueError: a word that is nothing of the type asked for.

    Warns:
        UserWarning: numbers that can be read in two ways, amounts and numbers that stay words.
    """
    import pandas as pd

    given = dict(dtype) if isinstance(dtype, Mapping) else dict.fromkeys(frame.columns, dtype)
    unknown = [name for name in given if name not in frame.columns]
    if unknown:
        raise ValueError(f"dtype= names {unknown}; the columns are {list(frame.columns)}")
    gone = {"", *missing}
    entries = [
        [
            None if not isinstance(word, str) or word.strip() in gone else word
            for word in frame[name]
        ]
        for name in frame.columns
    ]
    different = [dict.fromkeys(word for word in column if word is not None) for column in entries]
    mark = decimal or _mark_of_file(different)
    series = []
    for name, column, words in zip(frame.columns, entries, different):
        if given.get(name) is not None:
            found = _asked(name, column, words, given[name], mark or ".")
        else:
            found = _found(name, column, words, mark, decimal, separator)
        series.append(found)
    return pd.DataFrame(dict(enumerate(series))).set_axis(frame.columns, axis=1)


# --- numbers ------------------------------------------------------------------------------------


def _forms(mark: str) -> re.Pattern:
    """Numbers whose decimal mark is `mark`, with or without marks between their thousands."""
    group = rf"[{re.escape(',' if mark == '.' else '.')}{_GROUP}]"
    point = re.escape(mark)
    grouped = rf"[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+(?:{point}[0-9]*)?"
    plain = rf"(?:0|[1-9][0-9]*)(?:{point}[0-9]*)?|{point}[0-9]+"
    power = rf"(?:[eE][+-][0-9]+|e[0-9]+|(?<={point})[eE][0-9]+|(?<={point}[0-9])[eE][0-9]+)"
    return re.compile(rf"(?P<sign>[+-]?)(?P<number>{grouped}|(?:{plain}){power}?)")


_FORMS = {mark: _forms(mark) for mark in ".,"}
_ENDLESS = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)


def as_number(word: str, mark: str = ".") -> str | None:
    """The number that a word is, with a decimal point and no thousands marks, or None."""
    word = word.strip().replace("−", "-")
    if _ENDLESS.fullmatch(word):
        return word
    found = _FORMS[mark].fullmatch(word)
    if found is None:
        return None
    if found["sign"] == "+" and found["number"].isdigit() and len(found["number"]) > 6:
        return None  # a telephone number
    number = re.sub(rf"[{re.escape(',' if mark == '.' else '.')}{_GROUP}]", "", found["number"])
    return found["sign"].replace("+", "") + number.replace(mark, ".")


def _outside_floats(number: str) -> bool:
    """Tell whether a number becomes infinite, or 0 without being 0, as a float."""
    value = float(number)
    if math.isinf(value):
        return not _ENDLESS.fullmatch(number)
    return value == 0 and re.search("[1-9]", re.split("[eE]", number)[0]) is not None


def _readings(words: Mapping[str, Any]) -> dict[str, list[str]]:
    """By decimal mark, the numbers that all words are; a mark under which one is none is out."""
    found = {}
    for mark in ".,":
        numbers = []
        for word in words:
            number = as_number(word, mark)
            if number is None:
                break
            numbers.append(number)
        else:
            found[mark] = numbers
    return found


def _mark_of_file(columns: Sequence[Mapping[str, Any]]) -> str | None:
    """The decimal mark that every column with only one reading has, or None."""
    readings = [_readings(words) for words in columns if words]
    marks = {next(iter(each)) for each in readings if len(each) == 1}
    return marks.pop() if len(marks) == 1 else None


def _found(
    name: str, column: list, words: dict, mark: str | None, decimal: str | None, separator: str
) -> pd.Series:
    """A column in the type that its words have."""
    import pandas as pd

    if not words:
        return pd.Series([None] * len(column), dtype="float64")
    if all(word in TRUE + FALSE for word in words):
        truth = [None if word is None else word in TRUE for word in column]
        return pd.Series(truth, dtype="boolean" if None in truth else bool)
    readings = _readings(words)
    if decimal is not None:
        readings = {decimal: readings[decimal]} if decimal in readings else {}
    if len(readings) == 2:
        own = _choose(name, words, readings, mark, separator)
        readings = {own: readings[own]}
    for numbers in readings.values():
        found = _numbers(name, column, dict(zip(words, numbers)))
        if found is not None:
            return found
    _tell_of_amounts(name, words)
    return _words(column)


def _choose(name: str, words: dict, readings: dict, mark: str | None, separator: str) -> str:
    """The decimal mark of a column that can be read with either, such as 1,234."""
    if readings["."] == readings[","]:
        return "."
    if mark is not None:
        return mark
    if not any("," in word for word in words):
        return "."  # 1.234 alone
    own = "." if separator == "," else ","
    other = "," if own == "." else "."
    example = next(word for word in words if "," in word)
    warnings.warn(
        f"column {name!r}: {example!r} is read as {as_number(example, own)}; "
        f"decimal={other!r} reads it as {as_number(example, other)}",
        stacklevel=4,
    )
    return own


def _numbers(name: str, column: list, number_of: Mapping[str, str]) -> pd.Series | None:
    """A column of numbers, or None where no type holds them all exactly."""
    import pandas as pd

    numbers = [None if word is None else number_of[word] for word in column]
    there = [number for number in numbers if number is not None]
    whole = [number for number in number_of.values() if number.lstrip("-").isdigit()]
    large = any(abs(int(number)) > EXACT for number in whole)
    if len(whole) == len(number_of):
        low, high = min(map(int, there)), max(map(int, there))
        if not -(2**63) <= low <= high < 2**63:
            return None
        if len(there) == len(numbers):
            return pd.Series([int(number) for number in there], dtype="int64")
        if large:
            whole_or_none = [None if number is None else int(number) for number in numbers]
            return pd.Series(whole_or_none, dtype="Int64")
    elif outside := [word for word, number in number_of.items() if _outside_floats(number)]:
        warnings.warn(
            f"column {name!r}: {outside[0]!r} (row {column.index(outside[0])}) lies outside the "
            "range of floats, so the column is kept as words; mend the number, or name it in "
            "missing=",
            stacklevel=4,
        )
        return None
    elif large and any(int(float(number)) != int(number) for number in whole):
        warnings.warn(
            f"column {name!r} holds fractions beside whole numbers of more digits than a float "
            f"has, and is kept as words; dtype={{{name!r}: float}} rounds them",
            stacklevel=4,
        )
        return None
    if all(_ENDLESS.fullmatch(number) for number in number_of.values()):
        return None
    return pd.Series([None if number is None else float(number) for number in numbers], dtype=float)


# --- words, and types that were asked for -------------------------------------------------------


def _words(column: list) -> pd.Series:
    """Words as they are, without the blank that follows each separator of some files ("a, b")."""
    import pandas as pd

    padded = len(column) >= PADDED and all(word is None or word[0] == " " for word in column)
    return pd.Series([word.strip() if padded and word is not None else word for word in column])


def _tell_of_amounts(name: str, words: Mapping[str, Any]) -> None:
    plain = {word: _MONEY.sub("", word).strip() for word in words}
    if all(len(plain[word]) < len(word.strip()) for word in words) and _readings(
        dict.fromkeys(plain.values())
    ):
        warnings.warn(
            f"column {name!r} holds amounts such as {next(iter(words))!r} and is kept as words; "
            f"dtype={{{name!r}: float}} reads them as numbers, without the sign",
            stacklevel=5,
        )


def _asked(name: str, column: list, words: dict, dtype: Any, mark: str) -> pd.Series:
    """A column in the type that was asked for."""
    import pandas as pd

    if dtype in (str, "str", object, "object"):
        return pd.Series(column, dtype=None if words else object)
    try:
        kind = pd.api.types.pandas_dtype(dtype)
    except TypeError as error:
        raise ValueError(f"dtype={{{name!r}: {dtype!r}}} is no type: {error}") from error
    if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
        values: list = column
        if pd.api.types.is_bool_dtype(kind):
            truth = (
                dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False) | {"1": True, "0": False}
            )
            values = [truth.get(word, word) for word in column]
        elif pd.api.types.is_datetime64_any_dtype(kind):
            values = list(_dates(name, column))
        return _cast(name, pd.Series(values, dtype=object), kind)
    numbers: dict[str, Any] = {}
    for word in words:
        number = as_number(_MONEY.sub("", word), mark)
        if number is None and re.fullmatch(r"0[0-9]+", word.strip()):
            number = word.strip()
        if number is None:
            row = column.index(word)
            raise ValueError(
                f"column {name!r}: {word!r} (row {row}) is no number with the decimal mark "
                f"{mark!r}, which dtype={{{name!r}: {kind}}} asks for; see decimal= and missing="
            )
        if _outside_floats(number):
            raise ValueError(
                f"column {name!r}: {word!r} (row {column.index(word)}) lies outside the range of "
                f"floats, and is no {kind}; mend it, or name it in missing="
            )
        whole = number.lstrip("-").isdigit()
        numbers[word] = int(number) if whole else float(number)
    found = [None if word is None else numbers[word] for word in column]
    return _cast(name, pd.Series(found, dtype=object), kind)


def _dates(name: str, column: list) -> pd.Series:
    """Words as dates: in the one form that fits all of them, else in ISO 8601."""
    import pandas as pd

    words = pd.Series(column, dtype=object)
    there = words.dropna()
    form = date_form(there) if len(there) else None
    dates = read_dates(words, form or "ISO8601")
    wrong = there[dates[there.index].isna()]
    if len(wrong):
        raise ValueError(
            f"column {name!r}: {wrong.iloc[0]!r} (row {wrong.index[0]}) is no date, or of another "
            "form than the others; read the column as words and convert it with pd.to_datetime"
        )
    return dates


def _cast(name: str, values: pd.Series, kind: Any) -> pd.Series:
    try:
        return values.astype(kind)
    except (TypeError, ValueError, OverflowError) as error:
        gap = " (Int64 and boolean hold gaps)" if values.isna().any() else ""
        raise ValueError(f"column {name!r} is not of the type {kind}: {error}{gap}") from error
