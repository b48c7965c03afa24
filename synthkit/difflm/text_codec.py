"""Texts as rows of token ids, for a decoder that is a real language model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..lm.rows import check_texts, right_pad
from ..lm.tokens import plain_ids


class TextCodec:
    """Texts to tokens and back: each text with its end token, padded on the right.

    On the right, so that the distance from a prefix to the text is the same in every row, in
    training as in generation. (The released code of DiffLM pads between the two.)

    Args:
        tokenizer: of the decoder, with an end token.
        context: the most tokens that a text may have, its end included; later `length`.
        vocab_size: tokens that the decoder knows; default: the tokenizer's.
    """

    def __init__(self, tokenizer, context: int, *, vocab_size: int | None = None):
        if tokenizer.eos_token_id is None:
            raise ValueError("the tokenizer names no end token, and nothing would end a text")
        if context < 2:
            raise ValueError(f"context must be 2 or more (a token and the end), found {context}")
        self.tokenizer, self.length = tokenizer, context
        self.vocab_size = vocab_size or len(tokenizer)
        self.eos: int = tokenizer.eos_token_id
        self.pad: int = self.eos if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        first, bos = tokenizer("a").input_ids[0], tokenizer.bos_token_id
        self.bos: int | None = bos if first == bos else None  # GPT-2 names one and never uses it

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Ids (n, m) of the texts and their ends, as wide as the longest."""
        texts = check_texts(texts)
        if not texts:
            raise ValueError("there are no texts to encode")
        rows = plain_ids(self.tokenizer, texts)
        for i, ids in enumerate(rows):
            if not ids:
                raise ValueError(f"text {i} is empty ({texts[i]!r}); drop it first")
            if len(ids) >= self.length:
                raise ValueError(
                    f"text {i} takes {len(ids) + 1} tokens with its end, but the codec holds "
                    f"{self.length}; make it with a larger context, or split the text"
                )
        return right_pad([[*ids, self.eos] for ids in rows], filler=self.pad)[0]

    def mask(self, ids: Tensor) -> Tensor:
        """Mask (n, m) of the places of ids (n, m) that belong to the text, its end included."""
        ended = (ids == self.eos).cumsum(1) - (ids == self.eos).long()  # ends before this place
        return ended == 0

    def decode(self, ids: Tensor) -> list[str]:
        """The text of each row of ids (n, m), up to its first end token."""
        rows = [row[keep].tolist() for row, keep in zip(ids.cpu(), self.mask(ids.cpu()))]
        rows = [row[:-1] if row and row[-1] == self.eos else row for row in rows]
        return [
            self.tokenizer.decode(row, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for row in rows
        ]
