"""Drafts as a model writes them: each with noise of its own, and whether the model ended it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..core.arguments import as_number
from ..lm.decoding import Sampling, decode
from ..lm.tokens import end_tokens, new_text


@dataclass(frozen=True)
class Draft:
    """A text as it came from the model, and whether the model ended it."""

    text: str
    ended: bool


@dataclass(frozen=True)
class Drawing:
    """Settings of a draw of drafts: from the whole vocabulary, at a temperature, with a seed."""

    temperature: float
    max_new_tokens: int
    seed: int


def drawing(preset: Any, temperature: float | None, seed: int) -> Drawing:
    """Settings of a draw by a preset; a temperature of None is the preset's."""
    t = preset.temperature if temperature is None else as_number(temperature, "temperature")
    return Drawing(t, preset.max_new_tokens, seed)


def write(lm: Any, starts: Sequence[Tensor], ids: Sequence[int], how: Drawing) -> list[Draft]:
    """One draft after each start.

    Args:
        starts: input embeddings, `(m_i, N)` each, BOS included.
        ids: the number of each draft, which seeds its noise.

    Raises:
        ValueError: a start leaves no room in the context.
    """
    for start in starts:
        lm.check_length(len(start) + 1, "a prompt with one new token")
    limits = [min(how.max_new_tokens, lm.context - len(start)) for start in starts]
    sampling = Sampling(how.temperature, seed=how.seed)
    ends = end_tokens(lm.model, lm.eos_id)
    with lm.evaluating():
        new = decode(lm.model, list(starts), list(ids), limits, eos=ends, sampling=sampling)
    texts = [new_text(lm.tokenizer, got) for got in new]
    return [Draft(text, len(got) < m) for text, got, m in zip(texts, new, limits)]


def draft_number(slot: int, turn: int) -> int:
    """The number of a draft, which seeds its noise: the same whatever else is asked for."""
    return (turn << 32) + slot
