"""Numbers and times of too many values for a list, as tokens among which digits are left open."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .columns import MISSING, Column, Date, Number
from .conditions import Codes
from .json_pieces import JsonPieces


def too_many(column: Column, wanted: Codes, most: int) -> ValueError:
    """The error for a column whose values can be neither listed nor spelled."""
    return ValueError(
        f"column {column.name!r} has {len(wanted):,} valid values. More than {most:,} are only "
        "possible for numbers on a grid and times down to seconds, if the tokenizer writes each "
        "digit as a token. Infer the schema with smaller `digits` or with `ranks`, round times, or "
        "raise `most`"
    )


@dataclass(frozen=True)
class Run:
    """Digits of a number from `low` to `high`, with zeros in front."""

    digits: tuple[int, ...]  # the tokens of 0 to 9
    width: int  # how many digits
    low: int
    high: int
    trimmed: bool = False  # the last digit is not 0

    @property
    def possible(self) -> bool:
        last = self.high - (self.trimmed and self.high % 10 == 0)
        return self.low <= last


Pattern = tuple[int | Run, ...]  # tokens, and runs of digits among them


def moves_of(pattern: Pattern):
    """Each token that a pattern may begin with, and the pattern that is left."""
    if isinstance(pattern[0], int):
        yield pattern[0], pattern[1:]
        return
    run, block = pattern[0], 10 ** (pattern[0].width - 1)
    for digit, token in enumerate(run.digits):
        low, high = max(run.low - digit * block, 0), min(run.high - digit * block, block - 1)
        if run.width == 1:
            if run.low <= digit <= run.high and not (run.trimmed and digit == 0):
                yield token, pattern[1:]
        elif (rest := replace(run, width=run.width - 1, low=low, high=high)).possible:
            yield token, (rest, *pattern[1:])


def width(pattern: Pattern) -> int:
    """Number of tokens of what a pattern writes."""
    return sum(part.width if isinstance(part, Run) else 1 for part in pattern)


def spelled_patterns(pieces: JsonPieces, i: int, wanted: Codes, most: int) -> list[Pattern]:
    """The pieces of column i as patterns, of numbers and dates with too many values for a list.

    Each digit must be one token, wherever it stands; patterns are made of pieces in which runs of
    digits are then left open.
    ValueError for another kind of column, a tokenizer that joins digits, or more than `most`.
    """
    column = pieces.schema.columns[i]
    if isinstance(column, Number):
        single, open_ones = _number_runs(column, wanted)
    elif isinstance(column, Date) and column.unit in TIMES:
        single, open_ones = [], _date_runs(column, wanted)
    else:
        raise too_many(column, wanted, most)
    single += [range(MISSING, MISSING + 1)] if wanted.missing else []
    if sum(map(len, single)) + len(open_ones) > most:
        raise too_many(column, wanted, most)
    single = [code for codes in single for code in codes]
    patterns = [tuple(ids) for ids in pieces.ids(i, single)]
    codes = [code for code, _, _ in open_ones]
    digits = tuple(pieces.tokenizer.convert_tokens_to_ids(list("0123456789")))
    for (_, skip, runs), text, ids in zip(open_ones, pieces.texts(i, codes), pieces.ids(i, codes)):
        count = sum(map(str.isdigit, text[3 + len(json.dumps(column.name, ensure_ascii=False)) :]))
        places = [j for j, token in enumerate(ids) if token in digits][-count:]
        parts: list = list(ids)
        for width, low, high, *trimmed in runs:
            own, skip = places[skip : skip + width], skip + width
            if len(places) < count or len(own) < width or own[-1] - own[0] >= width:
                raise too_many(column, wanted, most)  # digits are joined, or written as 1e+16
            parts[own[0]] = Run(digits, width, low, high, *trimmed)
            parts[own[0] + 1 : own[-1] + 1] = [None] * (width - 1)
        patterns.append(tuple(part for part in parts if part is not None))
    return patterns


TIMES = {3_600_000_000: (24,), 60_000_000: (24, 60), 1_000_000: (24, 60, 60)}  # by `Date.unit`


def _boxes(low: int, high: int, radices: Sequence[int]) -> list[tuple[tuple[int, int], ...]]:
    """Numbers low to high as few boxes, a range at each place; the first place has no radix."""
    if not radices:
        return [((low, high),)]
    size = int(np.prod(radices, dtype=object))
    (first, start), (last, stop) = divmod(low, size), divmod(high, size)
    if first == last:
        return [((first, first), *box) for box in _boxes(start, stop, radices[1:])]
    boxes = []
    if start > 0:
        boxes += [((first, first), *box) for box in _boxes(start, size - 1, radices[1:])]
        first += 1
    if stop < size - 1:
        boxes += [((last, last), *box) for box in _boxes(0, stop, radices[1:])]
        last -= 1
    if first <= last:
        boxes.append(((first, last), *((0, radix - 1) for radix in radices)))
    return boxes


def _number_runs(column: Number, wanted: Codes):
    """Ranges of codes that are listed; and (code, 0, runs), digits of whose piece are open."""
    places = max(-column.exponent, 0)
    # Written otherwise: 0 of a coarse grid has no zeros behind it, and 1e-05 no point.
    least = 10 ** max(places - 4, 0) if places > 4 else int(column.exponent > 0)
    ends, single, found = {column.low_code, column.high_code}, [], []
    for low, high in wanted.intervals:
        own = sorted(ends & {low, high})  # the table's own ends may lie on no grid
        single += [range(code, code + 1) for code in own]
        low, high = low + (low in ends), high - (high in ends)
        for sign, a, b in ((1, max(low, 0), high), (-1, max(-high, 1), -low)):
            few = range(a, min(b, least - 1) + 1)
            single.append(few if sign > 0 else range(-few.start, -few.stop, -1))
            a = max(a, least)
            for n in range(1, 20) if a <= b else ():
                size = 10 ** (n + places)
                box = max(a, size // 10 if n > 1 else 0), min(b, size - 1)
                if box[0] <= box[1]:
                    found += _number_boxes(sign, n, places, box)
    return single, found


def _number_boxes(sign: int, n: int, places: int, ends: tuple[int, int]):
    """(code, 0, runs) of numbers with n digits before the point, at most `places` behind it."""
    if places == 0:
        return [(sign * ends[0], 0, [(n, *ends)])]
    found = []
    for whole, part in _boxes(*ends, (10**places,)):
        for m in range(1, places + 1):  # digits behind the point, zeros at the end left away
            unit = 10 ** (places - m)
            low, high, trimmed = -(-part[0] // unit), part[1] // unit, m > 1
            low += trimmed and low % 10 == 0
            if low <= high:
                code = sign * (whole[0] * 10**places + low * unit)
                found.append((code, 0, [(n, *whole), (m, low, high, trimmed)]))
    return found


def _date_runs(column: Date, wanted: Codes):
    """(code, 8, runs) for each day, or part of one: behind the day's 8 digits the time is open."""
    radices, found = TIMES[column.unit], []
    for low, high in wanted.intervals:
        for (first, last), *times in _boxes(low, high, radices):
            start = 0
            for (least, _), radix in zip(times, radices):
                start = start * radix + least
            runs = [(2, *ends) for ends in times]
            size = int(np.prod(radices))
            found += [(day * size + start, 8, runs) for day in range(first, last + 1)]
    return found
