"""Rows as JSON, cut into pieces: a column's key and value with what ends it.

A row is cut behind the comma of each column: `{"age": 39,` then ` "sex": "Male",` and last
` "ok": true}`. Each piece is tokenised by itself, in training as in generation, so that it is cut
alike whatever the tokenizer merges. (A byte-level tokenizer cuts there anyway: it begins a new word
at the space.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from torch import Tensor

from ..lm.rows import right_pad
from ..lm.tokens import plain_ids
from .columns import Column, Number, Ranked
from .rows import to_json
from .schema import TableSchema

FRONT = '{"a": 1,'  # stands before a piece when it is read back on its own


def _piece(schema: TableSchema, i: int, member: str) -> str:
    """The piece of column i, of its `"key": value`."""
    return (" " if i else "{") + member + ("," if i + 1 < len(schema.columns) else "}")


class JsonPieces:
    """The tokens of a table's pieces, kept once they are made.

    What the tokenizer (of transformers) writes must read back as the same JSON, or ValueError.
    """

    def __init__(self, schema: TableSchema, tokenizer):
        self.schema, self.tokenizer = schema, tokenizer
        self._known: list[dict[int, list[int]]] = [{} for _ in schema.columns]
        self._front = plain_ids(tokenizer, [FRONT])[0]
        self._space = self._own_space()

    def texts(self, i: int, codes: Sequence[int]) -> list[str]:
        """The pieces of codes (n,) of column i, as `to_json` writes what the codes restore."""
        column = self.schema.columns[i]
        values = _exact(column).restore(np.asarray(codes, dtype=np.int64)).tolist()
        return [_piece(self.schema, i, to_json({column.name: each})[1:-1]) for each in values]

    def ids(self, i: int, codes: Sequence[int]) -> list[list[int]]:
        """The tokens of codes (n,) of column i; ValueError where the tokenizer cannot write one."""
        known = self._known[i]
        new = [code for code in dict.fromkeys(map(int, codes)) if code not in known]
        if new:
            texts = self.texts(i, new)
            own = (text if self._space else text.lstrip(" ") for text in texts)
            rows = plain_ids(self.tokenizer, own)
            self._check(i, texts, rows)
            known.update(zip(new, rows))
        return [known[code] for code in map(int, codes)]

    def encode(self, table: pd.DataFrame, *, eos: int, pad: int) -> Tensor:
        """Ids (n, m) of a table's rows and their ends, padded on the right.

        Numbers and dates are rounded to what the schema's codes can tell, so every row is valid.
        """
        if not len(table):
            raise ValueError("there are no rows to encode")
        codes = self.schema.codes(table, "nearest")
        columns = [self.ids(i, own) for i, own in enumerate(codes.T)]
        rows = [[token for piece in row for token in piece] + [eos] for row in zip(*columns)]
        return right_pad(rows, filler=pad)[0]

    def _read(self, rows: list[list[int]]) -> list[str]:
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return self.tokenizer.batch_decode(rows, **options)

    def _own_space(self) -> bool:
        """Tell if a piece is written with its space; some tokenizers put one there themselves."""
        behind = plain_ids(self.tokenizer, [' "b": 2}', '"b": 2}'])
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
