"""Prefix tries for constrained decoding: of given sequences, and of the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class PrefixTrie:
    """The tree of given sequences of token ids: each path from its root to an end spells one.

    Args:
        vocab_size: tokens are smaller than this.
        eos: the token that ends a sequence, valid where one ends; None: nothing follows.
    """

    def __init__(
        self, sequences: Iterable[Sequence[int]], vocab_size: int, *, eos: int | None = None
    ):
        self.vocab_size, self.eos = vocab_size, eos
        edges: dict[tuple[int, int], int] = {}
        ends: set[int] = set()
        for i, sequence in enumerate(sequences):
            node = 0
            if len(sequence) == 0:
                raise ValueError(f"sequence {i} is empty; a trie spells sequences of one or more")
            for token in map(int, sequence):
                if not 0 <= token < vocab_size:
                    raise ValueError(f"sequence {i}: token {token} is not in 0 to {vocab_size - 1}")
                node = edges.setdefault((node, token), len(edges) + 1)
            ends.add(node)
        if not edges:
            raise ValueError("a trie needs at least one sequence")
        keys = sorted((node * vocab_size + token, child) for (node, token), child in edges.items())
        self.nodes = len(edges) + 1
        self._keys = torch.tensor([key for key, _ in keys])  # (edges,) node x vocab + token
        self._children = torch.tensor([child for _, child in keys])
        self._ends = torch.zeros(self.nodes + 1, dtype=torch.bool)
        self._ends[list(ends)] = True

    def walk(self, prefix: Tensor) -> Tensor:
        """The node (b,) that each prefix (b, t) leads to; -1 where it leaves the trie."""
        node = torch.zeros(len(prefix), dtype=torch.long)
        for tokens in prefix.cpu().unbind(1):
            node = self.step(node, tokens)
        return node

    def step(self, node: Tensor, tokens: Tensor) -> Tensor:
        """The node (b,) after one more token (b,) from each node (b,)."""
        key = node * self.vocab_size + tokens
        place = torch.searchsorted(self._keys, key).clamp(max=len(self._keys) - 1)
        known = (self._keys[place] == key) & (node >= 0) & (tokens < self.vocab_size)
        return torch.where(known, self._children[place], -1)

    def after(self, node: Tensor) -> Tensor:
        """Mask (b, vocab) of tokens that may follow at each node (b,); empty at -1."""
        mask = torch.zeros(len(node), self.vocab_size, dtype=torch.bool)
        first = torch.searchsorted(self._keys, node * self.vocab_size)
        count = torch.searchsorted(self._keys, (node + 1) * self.vocab_size) - first
        row = torch.repeat_interleave(torch.arange(len(node)), count)
        nth = torch.arange(len(row)) - torch.repeat_interleave(count.cumsum(0) - count, count)
        mask[row, self._keys[first[row] + nth] % self.vocab_size] = True
        if self.eos is not None:
            mask[:, self.eos] |= self._ends[node]  # node -1 reads the last entry, False
        return mask

    def allowed(self, prefix: Tensor) -> Tensor:
        """Mask (b, vocab) of tokens that may follow prefixes (b, t)."""
        return self.after(self.walk(prefix)).to(prefix.device)


@dataclass(frozen=True)
class OneOf:
    """A column of one token: the trie is one node with a branch for each valid token."""

    tokens: tuple[int, ...]
    width: int = 1

    def count(self) -> int:
        """Count the ways to write the column."""
        return len(self.tokens)

    def fill(self, mask: Tensor, own: Tensor) -> None:
        """Mark the valid tokens in mask (b, vocab); own (b, 0) are the column's tokens so far."""
        mask[:, torch.tensor(self.tokens, dtype=torch.long, device=mask.device)] = True


@dataclass(frozen=True)
class Digits:
    """A column of a number: the trie of its digits is never built, its nodes are intervals.

    After some digits, the numbers that can still come fill one interval: after 4 of three digits,
    400 to 499. A digit is allowed when its interval meets one of the wanted intervals.
    """

    first: int  # the id of digit 0 at the first place; digit d at place j: first + j base + d
    base: int  # how many digits a place has
    places: int  # how many digits a number has
    plus: tuple[tuple[int, int], ...]  # wanted numbers, (first, last) each, sorted and apart
    minus: tuple[tuple[int, int], ...] = ()  # wanted negative numbers, by their size
    signs: tuple[int, int] | None = None  # ids of plus and minus, if there is a sign
    missing: int | None = None  # the id of a missing value, at every place, if it is wanted

    @property
    def width(self) -> int:
        return self.places + (self.signs is not None)

    def count(self) -> int:
        """Count the ways to write the column."""
        both = (*self.plus, *self.minus)
        return sum(last - first + 1 for first, last in both) + (self.missing is not None)

    def fill(self, mask: Tensor, own: Tensor) -> None:
        """Mark the valid tokens in mask (b, vocab); own (b, j) are the column's tokens so far."""
        signed, begun = self.signs is not None, own.shape[1] > 0
        if signed and not begun:
            mask[:, self.signs[0]], mask[:, self.signs[1]] = bool(self.plus), bool(self.minus)
        else:
            written = own[:, int(signed) :]
            place = torch.arange(written.shape[1], device=own.device)
            zero = self.first + self.base * written.shape[1]
            digits = written - self.first - self.base * place
            mask[:, zero : zero + self.base] = self._next(digits, own[:, :1])
        if self.missing is not None:
            mask[:, self.missing] = (own == self.missing).all(1)  # all of nothing: the first place

    def _next(self, digits: Tensor, sign: Tensor) -> Tensor:
        """Mask (b, base) of digits that may follow digits (b, p), given sign tokens (b, 1)."""
        done = digits.shape[1]
        value = torch.zeros(len(digits), dtype=torch.long, device=digits.device)
        for digit in digits.unbind(1):
            value = value * self.base + digit
        rest = self.base ** (self.places - done - 1)
        low = (value[:, None] * self.base + torch.arange(self.base, device=value.device)) * rest
        met = _meets(self.plus, low, low + (rest - 1))
        if self.signs is not None:
            negative = _meets(self.minus, low, low + (rest - 1))
            met = torch.where(sign == self.signs[1], negative, met & (sign == self.signs[0]))
        return met & ((digits >= 0) & (digits < self.base)).all(1, keepdim=True)


def _meets(intervals: Sequence[tuple[int, int]], low: Tensor, high: Tensor) -> Tensor:
    """Tell whether each interval low to high meets one of the wanted intervals."""
    if not intervals:
        return torch.zeros_like(low, dtype=torch.bool)
    firsts, lasts = torch.tensor(intervals, device=low.device).T.contiguous()
    before = torch.searchsorted(firsts, high, right=True) - 1  # the last that begins by `high`
    return (before >= 0) & (lasts[before.clamp(min=0)] >= low)


class RowConstraint:
    """The valid rows of a table, as a trie read one place at a time.

    Columns do not restrict each other, so the trie of whole rows is the chain of the columns' own
    tries, and the next token depends on the place and on the tokens of its own column only.
    A prefix may begin with `bos`; after a whole row only `eos` is allowed.
    """

    def __init__(self, parts: Sequence[OneOf | Digits], vocab_size: int, *, bos: int, eos: int):
        self.parts, self.vocab_size, self.bos, self.eos = tuple(parts), vocab_size, bos, eos
        self._places = [(part, j) for part in parts for j in range(part.width)]

    @property
    def length(self) -> int:
        """Tokens a row, without bos and eos."""
        return len(self._places)

    def count(self) -> int:
        """Count the different rows that are allowed."""
        return math.prod(part.count() for part in self.parts)

    def allowed(self, prefix: Tensor) -> Tensor:
        """Mask (b, vocab) of tokens that may follow prefixes (b, t) that are allowed so far.

        Only the tokens of the column at hand are looked at. Where they are not allowed, none may
        follow; what earlier columns hold is not checked again.
        """
        if prefix.shape[1] and bool((prefix[:, 0] == self.bos).all()):
            prefix = prefix[:, 1:]
        t = prefix.shape[1]
        mask = torch.zeros(len(prefix), self.vocab_size, dtype=torch.bool, device=prefix.device)
        if t >= self.length:
            mask[:, self.eos] = True
            return mask
        part, j = self._places[t]
        part.fill(mask, prefix[:, t - j :])
        return mask

    def holds(self, ids: Tensor) -> Tensor:
        """Mask (n,) of the rows of ids (n, length) that are allowed from first token to last."""
        good = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
        if ids.shape[1] != self.length:
            return ~good
        known = (ids >= 0) & (ids < self.vocab_size)
        safe = torch.where(known, ids, 0)
        for t in range(self.length):
            mask = self.allowed(safe[:, :t])
            good &= mask.gather(1, safe[:, t : t + 1])[:, 0] & known[:, t]
        return good
