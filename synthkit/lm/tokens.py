"""Texts to token ids: a user's text is plain characters, whatever it looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
