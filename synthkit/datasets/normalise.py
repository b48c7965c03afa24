"""One canonical spelling for each number, so that answers can be compared."""

from __future__ import annotations

import re
from fractions import Fraction

_NUMBER = re.compile(r"(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)?(?:\.[0-9]*)?")


def normalise_number(text: str) -> str | None:
    """The number that `text` is, in one canonical spelling, or None where it is none.

    Currency and percent signs are dropped, as are well-placed thousands commas, a plus sign, a
    final full stop and trailing zeros: "$1,080.00" is "1080". A fraction becomes a decimal where
    that ends ("3/4" is "0.75") and is else reduced ("2/6" is "1/3"); "1 1/2" is "1.5".
    """
    plain = re.sub(r"[$€£%]", "", text.replace("−", "-").replace("–", "-")).strip()
    sign = -1 if plain.startswith("-") else 1
    parts = re.sub(r"\s*/\s*", "/", re.sub(r"^[+-]", "", plain)).split()
    if not 1 <= len(parts) <= 2 or (len(parts) == 2 and "/" not in parts[1]):
        return None
    try:
        whole = _number(parts[0]) if len(parts) == 2 else 0
        return _spelled(sign * (whole + _ratio(parts[-1])))
    except (ValueError, ZeroDivisionError):  # not a number, a zero below the line, or too long
        return None


def _number(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text) or not re.search("[0-9]", text):
        raise ValueError(f"not a number: {text!r}")
    return Fraction("0" + text.replace(",", "").rstrip("."))


def _ratio(text: str) -> Fraction:
    above, line, below = text.partition("/")
    return _number(above) / (_number(below) if line else 1)


def _spelled(value: Fraction) -> str:
    """A decimal where it ends, else a reduced fraction."""
    places, rest = 0, value.denominator
    while rest % 10 == 0 or rest % 5 == 0 or rest % 2 == 0:
        rest = rest // 10 if rest % 10 == 0 else rest // 5 if rest % 5 == 0 else rest // 2
        places += 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, decimals = digits[: len(digits) - places], digits[len(digits) - places :].rstrip("0")
    return "-" * (value < 0) + whole + ("." + decimals) * bool(decimals)
