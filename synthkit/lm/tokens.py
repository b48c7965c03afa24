"""Texts to token ids, where a user's text is plain characters whatever it looks like; and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from .model import LM


def plain_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, special: bool = False
) -> list[list[int]]:
    """The token ids of texts in which the name of a special token means its characters.

    Without this, a forum post about "</s>" would end there, and a review with "<pad>" would lose
    the rest. Whoever means the token itself (a chat template) calls the tokenizer.

    Args:
        tokenizer: of transformers.
        special: put the tokenizer's own BOS and such around each text.

    Raises:
        ValueError: a text holds such a name, and this tokenizer cannot write it in other tokens.
    """
    texts = list(texts)
    if not texts:
        return []
    options = {"split_special_tokens": True, "return_attention_mask": False}
    marks = special_tokens(tokenizer)
    for i, text in enumerate(texts):
        if any(name in text for name in marks.values()):
            ids = tokenizer(text, add_special_tokens=False, **options).input_ids
            found = [marks[token] for token in ids if token in marks]
            if found:
                raise ValueError(
                    f"text {i} holds {found[0]!r}, which this tokenizer can only read as its "
                    "special token; write it differently or leave the text out"
                )
    return tokenizer(texts, add_special_tokens=special, **options).input_ids


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The special tokens of a tokenizer by id; the one for unknown characters is left out."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    marks = {token: str(each) for token, each in added.items() if each.special}
    marks |= dict(zip(tokenizer.all_special_ids, tokenizer.all_special_tokens))
    unknown = tokenizer.unk_token_id
    if unknown not in (tokenizer.bos_token_id, tokenizer.eos_token_id):  # GPT-2 has one for all
        marks.pop(unknown, None)
    return marks


def text_room(lm: LM, length: int) -> int:
    """Tokens that a text may have behind `length` soft vectors, its BOS and EOS not counted."""
    return lm.context - length - (lm.bos_id is not None) - (lm.eos_id is not None)


# --- from tokens back to text --------------------------------------------------------------------


class Written(str):
    """A text that a model wrote; `finish_reason` is "stop" (it ended) or "length" (it was cut)."""

    finish_reason: str

    def __new__(cls, text: str = "", finish_reason: str = "stop") -> Written:
        """The text with its reason."""
        written = super().__new__(cls, text)
        written.finish_reason = finish_reason
        return written


def end_tokens(model: nn.Module, eos_id: int | None) -> set[int]:
    """Every token that ends a text: the tokenizer's and those of the generation config."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ends = configured if isinstance(configured, list) else [configured]
    return {end for end in (*ends, eos_id) if end is not None}


def new_text(tokenizer: PreTrainedTokenizerBase, ids: list[int], before: int | None = None) -> str:
    """The text of new ids; `before`, the token in front, saves a leading space."""

    def plain(tokens: list[int]) -> str:
        return tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    if before is not None:
        start, whole = plain([before]), plain([before, *ids])
        if start and whole.startswith(start):
            return whole[len(start) :]
    return plain(ids)


def check_stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    """The stop strings as a tuple; ValueError when one is empty."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(stops):
        raise ValueError(f"a stop string is empty: {stops}; every text would end at once")
    return stops


def stopper(
    tokenizer: PreTrainedTokenizerBase, stops: tuple[str, ...]
) -> Callable[[list[int]], bool] | None:
    """A function that says whether new tokens hold a stop string, or None without stops."""
    if not stops:
        return None
    tail = 4 * max(map(len, stops)) + 8  # a character takes at most four byte tokens

    def stopped(ids: list[int]) -> bool:
        text = new_text(tokenizer, ids[-tail:])
        return any(stop in text for stop in stops)

    return stopped


def cut(text: str, stops: tuple[str, ...]) -> str:
    """The text before its first stop string."""
    found = [at for at in map(text.find, stops) if at >= 0]
    return text[: min(found)] if found else text
