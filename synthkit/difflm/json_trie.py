"""Rows as JSON, token by token: a trie of the valid rows for a model that reads text.

No piece of a column (see `json_pieces`) begins another one, because each says where it ends, so
after any tokens there is one node at most.

A grammar library in its place (llguidance 1.9) would have to write each number in one way, as
`json.dumps` does: in a range with a step it takes 12.70 and refuses 12.7. It also takes all ways to
cut a text into tokens, of which the decoder is trained on one, and knows no dates in a given form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .conditions import Codes, codes_for
from .json_pieces import JsonPieces
from .open_digits import Pattern, moves_of, spelled_patterns, too_many, width
from .schema import TableSchema
from .trie import PrefixTrie


class JsonConstraint(PrefixTrie):
    """The valid rows of a table as JSON, with the interface of `trie.RowConstraint`.

    The trie of whole rows is the chain of the columns' own: where a piece ends, the node is the
    root of the next column. After the last piece the end token is allowed, then only padding.

    Up to `most` values of a column are listed and tokenised. Of more, as numbers on a fine grid or
    times of day may have, digits are left open (see `spelled_patterns`): the same rows are allowed.

    Args:
        vocab_size: the decoder's; tokens are smaller than this.
        conditions: of columns, see `conditions.codes_for`.
        pieces: of this schema and tokenizer, if there are any: their tokens are not made anew.

    Raises:
        ValueError: a condition that nothing satisfies, a value that the tokenizer cannot write, or
            more values than can be listed or spelled.
    """

    def __init__(
        self, schema: TableSchema, tokenizer, vocab_size: int,
        conditions: Mapping[str, Any] | None = None, *, eos: int, pad: int,
        most: int = 20_000, pieces: JsonPieces | None = None,
    ):  # fmt: skip
        pieces = JsonPieces(schema, tokenizer) if pieces is None else pieces
        self.schema = schema
        self.vocab_size, self.eos, self.pad = vocab_size, eos, pad
        self.length = 1  # tokens of the longest valid row, its end included
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
        codes = wanted.some() if spelled else wanted.all()
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
                raise too_many(self.schema.columns[i], wanted, most)
        self.length += max(map(width, patterns))
        return keys, children

    def _tree(self, name: str, rows: list[list[int]], root: int):
        """The edges of a trie of given rows, all rows at once."""
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
            for token, rest in (move for pattern in state for move in moves_of(pattern)):
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


def _not_apart(name: str) -> ValueError:
    return ValueError(f"column {name!r}: the tokenizer does not keep its values apart")
