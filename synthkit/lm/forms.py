"""Constrained decoding: a text that is given but for its slots, each with what may stand there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .model import LM

LONGEST = 24  # tokens of a slot for free text


class Form:
    """The filled forms, token by token: `lm.generate(prompts, allowed=form)` writes no other text.

    Args:
        lm: whose tokens spell the form.
        parts: in order, the texts that may stand there: one for what is given, several for a slot,
            none of them the beginning of another; None is free text without quotation marks, and
            the next part begins with one.

    Raises:
        ValueError: a part without texts, or an empty text.
    """

    def __init__(self, lm: LM, parts: Sequence[Sequence[str] | None]):
        self._lm = lm
        self.parts = [None if part is None else _spelled(lm, part) for part in parts]

    @property
    def longest(self) -> int:
        """The most tokens that a filled form takes."""
        return sum(LONGEST if part is None else max(map(len, part)) for part in self.parts)

    def __call__(self, written: Sequence[int]) -> Sequence[int]:
        """The tokens that may follow those of an unfinished form; none after a finished one."""
        rest = tuple(written)
        for part, after in zip(self.parts, [*self.parts[1:], None]):
            if part is None:
                inside, first = self._free
                length = next((i for i, id in enumerate(rest) if id not in inside), len(rest))
                if length == len(rest):
                    ends = sorted({ids[0] for ids in after or ()}) if length else []
                    return ends if length >= LONGEST else [*(inside if length else first), *ends]
            else:
                done = next((ids for ids in part if rest[: len(ids)] == ids), None)
                if done is None:
                    begun = (ids for ids in part if ids[: len(rest)] == rest)
                    return sorted({ids[len(rest)] for ids in begun})
                length = len(done)
            rest = rest[length:]
        return []

    @cached_property
    def _free(self) -> tuple[dict[int, None], list[int]]:
        """The tokens of free text, and those of them that can begin one."""
        tokenizer = self._lm.tokenizer
        special = set(tokenizer.all_special_ids)
        shown = enumerate(tokenizer.batch_decode([[id] for id in range(len(tokenizer))]))
        plain = {id: text for id, text in shown if id not in special and _is_plain(text)}
        return dict.fromkeys(plain), [id for id, text in plain.items() if text[-1].isalnum()]


def _is_plain(text: str) -> bool:
    """True if a JSON string can hold the text as it is."""
    return bool(text) and text.isprintable() and not set(text) & set('"\\\ufffd')


def _spelled(lm: LM, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """The tokens of each text."""
    if not texts or not all(texts):
        raise ValueError(f"a part of a form needs texts that are not empty, got {list(texts)!r}")
    return [tuple(ids) for ids in lm.token_ids(list(texts))]
