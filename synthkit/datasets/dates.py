"""Dates written as words: in which form, read and written in it.

A form is one of `strftime`, with `%-d` for a number without a leading zero on every system.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_DAYS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%Y-%-m-%-d", "%Y/%-m/%-d", "%-d.%-m.%Y", "%-d/%-m/%Y", "%-m/%-d/%Y", "%-d-%-m-%Y",
    "%-m-%-d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%-d.%-m.%y", "%-d/%-m/%y", "%-m/%-d/%y",
    "%b %d, %Y", "%b %-d, %Y", "%B %d, %Y", "%B %-d, %Y", "%d %b %Y", "%-d %b %Y", "%d %B %Y",
    "%-d %B %Y", "%d-%b-%Y", "%-d-%b-%Y", "%d-%b-%y", "%-d-%b-%y", "%Y-%b-%d", "%a, %d %b %Y",
)  # fmt: skip
_TIMES = (
    "", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", "T%H:%M:%SZ", " %H:%M:%S.%f",
    "T%H:%M:%S.%f", "T%H:%M:%S.%fZ", " %-H:%M", " %-H:%M:%S", " %I:%M %p", " %-I:%M %p",
    " %I:%M:%S %p", " %-I:%M:%S %p",
)  # fmt: skip
FORMS = tuple(day + time for day, time in itertools.product(_DAYS, _TIMES))
_PARTS = {
    "%Y": "[0-9]{4}", "%y": "[0-9]{2}", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,9}",
    "%a": "[A-Za-z]{3}", "%p": "[AP]M", "%f": "[0-9]{6}",
}  # fmt: skip
_TOKEN = re.compile(r"(%-?[A-Za-z])")
_ZONED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]{5,15} ?[+-][0-9]{2}:?[0-9]{2}")
_OWN = {"%-d": "day", "%-m": "month", "%-H": "hour"}  # what they are called in pandas
SAMPLE = 50  # texts that are looked at before all of them are read


@cache
def _pattern(form: str) -> re.Pattern:
    parts = [
        _PARTS.get(part, "[1-9]?[0-9]" if part.startswith("%-") else "[0-9]{2}")
        if part.startswith("%")
        else re.escape(part)
        for part in _TOKEN.split(form)
    ]
    return re.compile("".join(parts))


def read_dates(texts: pd.Series, form: str | None) -> pd.Series:
    """Texts of one form as datetimes, NaT for what is none."""
    import pandas as pd

    form = None if form is None else form.replace("%-", "%")
    return pd.to_datetime(texts.astype(object), format=form, errors="coerce")


def write_dates(dates: pd.Series, form: str) -> pd.Series:
    """Datetimes as texts of one form."""
    if "%-" not in form:
        return dates.dt.strftime(form)
    written = dates.dt.strftime("")
    for part in _TOKEN.split(form):
        if part in _OWN:
            written = written + getattr(dates.dt, _OWN[part]).astype("Int64").astype(str)
        elif part == "%-I":
            written = written + dates.dt.strftime("%I").str.lstrip("0")
        else:
            written = written + dates.dt.strftime(part)
    return written


def date_forms(texts: pd.Series) -> list[str]:
    """All forms in which all texts (n,), n >= 1, are dates and from which they come back."""
    sample = list(map(str, texts.iloc[:SAMPLE]))
    forms = [form for form in FORMS if all(map(_pattern(form).fullmatch, sample))]
    found = []
    for form in forms:
        dates = read_dates(texts, form)
        if dates.notna().all() and (write_dates(dates, form) == texts.astype(object)).all():
            found.append(form)
    return found


def date_form(texts: pd.Series) -> str | None:
    """The first of `date_forms`, or None."""
    return next(iter(date_forms(texts)), None)


def other_form(texts: pd.Series, forms: list[str]) -> str | None:
    """A form of `forms` that reads other dates than the first one does: month first, say."""
    if len(forms) < 2:
        return None
    first = read_dates(texts, forms[0])
    return next((form for form in forms[1:] if not read_dates(texts, form).equals(first)), None)


def looks_like_dates(texts: list[str]) -> tuple[str, str] | None:
    """Among texts that are nearly all dates, a date and a text that is none or of another form.

    None unless 20 of the different texts and nine tenths of them have the look of a date.
    """
    different = list(dict.fromkeys(texts))
    form_of = {text: _form_of(text) for text in different}
    dates = [text for text in different if form_of[text] is not None]
    if len(dates) < 20 or len(dates) < 0.9 * len(different):
        return None
    read = [_read_in(different, form) for form in FORMS if form in form_of.values()]
    most = max(read, key=sum, default=[False] * len(different))
    example = next((text for text, good in zip(different, most) if good), dates[0])
    return example, next((text for text, good in zip(different, most) if not good), example)


def _read_in(texts: list[str], form: str) -> list[bool]:
    """A mask of the texts that are dates of a form and come back from it."""
    import pandas as pd

    series = pd.Series(texts, dtype=object)
    dates = read_dates(series, form)
    return (dates.notna() & (write_dates(dates, form) == series)).tolist()


def _form_of(text: str) -> str | None:
    if _ZONED.fullmatch(text):
        return "%z"
    if not re.search("[0-9]", text):
        return None
    return next((form for form in FORMS if _pattern(form).fullmatch(text)), None)
