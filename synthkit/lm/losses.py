"""Nats of each next token; with a large vocabulary the logits of a few places exist at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .rows import IGNORED

LARGE = 16_384  # from this vocabulary on, logits come in chunks
CHUNK = 2**24  # logits of a chunk: 64 MiB in float32


def next_token_losses(model: nn.Module, labels: Tensor, **inputs: Any) -> Tensor:
    """Nats at each place (n, m), 0 where the label is -100; gradients flow.

    With a vocabulary of `LARGE` or more tokens, the logits of the places that carry loss are made
    in chunks of `CHUNK` numbers, and made again for the gradient, so that no (n, m, V) block
    exists. A model whose head cannot be applied by itself gives all logits at once.

    Args:
        model: a causal LM.
        labels: (n, m), the token at each place or -100; place i is predicted from those before it.
        inputs: what its forward takes.
    """
    if in_chunks(model):
        hidden = _decoder(model)(**inputs).last_hidden_state[:, :-1]
        return _in_chunks(model, hidden, labels)
    logits = model(**inputs).logits[:, :-1].float().flatten(0, 1)  # (n * (m - 1), V)
    targets = labels[:, 1:].flatten().to(logits.device)
    losses = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")
    return functional.pad(losses.view(len(labels), -1), (1, 0))


def mean_loss(model: nn.Module, labels: Tensor, **inputs: Any) -> Tensor:
    """Mean nats of the tokens with a label: `next_token_losses`, but no logits elsewhere.

    Where most places are a prompt or padding, a training step takes a fifth less time.
    """
    if in_chunks(model) or not _separable(model):
        return next_token_losses(model, labels, **inputs).sum() / (labels[:, 1:] != IGNORED).sum()
    hidden = _decoder(model)(**inputs).last_hidden_state[:, :-1]
    states, wanted, _ = _labelled(hidden, labels)
    return _nats(model, states, wanted).mean()


def in_chunks(model: nn.Module) -> bool:
    """True where `next_token_losses` makes the logits in chunks."""
    vocabulary = model.config.get_text_config().vocab_size
    return vocabulary >= LARGE and _separable(model)


def _separable(model: nn.Module) -> bool:
    """True where the head is one plain layer on what the decoder gives.

    A head with an adapter is none: what looks at its inputs (influence) wants one call a pass.
    """
    head = getattr(model, "get_output_embeddings", lambda: None)()
    if _decoder(model) is None or not isinstance(head, nn.Linear):
        return False
    probe = torch.zeros(1, 1, head.in_features, dtype=model.dtype, device=head.weight.device)
    with torch.no_grad(), _standing_in(_decoder(model), probe) as calls:
        model(inputs_embeds=probe, use_cache=False)
    return bool(calls)


def _labelled(hidden: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States (k, N) before the tokens with a label, these tokens (k,), their places (n, m - 1)."""
    targets = labels[:, 1:].to(hidden.device)
    kept = targets != IGNORED
    return hidden[kept], targets[kept], kept


def _in_chunks(model: nn.Module, hidden: Tensor, labels: Tensor) -> Tensor:
    states, wanted, kept = _labelled(hidden, labels)
    size = max(1, CHUNK // model.config.get_text_config().vocab_size)
    parts = [
        checkpoint(_nats, model, *part, use_reentrant=False, preserve_rng_state=False)
        for part in zip(states.split(size), wanted.split(size))
    ]
    losses = torch.zeros(kept.shape, device=hidden.device)
    losses = losses.masked_scatter(kept, torch.cat(parts))
    return functional.pad(losses, (1, 0))


def _nats(model: nn.Module, states: Tensor, targets: Tensor) -> Tensor:
    """Nats (k,) of tokens, from the last hidden states (k, N) before them."""
    logits = _head(model, states[None])[0]
    return functional.cross_entropy(logits.float(), targets.to(logits.device), reduction="none")


def _head(model: nn.Module, states: Tensor) -> Tensor:
    """Logits (b, k, V) of hidden states (b, k, N), scaled or capped as the model does it."""
    with _standing_in(_decoder(model), states):
        return model(inputs_embeds=states, use_cache=False).logits


@contextmanager
def _standing_in(decoder: nn.Module, states: Tensor) -> Iterator[list]:
    """Inside, `decoder` gives `states`, whatever it is called with; the list tells of its calls."""
    from transformers.modeling_outputs import BaseModelOutputWithPast

    calls: list[None] = []

    def given(*args: Any, **inputs: Any) -> BaseModelOutputWithPast:
        calls.append(None)
        return BaseModelOutputWithPast(last_hidden_state=states)

    before = decoder.__dict__.get("forward")
    decoder.forward = given
    try:
        yield calls
    finally:
        decoder.__dict__.pop("forward")
        decoder.__dict__.update({"forward": before} if before else {})


def _decoder(model: nn.Module) -> nn.Module | None:
    """The part of a causal LM that makes the last hidden states, if it has one."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    return None if decoder is model else decoder
