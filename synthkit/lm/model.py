"""A thin layer over a transformers causal LM: embed, attend, generate, score, adapt."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from . import adapters
from .attention import ATTENTION_POOLINGS, attention_weights
from .fingerprint import fingerprint
from .generation import generate
from .likelihood import nll, token_losses, training_batch
from .quantisation import bits_of
from .rows import IGNORED, check_finite, check_prefix, check_texts
from .tokens import plain_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["IGNORED", "LM", "ATTENTION_POOLINGS"]


class LM:
    """A causal LM and its tokenizer (`model`, `tokenizer`), with what the methods need of them.

    Attributes:
        name: hub id, the folder's name, or `"embedded"`.
        device: where inputs go.
        hidden_size: N, the width of a token's embedding.
        context: most positions the model takes (`sys.maxsize` if its config sets no limit).
        is_embedded: whether this is the kit's own model.
        bits: 4, 8, or None when the weights are not quantised.
        chat: whether teachers, students and the answers of both take the model's chat template:
            True where there is one, and False to switch it off. `generate` has a `chat=` of its
            own, since a raw continuation is no answer.

    A sequence is laid out as [prefix][BOS][prompt][text][EOS]. BOS is there only where the model's
    tokenizer puts one in front of a text, and `bos=False` leaves it out.
    """

    def __init__(self, model: nn.Module, tokenizer: PreTrainedTokenizerBase, name: str = "model"):
        self.model, self.tokenizer, self.name = model, tokenizer, name
        config = model.config.get_text_config()
        self.hidden_size: int = model.get_input_embeddings().embedding_dim
        self.context: int = getattr(config, "max_position_embeddings", None) or sys.maxsize
        self.is_embedded: bool = hasattr(model.config, "synthkit_format")
        self.bits = bits_of(model)
        self._parameters: int = model.num_parameters()
        self._adapters = adapters.AdapterState()
        first = tokenizer("a").input_ids[:1]
        self.bos_id: int | None = tokenizer.bos_token_id
        if first != [self.bos_id]:  # GPT-2 names a BOS token and never uses it
            self.bos_id = None
        self.eos_id: int | None = tokenizer.eos_token_id
        self.chat: bool = self.has_chat_template

    def __repr__(self) -> str:
        facts = ", ".join(f"{key}={value!r}" for key, value in self.describe().items())
        return f"LM({facts})"

    @property
    def device(self) -> torch.device:
        """Device of the inputs: that of the embedding table."""
        return self.model.get_input_embeddings().weight.device

    @property
    def has_chat_template(self) -> bool:
        """True if the tokenizer has a template for a user's message."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    def describe(self) -> dict:
        """Name, architecture, parameters, bits, dtype, device, context, chat and adapters."""
        return {
            "name": self.name,
            "architecture": type(self.model).__name__,
            "parameters": self._parameters,
            "bits": self.bits,
            "dtype": str(self.model.dtype).removeprefix("torch."),
            "device": str(self.device),
            "context": self.context,
            "chat": self.chat,
            "adapters": self._adapters.names,
        }

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the weights in use, from the config and 64 values a tensor.

        An active adapter counts, an idle one does not. It is computed anew each time (it is
        cheap), so that it follows training.
        """
        return fingerprint(self.model, self.active_adapter)

    # --- tokens ----------------------------------------------------------------------------------

    def token_ids(self, texts: Sequence[str], special: bool = False) -> list[list[int]]:
        """The token ids of each text; with the tokenizer's BOS and such if `special`.

        The name of a special token inside a text is plain characters; see `plain_ids`.

        Raises:
            TypeError: `texts` is one string, or holds something that is no string.
        """
        return plain_ids(self.tokenizer, check_texts(texts), special=special)

    def text_ids(self, texts: Sequence[str], extra: int = 0) -> list[list[int]]:
        """Token ids of non-empty texts that fit the context together with `extra` positions."""
        texts = check_texts(texts)
        rows = self.token_ids(texts)
        for i, ids in enumerate(rows):
            if not ids:
                raise ValueError(f"text {i} is empty ({texts[i]!r}); drop it first")
            self.check_length(len(ids) + extra, f"text {i}")
        return rows

    def check_length(self, length: int, what: str) -> None:
        """Raise ValueError, naming `what`, when the context does not hold `length` positions."""
        if length > self.context:
            raise ValueError(
                f"{what} takes {length} positions, but the context of {self.name!r} holds "
                f"{self.context}; shorten or split it"
            )

    def with_bos(self, ids: list[int], bos: bool = True) -> list[int]:
        """BOS in front, unless it is there already (a chat template writes its own)."""
        front = [self.bos_id] if bos and self.bos_id is not None else []
        return ids if front and ids[:1] == front else front + ids

    def prefix_rows(self, prefix: Tensor | None, n: int) -> Tensor:
        """The prefix of n rows as (1 or n, t, N); (1, 0, N) for none."""
        if prefix is None:
            return torch.zeros(1, 0, self.hidden_size, device=self.device)
        return check_prefix(prefix, n, self.hidden_size)

    def embed_ids(self, ids: Sequence[int]) -> Tensor:
        """Input embeddings (m, N) of token ids, scaled as the model itself scales them.

        What a model multiplies inside its forward (Granite) is not applied here, so the result
        can be passed on as `inputs_embeds` as it is.
        """
        return self.model.get_input_embeddings()(torch.tensor(ids, device=self.device).long())

    @torch.no_grad()
    def embed_tokens(self, texts: Sequence[str]) -> list[Tensor]:
        """Input embeddings (m, N) of each text, without BOS or other special tokens.

        Raises:
            ValueError: a text is empty or longer than the context, or an embedding is not finite.

        Source: arXiv 2603.22294, equation 2 (SM^e).
        """
        rows = [self.embed_ids(ids) for ids in self.text_ids(texts)]
        for i, row in enumerate(rows):
            check_finite(row, f"the embedding of text {i}")
        return rows

    # --- what it is for: each method stands, with its documentation, in a module of its own ------

    attention_weights = attention_weights
    generate = generate
    training_batch = training_batch
    token_losses = token_losses
    nll = nll

    # --- adapters and copies ---------------------------------------------------------------------

    @property
    def active_adapter(self) -> str | None:
        """The adapter in use; None is the base alone."""
        return self._adapters.active

    add_adapter, load_adapter = adapters.add_adapter, adapters.load_adapter
    set_adapter, use_adapter = adapters.set_adapter, adapters.use_adapter
    pack_adapter, save_adapter = adapters.pack_adapter, adapters.save_adapter
    with_lora, merged = adapters.with_lora, adapters.merged

    def clone(self) -> LM:
        """A copy that shares nothing that can change, adapters included."""
        return copy.deepcopy(self)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """In eval mode inside, each module as it was afterwards."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            yield
        finally:
            for module in training:
                module.training = True
