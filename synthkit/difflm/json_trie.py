"""Rows as JSON, token by token: a trie of the legal rows for a model that reads text.

A row is cut behind the comma of each column, so that a piece is a column's key and value with what
ends it: `{"age": 39,` then ` "sex": "Male",` and last ` "ok": true}`. Each piece is tokenised by
itself, in training as in generation, so that it is cut alike whatever the tokenizer merges. (A
byte-level tokenizer cuts there anyway: it begins a new word at the space.) No piece of a column
begins another one, because each says where it ends, so after any tokens there is one node at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..lm.rows import right_pad
from .columns import MISSING, Column, Number, Ranked
from .conditions import Codes, codes_for
from .rows import to_json
from .schema import TableSchema
from .trie import PrefixTrie

FRONT = '{"a": 1,'  # stands before a piece when it is read back on its own


def json_pieces(row: Mapping[str, Any], schema: TableSchema) -> list[str]:
    """A row's pieces, one a column; together they are `to_json` of the schema's columns.

    Args:
        row: column to value. schema: the columns and their order; others are left out.

    Raises:
        ValueError: the row lacks a column.
    """
    absent = [name for name in schema.names if name not in row]
    if absent:
        raise ValueError(f"the row lacks {', '.join(map(repr, absent))}; it has {list(row)}")
    return [
        _piece(schema, i, to_json({name: row[name]})[1:-1]) for i, name in enumerate(schema.names)
    ]


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
        legal.

        Raises:
            ValueError: what `TableSchema.codes` refuses, or what the tokenizer cannot write.
        """
        codes = self.schema.codes(table, "nearest")
        columns = [self.ids(i, own) for i, own in enumerate(codes.T)]
        rows = [[token for piece in row for token in piece] + [eos] for row in zip(*columns)]
        return right_pad(rows, filler=pad)[0]

    def _tokens(self, texts) -> list[list[int]]:
        # A value may hold the name of a special token, and means its letters.
        options = {"add_special_tokens": False, "split_special_tokens": True}
        return self.tokenizer(list(texts), return_attention_mask=False, **options).input_ids

    def _read(self, rows: list[list[int]]) -> list[str]:
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return self.tokenizer.batch_decode(rows, **options)

    def _own_space(self) -> bool:
        """Whether a piece is written with its space; some tokenizers put one there themselves."""
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


class JsonLegal(PrefixTrie):
    """The legal rows of a table as JSON, with the interface of `trie.Legal`.

    The trie of whole rows is the chain of the columns' own: where a piece ends, the node is the
    root of the next column. After the last piece the end token is legal, then only padding.

    Args:
        schema, tokenizer: see `JsonPieces`.
        vocab_size: the decoder's; tokens are smaller than this.
        conditions: of columns, see `conditions.codes_for`.
        eos, pad: the end token; what stands behind it.
        most: legal values a column may have.
        pieces: of this schema and tokenizer, if there are any: their tokens are not made anew.

    Attributes:
        length: tokens of the longest legal row, its end included.

    Raises:
        ValueError: a column has more values, a condition that nothing satisfies, or a value that
            the tokenizer cannot write.
    """

    def __init__(
        self, schema: TableSchema, tokenizer, vocab_size: int,
        conditions: Mapping[str, Any] | None = None, *, eos: int, pad: int,
        most: int = 20_000, pieces: JsonPieces | None = None,
    ):  # fmt: skip
        pieces = JsonPieces(schema, tokenizer) if pieces is None else pieces
        self.vocab_size, self.eos, self.pad, self.length = vocab_size, eos, pad, 1
        end = len(schema.columns)  # nodes: a root each column, the row's end, then what is behind
        self._done, self.nodes, self._count = end + 1, end + 2, 1
        edges = [([end * vocab_size + eos, self._done * vocab_size + pad], [self._done] * 2)]
        for i, wanted in enumerate(codes_for(schema, conditions)):
            rows = pieces.ids(i, _listed(schema.columns[i], wanted, most))
            if max(map(max, rows)) >= vocab_size:
                raise ValueError(f"a token of column {schema.names[i]!r} is not in the vocabulary")
            edges.append(self._grown(schema.names[i], rows, i))
            self._count *= len(rows)
            self.length += max(map(len, rows))
        keys, children = (torch.tensor(np.concatenate(each)) for each in zip(*edges))
        self._keys, order = keys.sort()
        self._children = children[order]
        self._ends = torch.arange(self.nodes + 1) == end
        self._last = torch.zeros(0, 0, dtype=torch.long), torch.zeros(0, dtype=torch.long)

    def _grown(self, name: str, rows: list[list[int]], root: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and children of a column's edges, from its root to the next one; all rows at once.

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
                raise ValueError(f"column {name!r}: the tokenizer does not keep its values apart")
            children = np.where(last > 0, root + 1, self.nodes + np.cumsum(last == 0) - 1)
            self.nodes += int((last == 0).sum())
            node[here] = children[which]
            edges.append((keys, children))
        return tuple(np.concatenate(each) for each in zip(*edges))

    def count(self) -> int:
        """How many different rows are legal."""
        return self._count

    def allowed(self, prefix: Tensor) -> Tensor:
        """Which tokens (b, vocab) may follow prefixes (b, t); none where one is not legal.

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
        """Which rows (n,) of ids (n, m) are legal from the first token to the end token."""
        known = (ids >= 0) & (ids < self.vocab_size)
        ended = self.walk(torch.where(known, ids, 0)) == self._done
        return ended.to(ids.device) & known.all(1)


def _listed(column: Column, wanted: Codes, most: int) -> list[int]:
    """The codes of a set, if they are not too many."""
    if len(wanted) > most:
        raise ValueError(
            f"column {column.name!r} has {len(wanted):,} legal values, and a trie of JSON holds "
            f"{most:,}: infer the schema with smaller `digits` (dates: with fewer digits of time "
            "in the table) or with `ranks`, or raise most"
        )
    codes = [code for low, high in wanted.intervals for code in range(low, high + 1)]
    return [*codes, MISSING] if wanted.missing else codes
