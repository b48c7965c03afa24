"""Likelihood: how many nats a text costs, without gradients to measure and with them to train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .decoding import positions, supported
from .losses import next_token_losses
from .rows import IGNORED, batches, scored_batch

if TYPE_CHECKING:
    from .model import LM

_CELLS = 2**27  # the most (rows x length x vocabulary) logits scored at once


def training_batch(
    lm: LM,
    texts: Sequence[str],
    *,
    prompts: Sequence[str] | None = None,
    prefix_embeds: Tensor | None = None,
    bos: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """`(inputs_embeds, labels, mask)` of [prefix][BOS][prompt][text][EOS], padded on the right.

    Args:
        texts: the texts that carry loss, with the EOS after them.
        prompts: texts in front that carry none, one each; may be "".
        prefix_embeds: (t, N) or (n, t, N); gradients flow into it.
        bos: put BOS in front if the tokenizer does so.

    Returns:
        (n, m, N) embeddings, (n, m) labels (-100: no loss), (n, m) mask: what
        `token_losses` takes.

    Raises:
        ValueError: a text is empty, a row exceeds the context, or counts or widths differ.
    """
    prefix = lm.prefix_rows(prefix_embeds, len(texts))
    rows, starts = _scored_rows(lm, texts, prompts, bos, prefix.shape[1])
    return scored_batch(lm.model, rows, starts, prefix, filler=lm.eos_id or 0)


def token_losses(lm: LM, inputs_embeds: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Nats at each place (n, m), 0 where the label is -100; gradients flow.

    Args:
        inputs_embeds: (n, m, N).
        labels: (n, m), the token at each place or -100; place i is predicted from those
            before it, so the first one never counts.
        mask: (n, m), 1 for what is there and 0 for padding.
    """
    extra = supported(lm.model, position_ids=positions(mask), use_cache=False)
    inputs = {"inputs_embeds": inputs_embeds, "attention_mask": mask, **extra}
    return next_token_losses(lm.model, labels, **inputs)


@torch.no_grad()
def nll(
    lm: LM,
    texts: Sequence[str],
    *,
    prompts: Sequence[str] | None = None,
    prefix_embeds: Tensor | None = None,
    bos: bool = True,
    batch_size: int = 64,
) -> Tensor:
    """Mean nats per token (n,) of each text and its EOS, given prefix and prompt.

    Arguments and errors are those of `training_batch`; the result is float32 on the CPU. A
    first token with nothing before it (no BOS, prompt or prefix) is not counted.
    """
    prefix = lm.prefix_rows(prefix_embeds, len(texts))
    rows, starts = _scored_rows(lm, texts, prompts, bos, prefix.shape[1])
    vocabulary = lm.model.config.get_text_config().vocab_size
    lengths = [len(ids) + prefix.shape[1] for ids in rows]
    result = torch.zeros(len(rows))
    with lm.evaluating():
        for batch in batches(lengths, batch_size, lambda m: vocabulary * m, _CELLS):
            embeds, labels, mask = scored_batch(
                lm.model,
                [rows[i] for i in batch],
                [starts[i] for i in batch],
                prefix if len(prefix) == 1 else prefix[batch],
                filler=lm.eos_id or 0,
            )
            counted = (labels[:, 1:] != IGNORED).sum(1)
            losses = lm.token_losses(embeds, labels, mask).sum(1)
            result[batch] = (losses / counted.to(losses.device)).cpu()
    return result


def _scored_rows(lm: LM, texts, prompts, bos, t: int) -> tuple[list[list[int]], list[int]]:
    """Token ids of [BOS][prompt][text][EOS], and where each text starts.

    `t` is the length of what will stand in front.
    """
    bodies = lm.text_ids(texts)
    if prompts is not None and len(prompts) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(prompts)} prompts; give one each")
    heads = lm.token_ids(prompts) if prompts is not None else [[]] * len(bodies)
    heads = [lm.with_bos(head, bos) for head in heads]
    end = [] if lm.eos_id is None else [lm.eos_id]
    rows = [head + body + end for head, body in zip(heads, bodies)]
    for i, ids in enumerate(rows):
        lm.check_length(len(ids) + t, f"text {i} with its prompt, prefix and EOS")
    return rows, [len(head) for head in heads]
