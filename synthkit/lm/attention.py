"""Pooling of a causal LM's attention into one weight per token, for the embedding of a text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .decoding import positions, supported
from .rows import batches, check_finite, right_pad

if TYPE_CHECKING:
    from .model import LM

ATTENTION_POOLINGS = ("received", "received_corrected", "received_layer0", "last_token", "uniform")
SHORT = 256  # tokens of a row; beyond, the weights of plain attention take more than they save
_CELLS = 2**26  # the most (rows x heads x length x length) weights held at once


@torch.no_grad()
def attention_weights(
    lm: LM, texts: Sequence[str], pooling: str = "received", *, batch_size: int = 32
) -> list[Tensor]:
    """One float32 weight a token (m,), summing to 1, for each text.

    Args:
        texts: non-empty texts.
        pooling: what "the attention weight of a token" means, A being (queries, keys):
            `received`: mean of A over layers, heads and queries;
            `received_corrected`: the same, each key divided by the number of queries that can
            see it in a causal model;
            `received_layer0`: as `received`, in the first layer only;
            `last_token`: the last query's row of the last layer, mean over heads;
            `uniform`: 1/m, without a forward pass.
        batch_size: most texts in one forward pass.

    BOS stands in front for the forward pass; it is then dropped and the rest renormalised.
    Layers are reduced one by one, so that only one layer's A is held at a time.

    Raises:
        ValueError: an unknown pooling, or a text that is empty or too long.
        RuntimeError: the architecture does not give attention weights.

    Source: arXiv 2603.22294, equation 2 (SM^w), which leaves the pooling open.
    """
    if pooling not in ATTENTION_POOLINGS:
        raise ValueError(f"unknown pooling {pooling!r}; choose one of {ATTENTION_POOLINGS}")
    front = lm.with_bos([])
    rows = [front + ids for ids in lm.text_ids(texts, len(front))]
    with lm.evaluating():
        return _read(lm.model, rows, pooling, skip=len(front), batch_size=batch_size)


def _read(
    model: nn.Module, rows: Sequence[Sequence[int]], pooling: str, *, skip: int, batch_size: int
) -> list[Tensor]:
    """The weights of rows of token ids (m_i,), without the first `skip` of each (BOS)."""
    lengths = [len(ids) for ids in rows]
    if pooling == "uniform":
        return [torch.full((m - skip,), 1 / (m - skip)) for m in lengths]
    heads = getattr(model.config.get_text_config(), "num_attention_heads", 1)
    weights: list[Tensor] = [torch.empty(0)] * len(rows)
    with eager(model):
        for batch in batches(lengths, batch_size, lambda m: heads * m * m, _CELLS):
            received = _received(model, [rows[i] for i in batch], pooling)
            for i, row in zip(batch, received):
                row = row[skip : lengths[i]]
                weights[i] = row / row.sum()
                check_finite(weights[i], f"the attention over text {i}")
    return weights


def _received(model: nn.Module, rows: Sequence[Sequence[int]], pooling: str) -> Tensor:
    """Unnormalised float32 weights (b, m) on the CPU, BOS and pads still in."""
    ids, mask = right_pad(rows, device=model.get_input_embeddings().weight.device)
    count = mask.sum(1)
    queries = mask.float()
    state = {"layers": 0, "sum": torch.zeros_like(queries)}

    def reduce(module: nn.Module, inputs, output) -> None:
        found = _attention_in(output, ids.shape)
        if found is None:
            return
        state["layers"] += 1
        if pooling == "last_token":  # the last layer to come by stays
            picked = found[torch.arange(len(ids)), :, count - 1].float().mean(1)
            state["sum"] = picked.to(queries.device)
        elif pooling != "received_layer0" or state["layers"] == 1:
            one = torch.einsum("bhqk,bq->bk", found.float(), queries.to(found.device))
            state["sum"] += one.to(queries.device)

    with _hooked(model, reduce):
        extra = {"use_cache": False, "logits_to_keep": 1, "position_ids": positions(mask)}
        model(input_ids=ids, attention_mask=mask, **supported(model, **extra))
    if not state["layers"]:
        raise RuntimeError(
            f"{type(model).__name__} gave no attention weights under "
            f"attn_implementation={model.config._attn_implementation!r}; this pooling "
            "needs 'eager': load a model that supports it, or use pooling='uniform'"
        )
    total = state["sum"]
    if pooling == "received_corrected":
        places = torch.arange(ids.shape[1], device=ids.device)
        total = total / (count[:, None] - places).clamp(min=1)
    return total.float().cpu()


@contextmanager
def eager(model: nn.Module, on: bool = True) -> Iterator[None]:
    """Inside, attention is computed the plain way, which shows its weights."""
    before = model.config._attn_implementation
    if on:
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if on:
            model.set_attn_implementation(before)


def fused_is_slow(model: nn.Module, longest: int) -> bool:
    """True where a training step takes longer with torch's fused attention than with plain one.

    The gradient of the fused one is slow on a CPU in bfloat16: with SmolLM2 and rows of 50 tokens,
    plain attention halves the time of a step. `longest` is the number of tokens of the longest row.
    """
    on_cpu = model.get_input_embeddings().weight.device.type == "cpu"
    return on_cpu and model.dtype == torch.bfloat16 and longest <= SHORT


@contextmanager
def _hooked(model: nn.Module, hook) -> Iterator[None]:
    """`hook` on every attention module, in the order in which they run."""
    found = [m for m in model.modules() if type(m).__name__.endswith("Attention")]
    handles = [module.register_forward_hook(hook) for module in found]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attention_in(output, shape: torch.Size) -> Tensor | None:
    """The (b, h, m, m) attention weights among what an attention module returned."""
    for part in output if isinstance(output, tuple) else ():
        if torch.is_tensor(part) and part.dim() == 4:
            if (part.shape[0], *part.shape[2:]) == (shape[0], shape[1], shape[1]):
                return part
    return None
