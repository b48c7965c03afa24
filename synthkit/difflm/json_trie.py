"""Rows as JSON, token by token: a trie of the valid rows for a model that reads text.

A row is cut behind the comma of each column, so that a piece is a column's key and value with what
ends it: `{"age": 39,` then ` "sex": "Male",` and last ` "ok": true}`. Each piece is tokenised by
itself, in training as in generation, so that it is cut alike whatever the tokenizer merges. (A
byte-level tokenizer cuts there anyway: it begins a new word at the space.) No piece of a column
begins another one, because each says where it ends, so after any tokens there is one node at most.

A grammar library in its place (llguidance 1.9) would have to write each number in one way, as
`json.dumps` does: in a range with a step it takes 12.70 and refuses 12.7. It also takes all ways to
cut a text into tokens, of which the decoder is trained on one, and knows no dates in a given form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..lm.rows import right_pad
from ..lm.tokens import plain_ids
from .columns import MISSING, Column, Date, Number, Ranked
from .conditions import Codes, codes_for
from .rows import to_json
from .schema import TableSchema
from .trie import PrefixTrie

FRONT = '{"a": 1,'  # stands before a piece when it is read back on its own


def _piece(schema: TableSchema, i: int, member: str) -> str:
    """The piece of column i, of its `"key": value`."""
    return (" " if i else "{") + member + ("," if i + 1 < len(schema.columns) else "}")


class JsonPieces:
    """The tokens of a table's pieces, kept once they are made.

    Args:
        schema: the columns.
        tokenizer: of transformers; what it writes must read back as the same JSON.

    Raises:
        ValueError: it does not.
    """

    def __init__(self, schema: TableSchema, tokenizer):
        self.schema, self.tokenizer = schema, tokenizer
        self._known: list[dict[int, list[int]]] = [{} for _ in schema.columns]
        self._front = self._tokens([FRONT])[0]
        self._space = self._own_space()

    def texts(self, i: int, codes: Sequence[int]) -> list[str]:
        """The pieces of codes (n,) of column i, as `to_json` writes what the codes restore."""
        column = self.schema.columns[i]
        values = _exact(column).restore(np.asarray(codes, dtype=np.int64)).tolist()
        return [_piece(self.schema, i, to_json({column.name: each})[1:-1]) for each in values]

    def ids(self, i: int, codes: Sequence[int]) -> list[list[int]]:
        """The tokens of codes (n,) of column i.

        Raises:
            ValueError: the tokenizer cannot write a value.
        """
        known = self._known[i]
        new = [code for code in dict.fromkeys(map(int, codes)) if code not in known]
        if new:
            texts = self.texts(i, new)
            rows = self._tokens(text if self._space else text.lstrip(" ") for text in texts)
            self._check(i, texts, rows)
            known.update(zip(new, rows))
        return [known[code] for code in map(int, codes)]

    def encode(self, table: pd.DataFrame, *, eos: int, pad: int) -> Tensor:
        """Ids (n, m) of a table's rows and their ends, padded on the right.

        Numbers and dates are rounded to what the schema's codes can tell, so that every row is
        valid.

        Raises:
            ValueError: no rows, what `TableSchema.codes` refuses, or what the tokenizer cannot
                write.
        """
        if not len(table):
            raise ValueError("there are no rows to encode")
        codes = self.schema.codes(table, "nearest")
        columns = [self.ids(i, own) for i, own in enumerate(codes.T)]
        rows = [[token for piece in row for token in piece] + [eos] for row in zip(*columns)]
        return right_pad(rows, filler=pad)[0]

    def _tokens(self, texts) -> list[list[int]]:
        return plain_ids(self.tokenizer, texts)

    def _read(self, rows: list[list[int]]) -> list[str]:
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return self.tokenizer.batch_decode(rows, **options)

    def _own_space(self) -> bool:
        """Tell if a piece is written with its space; some tokenizers put one there themselves."""
        behind = self._tokens([' "b": 2}', '"b": 2}'])
        found = self._read([self._front + ids for ids in behind])
        for same in (str.__eq__, _same_json):
            for space, text in zip((True, False), found):
                if same(text, FRONT + ' "b": 2}'):
                    return space
        raise ValueError(
            f"the tokenizer cannot write JSON piece by piece: {FRONT} "
            f'"b": 2}} reads back as {found[0]!r}'
        )

    def _check(self, i: int, texts: list[str], rows: list[list[int]]) -> None:
        """Raise ValueError when tokens do not read back as their text."""
        front = ([], "") if i == 0 else (self._front, FRONT)
        for text, found in zip(texts, self._read([front[0] + ids for ids in rows])):
            meant = front[1] + text
            # An open object is closed, so that JSON can be compared.
            if found != meant and not (
                found[-1:] == meant[-1:] and _same_json(found[:-1] + "}", meant[:-1] + "}")
            ):
                raise ValueError(
                    f"column {self.schema.names[i]!r}: the tokenizer cannot write {text!r}, which "
                    f"reads back as {found[len(front[1]) :]!r}; change the value, or take another "
                    "model"
                )


def _same_json(found: str, meant: str) -> bool:
    try:
        return json.loads(found) == json.loads(meant)
    except ValueError:
        return False


def _exact(column: Column) -> Column:
    """The column with numbers as float64 where it has less: 0.1, not 0.10000000149."""
    narrow = isinstance(column, (Number, Ranked)) and column.dtype.lower() in (
        "float32", "float16",
    )  # fmt: skip
    return replace(column, dtype="float64") if narrow else column


class JsonConstraint(PrefixTrie):
    """The valid rows of a table as JSON, with the interface of `trie.RowConstraint`.

    The trie of whole rows is the chain of the columns' own: where a piece ends, the node is the
    root of the next column. After the last piece the end token is allowed, then only padding.

    Up to `most` values of a column are listed and tokenised. Of more, as numbers on a fine grid or
    times of day may have, digits are left open (see `spelled_patterns`): the same rows are allowed.

    Args:
        schema, tokenizer: see `JsonPieces`.
        vocab_size: the decoder's; tokens are smaller than this.
        conditions: of columns, see `conditions.codes_for`.
        eos, pad: the end token; what stands behind it.
        most: values of a column that are listed.
        pieces: of this schema and tokenizer, if there are any: their tokens are not made anew.

    Attributes:
        length: tokens of the longest valid row, its end included.

    Raises:
        ValueError: a condition that nothing satisfies; a value that the tokenizer cannot write; or
            a column with more values than `most` that is no such number or date, or whose digits
            the tokenizer joins.
    """

    def __init__(
        self, schema: TableSchema, tokenizer, vocab_size: int,
        conditions: Mapping[str, Any] | None = None, *, eos: int, pad: int,
        most: int = 20_000, pieces: JsonPieces | None = None,
    ):  # fmt: skip
        pieces = JsonPieces(schema, tokenizer) if pieces is None else pieces
        self.schema = schema
        self.vocab_size, self.eos, self.pad, self.length = vocab_size, eos, pad, 1
        end = len(schema.columns)  # nodes: a root each column, the row's end, then what is behind
        self._done, self.nodes, self._count = end + 1, end + 2, 1
        edges = [([end * vocab_size + eos, self._done * vocab_size + pad], [self._done] * 2)]
        for i, wanted in enumerate(codes_for(schema, conditions)):
            edges.append(self._grown(pieces, i, wanted, most))
            self._count *= len(wanted)
        keys, children = (torch.tensor(np.concatenate(each)) for each in zip(*edges))
        self._keys, order = keys.sort()
        self._children = children[order]
        self._ends = torch.arange(self.nodes + 1) == end
        self._last = torch.zeros(0, 0, dtype=torch.long), torch.zeros(0, dtype=torch.long)

    def _grown(self, pieces: JsonPieces, i: int, wanted: Codes, most: int):
        """Keys and children of column i's edges, from its root to the next one."""
        name, spelled = self.schema.names[i], len(wanted) > most
        codes = _some(wanted) if spelled else _listed(wanted)
        rows = pieces.ids(i, codes)
        if max(map(max, rows)) >= self.vocab_size:
            raise ValueError(f"a token of column {name!r} is not in the vocabulary of the decoder")
        if not spelled:
            self.length += max(map(len, rows))
            return self._tree(name, rows, i)
        patterns = spelled_patterns(pieces, i, wanted, most)
        keys, children = self._automaton(name, patterns, i)
        known = dict(zip(keys, children))
        for row in rows:
            node = i
            for token in row:
                node = known.get(node * self.vocab_size + token, -1)
            if node != i + 1:
                raise _too_many(self.schema.columns[i], wanted, most)
        self.length += max(map(_width, patterns))
        return keys, children

    def _tree(self, name: str, rows: list[list[int]], root: int):
        """The edges of a trie of given rows, all rows at once.

        Raises:
            ValueError: two values have the same tokens, or one's begin another's.
        """
        lengths = np.array(list(map(len, rows)))
        tokens = np.full((len(rows), lengths.max()), -1)
        tokens[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(rows)
        node, edges = np.full(len(rows), root), []
        for j in range(lengths.max()):
            here = np.flatnonzero(lengths > j)
            keys, which = np.unique(
                node[here] * self.vocab_size + tokens[here, j], return_inverse=True
            )
            last = np.bincount(which, lengths[here] == j + 1)  # values that end on each edge
            if ((last > 0) & (np.bincount(which) > 1)).any():
                raise _not_apart(name)
            children = np.where(last > 0, root + 1, self.nodes + np.cumsum(last == 0) - 1)
            self.nodes += int((last == 0).sum())
            node[here] = children[which]
            edges.append((keys, children))
        return tuple(np.concatenate(each) for each in zip(*edges))

    def _automaton(self, name: str, patterns: Sequence[Pattern], root: int):
        """The edges of an automaton of patterns: a node is what may still come."""
        start, keys, children = frozenset(patterns), [], []
        nodes, ahead = {start: root, frozenset({()}): root + 1}, [start]
        while ahead:
            state = ahead.pop()
            moves: dict[int, set[Pattern]] = {}
            for token, rest in (move for pattern in state for move in _moves(pattern)):
                moves.setdefault(token, set()).add(rest)
            for token, rests in moves.items():
                after = frozenset(rests)
                if after not in nodes:
                    if () in after:
                        raise _not_apart(name)
                    nodes[after] = self.nodes
                    self.nodes += 1
                    ahead.append(after)
                keys.append(nodes[state] * self.vocab_size + token)
                children.append(nodes[after])
        return keys, children

    def count(self) -> int:
        """Count the different rows that are allowed."""
        return self._count

    def allowed(self, prefix: Tensor) -> Tensor:
        """Mask (b, vocab) of tokens that may follow prefixes (b, t); empty where none may.

        The nodes of the last call are kept: a prefix that is one token longer takes one step.
        """
        own = prefix.detach().cpu().long()
        seen, node = self._last
        begun = own[:, :-1] if own.shape[1] else own
        longer = own.shape[1] == seen.shape[1] + 1 and torch.equal(begun, seen)
        node = self.step(node, own[:, -1]) if longer else self.walk(own)
        self._last = own.clone(), node  # the caller may write on in its tensor
        return self.after(node).to(prefix.device)

    def holds(self, ids: Tensor) -> Tensor:
        """Mask (n,) of the rows of ids (n, m) that are allowed from the first token to the end."""
        known = (ids >= 0) & (ids < self.vocab_size)
        ended = self.walk(torch.where(known, ids, 0)) == self._done
        return ended.to(ids.device) & known.all(1)


def _listed(wanted: Codes) -> list[int]:
    """All codes of a set."""
    codes = [code for low, high in wanted.intervals for code in range(low, high + 1)]
    return [*codes, MISSING] if wanted.missing else codes


def _some(wanted: Codes, n: int = 500) -> list[int]:
    """The ends of a set of codes, and codes drawn from it."""
    rng, sizes = np.random.default_rng(0), [high - low + 1 for low, high in wanted.intervals]
    which = rng.choice(len(sizes), n, p=np.array(sizes) / sum(sizes))
    drawn = [int(rng.integers(*wanted.intervals[k], endpoint=True)) for k in which]
    return [*drawn, *(end for ends in wanted.intervals for end in ends)]


def _not_apart(name: str) -> ValueError:
    return ValueError(f"column {name!r}: the tokenizer does not keep its values apart")


def _too_many(column: Column, wanted: Codes, most: int) -> ValueError:
    return ValueError(
        f"column {column.name!r} has {len(wanted):,} valid values. More than {most:,} are only "
        "possible for numbers on a grid and times down to seconds, if the tokenizer writes each "
        "digit as a token. Infer the schema with smaller `digits` or with `ranks`, round times, or "
        "raise `most`"
    )


# --- more values than are listed -----------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Digits of a number from `low` to `high`, with zeros in front.

    Attributes:
        digits: the tokens of 0 to 9.
        width: how many digits.
        trimmed: the last digit is not 0.
    """

    digits: tuple[int, ...]
    width: int
    low: int
    high: int
    trimmed: bool = False

    @property
    def possible(self) -> bool:
        last = self.high - (self.trimmed and self.high % 10 == 0)
        return self.low <= last


Pattern = tuple[int | Run, ...]  # tokens, and runs of digits among them


def _moves(pattern: Pattern):
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


def _width(pattern: Pattern) -> int:
    return sum(part.width if isinstance(part, Run) else 1 for part in pattern)


def spelled_patterns(pieces: JsonPieces, i: int, wanted: Codes, most: int) -> list[Pattern]:
    """The pieces of column i as patterns, of numbers and dates with too many values for a list.

    Each digit must be one token, wherever it stands; patterns are made of pieces in which runs of
    digits are then left open.

    Args:
        pieces: of the table. wanted: the column's valid codes. most: of the patterns.

    Raises:
        ValueError: another kind of column, another tokenizer, or too many patterns.
    """
    column = pieces.schema.columns[i]
    if isinstance(column, Number):
        single, open_ones = _number_runs(column, wanted)
    elif isinstance(column, Date) and column.unit in TIMES:
        single, open_ones = [], _date_runs(column, wanted)
    else:
        raise _too_many(column, wanted, most)
    single += [range(MISSING, MISSING + 1)] if wanted.missing else []
    if sum(map(len, single)) + len(open_ones) > most:
        raise _too_many(column, wanted, most)
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
                raise _too_many(column, wanted, most)  # digits are joined, or written as 1e+16
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
