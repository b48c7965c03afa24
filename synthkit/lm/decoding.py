"""Decoding from input embeddings, one left-padded batch with a key-value cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .choosing import Sampling, choose, uniform
from .key_values import Beginning, keeps_all, make_roomy
from .products import packed

# Finished rows are cut out of the batch (which copies the cache) once they are this share of it.
_COMPACT_SHARE = 0.25
PACK_STEPS = 32  # steps after which packed weights (see `products.packed`) have paid


def left_pad(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows (m_i, N) as one block (b, m, N), zeros on the left, with its mask (b, m)."""
    longest = max(len(row) for row in rows)
    block = rows[0].new_zeros(len(rows), longest, rows[0].shape[-1])
    mask = torch.zeros(len(rows), longest, dtype=torch.long, device=block.device)
    for i, row in enumerate(rows):
        block[i, longest - len(row) :] = row
        mask[i, longest - len(row) :] = 1
    return block, mask


def positions(mask: Tensor) -> Tensor:
    """Position ids (b, m) that count only unpadded places; padded ones get 0."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def supported(model: nn.Module, **arguments: Any) -> dict:
    """The `arguments` that the model's `forward` takes (architectures differ)."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    known = inspect.signature(base.forward).parameters
    return {name: value for name, value in arguments.items() if name in known}


def with_cache(model: nn.Module, cache: Any) -> dict:
    """The argument that hands `model` its key-value cache.

    It is `cache` where the model takes that (transformers 5.24 and later), else `past_key_values`.
    """
    return supported(model, cache=cache) or {"past_key_values": cache}


def cache_of(output: Mapping[str, Any]) -> Any:
    """The key-value cache that a model returned; see `with_cache`."""
    return output["cache"] if "cache" in output else output.get("past_key_values")


Allowed = Callable[[Sequence[int]], Sequence[int]]  # from new tokens to those that may follow
Choice = tuple[Tensor, Tensor | None]  # the next tokens (b,), and the places of the batch kept


@torch.no_grad()
def run_decoder(
    model: nn.Module,
    inputs: dict,
    choose_next: Callable[[Tensor], Choice | None],
    *,
    mask: Tensor | None = None,
    embed: Callable[[Tensor], Tensor] | None = None,
) -> None:
    """Decode a batch with a key-value cache: the loop behind every generation of the kit.

    Args:
        model: a causal LM in eval mode.
        inputs: of the first forward pass: `inputs_embeds` (b, m, N), perhaps a filled cache.
        choose_next: from logits (b, V) of the next token to the tokens (b,) that are taken, and
            which places of the batch go on (None: all); or None at the end.
        mask: (b, m), 1 for what is there, with what a filled cache holds in front; None where
            nothing is padded.
        embed: from tokens (b,) to the embeddings (b, 1, N) that stand for them; None: the model's.
    """
    fixed = supported(model, use_cache=True, logits_to_keep=1)
    positioned = mask is not None and bool(supported(model, position_ids=None))  # ALiBi takes none
    inputs, new = dict(inputs), -inputs["inputs_embeds"].shape[1]  # later, the last position
    (held,) = with_cache(model, None)  # the argument's name; to find it takes long
    while True:
        if mask is not None:
            inputs["attention_mask"] = mask
        if positioned:
            inputs["position_ids"] = positions(mask)[:, new:]
        out = model(**inputs, **fixed)
        choice = choose_next(out.logits[:, -1])
        if choice is None:
            return
        tokens, keep = choice
        cache, new = cache_of(out), -1
        make_roomy(cache)
        if keep is not None:
            cache.batch_select_indices(keep)
            tokens, mask = tokens[keep], None if mask is None else mask[keep]
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        # Through input_ids, so that the model scales its embeddings as it always does.
        taken = {"inputs_embeds": embed(tokens)} if embed else {"input_ids": tokens[:, None]}
        inputs = taken | {held: cache}


def decode(
    model: nn.Module,
    rows: Sequence[Tensor],
    row_ids: Sequence[int],
    limits: Sequence[int],
    *,
    eos: Iterable[int] = (),
    sampling: Sampling | None = None,
    stopped: Callable[[list[int]], bool] | None = None,
    allowed: Allowed | None = None,
    compacted: Callable[[Tensor], None] | None = None,
    beginning: Beginning | None = None,
) -> list[list[int]]:
    """New tokens for each row of one batch.

    Args:
        model: a causal LM in eval mode.
        rows: input embeddings, (m_i, N) each, as `model.get_input_embeddings()` gives them.
        row_ids: the number of each row in the whole job; it seeds the row's noise.
        limits: the most tokens each row may get.
        eos: tokens that end a row; they are not returned.
        sampling: how tokens are chosen; greedy if None.
        stopped: called with a row's new tokens after each one; true ends the row.
        allowed: from a row's new tokens to those that may follow; the row ends where none may.
        compacted: called with the places of the batch that are left, when finished rows are cut
            out of it.
        beginning: stands in front of every row.

    Returns:
        A list of token ids for each row, without the end token.
    """
    sampling = sampling or Sampling()
    batch = _Batch(rows, row_ids, limits, set(eos), sampling, stopped, allowed)
    embeds, mask = left_pad(rows)
    inputs = {"inputs_embeds": embeds}
    if beginning is not None:
        inputs |= with_cache(model, beginning.cache_for(len(rows)))
        mask = beginning.mask_for(mask)

    def choose_next(logits: Tensor) -> Choice | None:
        tokens = choose(batch.constrained(logits), batch.noise(), sampling)
        batch.take(tokens.tolist())
        if not batch.running:
            return None
        keep = batch.compact()
        if keep is not None:
            keep = torch.tensor(keep, device=logits.device)
            if compacted is not None:
                compacted(keep)
        return tokens, keep

    with packed(model, on=max(limits) >= PACK_STEPS):
        run_decoder(model, inputs, choose_next, mask=mask)
    return batch.tokens


@torch.no_grad()
def begin(model: nn.Module, embeds: Tensor) -> Beginning | None:
    """Run what all rows begin with, (m, N), through the model once.

    None where rows that are padded behind it would not be what they are alone: the model takes no
    positions (ALiBi), or its cache drops some.
    """
    if not supported(model, position_ids=None):
        return None
    fixed = supported(model, use_cache=True, logits_to_keep=1)
    cache = cache_of(model(inputs_embeds=embeds[None], **fixed))
    return Beginning(cache, len(embeds)) if keeps_all(cache) else None


class _Batch:
    """Rows of a batch that still run, and the tokens of each."""

    def __init__(self, rows, row_ids, limits, eos, sampling, stopped, allowed):
        self.allowed = allowed
        self.tokens: list[list[int]] = [[] for _ in rows]
        self.limits, self.eos, self.stopped = list(limits), eos, stopped
        self.places = list(range(len(rows)))  # which row each place of the batch holds
        self.running = set(self.places)
        self.step = 0
        steps = max(self.limits)
        self._device = rows[0].device
        self._noise = np.zeros((len(rows), steps))
        if sampling.temperature > 0:
            self._noise = np.stack([sampling.noise(row, steps) for row in row_ids])

    def noise(self) -> Tensor:
        """(b,) uniform numbers for this step."""
        return uniform(self._noise[self.places, self.step], self._device)

    def constrained(self, logits: Tensor) -> Tensor:
        """Logits (b, V), -inf for the tokens that may not follow in a running row."""
        if self.allowed is None:
            return logits
        mask = torch.zeros_like(logits, dtype=torch.bool)
        for i, place in enumerate(self.places):
            mask[i, list(self.allowed(self.tokens[place]))] = True
            mask[i] |= place not in self.running
        return logits.masked_fill(~mask, -torch.inf)

    def take(self, tokens: list[int]) -> None:
        """Give each running row its new token, and retire rows that end."""
        self.step += 1
        for place, token in zip(self.places, tokens):
            if place not in self.running:
                continue
            if token in self.eos:
                self.running.discard(place)
                continue
            got = self.tokens[place]
            got.append(token)
            ended = self.stopped and self.stopped(got)
            if len(got) >= self.limits[place] or ended or (self.allowed and not self.allowed(got)):
                self.running.discard(place)

    def compact(self) -> list[int] | None:
        """Places to keep when enough rows have finished, else None."""
        if len(self.running) > (1 - _COMPACT_SHARE) * len(self.places):
            return None
        keep = [i for i, place in enumerate(self.places) if place in self.running]
        self.places = [self.places[i] for i in keep]
        return keep
