"""Baselines of SPA: one adapter on all rows, with dice or with a diverse beam.

Another one, adapters that saw the same rows in another order, is `SPA(partition="same data")`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor

from ..lm.decoding import left_pad, run_decoder
from ..lm.rows import batches
from ..lm.tokens import end_tokens, new_text
from .answers import answer_rows
from .fitted import check_base
from .synthesizer import SPA


def single_adapter(lm, data: Any, *, updates: int | None = None, **options: Any) -> SPA:
    """One adapter on all rows, as an `SPA` of one part: the paper's "single adaptation".

    With the same preset and seed this *is* an SPA's reference adapter. The paper does not say how
    long its own was trained.

    Args:
        updates: default: those of a reference adapter. options: of `SPA`.
    """
    options |= {"n_parts": 1, "partition": "same data"}
    given = SPA(lm, **options).preset.reference_updates if updates is None else updates
    return SPA(lm, **{**options, "part_updates": given}).fit(data)


def sampled(spa: SPA, prompts: Any, n: int, *, temperature: float = 1.0, **options: Any) -> Dataset:
    """`n` sampled answers of `one_adapter` to each prompt: at a temperature, or from a nucleus.

    Args:
        options: of `SPA.answer`, whose rows these are.
    """
    options = {"adapters": [one_adapter(spa)], "replace": True, **options}
    return spa.answer(prompts, n, temperature=temperature, **options)


def one_adapter(spa: SPA) -> str:
    """The adapter that learned all rows, the reference or the only one; ValueError without one."""
    if "reference" in spa.fitted.histories:
        return "reference"
    if len(spa.adapters) > 1:
        raise ValueError(
            f"this SPA (partition {spa.partition.rule!r}) has {len(spa.adapters)} adapters and no "
            "reference; fit one with single_adapter"
        )
    return spa.adapters[0]


def diverse_beams(
    spa: SPA, prompts: Any, n: int, *, strength: float = 0.5, max_new_tokens: int | None = None,
    batch_size: int = 64,
) -> Dataset:  # fmt: skip
    """`n` answers of `one_adapter` to each prompt by `diverse_beam`, as rows of `SPA.answer`.

    Column draw is the group, and group 0 is the greedy answer.
    """
    state, lm, name = spa.fitted, spa.adapted, one_adapter(spa)
    check_base(spa.lm, state.base)
    shown, given = state.form.prompts(prompts)
    limit = max_new_tokens or spa.preset.max_new_tokens
    with lm.use_adapter(name):
        found = diverse_beam(
            lm, given, n, strength=strength, max_new_tokens=limit, batch_size=batch_size
        )
    made = [{"asked": asked, "text": text} for asked, each in zip(shown, found) for text in each]
    own = {"adapter": name, "partition": "diverse beam", "temperature": 0.0}
    return answer_rows(spa, made, n, spa.seed, own)


def diverse_beam(
    lm, prompts: Sequence[str], n: int, *, strength: float = 0.5, max_new_tokens: int = 96,
    batch_size: int = 64,
) -> list[list[str]]:  # fmt: skip
    """`n` answers to each prompt by a diverse beam search, with the adapter in use: no dice either.

    There are `n` groups of one beam each. A group takes its most probable next token, less
    `strength` nats for each earlier group that took the same token at this step. So the first
    answer is the greedy one.

    Args:
        prompts: as the model reads them. batch_size: most beams that run at a time.

    Raises:
        ValueError: a bad n or strength, or a prompt that is empty or leaves no room.

    Source: Vijayakumar et al., Diverse Beam Search (arXiv 1610.02424), with Hamming diversity and
    B' = 1. transformers no longer ships a group beam search of its own.
    """
    if n < 1 or not strength >= 0:
        raise ValueError(f"needs n >= 1 groups and strength >= 0, got n={n}, strength={strength}")
    ids = [lm.with_bos(each) for each in lm.token_ids(prompts)]
    for i, each in enumerate(ids):
        if not each:
            raise ValueError(f"prompt {i} is empty and has no BOS to start from")
        lm.check_length(len(each) + 1, f"prompt {i} with one new token")
    found: list[list[str]] = [[] for _ in ids]
    with lm.evaluating(), torch.no_grad():
        for batch in batches(list(map(len, ids)), max(1, batch_size // n)):
            rows = [lm.embed_ids(ids[i]) for i in batch]
            room = min(max_new_tokens, lm.context - max(map(len, rows)))
            for i, groups in zip(batch, beams(lm, rows, n, strength, room)):
                found[i] = [new_text(lm.tokenizer, new, ids[i][-1]).strip() for new in groups]
    return found


def beams(lm, rows: Sequence[Tensor], n: int, strength: float, limit: int) -> list[list[list[int]]]:
    """New tokens of `n` groups of each row, embedded (m_i, N), without the end token."""
    ends, p = torch.tensor(sorted(end_tokens(lm.model, lm.eos_id)), device=lm.device), len(rows)
    running = torch.ones(p * n, dtype=torch.bool, device=lm.device)
    made: list[Tensor] = []

    def choose_next(logits: Tensor):
        tokens = take_turns(logits.view(p, n, -1), running.view(p, n), strength)
        made.append(torch.where(running, tokens, -1))
        running.logical_and_(~torch.isin(tokens, ends))
        return (tokens, None) if len(made) < limit and running.any() else None

    embeds, mask = left_pad([row for row in rows for _ in range(n)])  # groups of a row together
    if limit > 0:
        run_decoder(lm.model, {"inputs_embeds": embeds}, choose_next, mask=mask)
    table = torch.stack(made, 1).tolist() if made else [[]] * (p * n)
    stop = {-1, *ends.tolist()}
    texts = [[token for token in each if token not in stop] for each in table]
    return [texts[i * n : (i + 1) * n] for i in range(p)]


def take_turns(logits: Tensor, running: Tensor, strength: float) -> Tensor:
    """Next tokens (p * n,) from logits (p, n, V): groups choose in turn and shun what is taken.

    Args:
        running: (p, n) of bool; a group that has ended repels nobody.
    """
    scores = logits.float().log_softmax(-1)
    taken = torch.zeros_like(scores[:, 0])  # (p, V) how many groups took a token
    chosen = []
    for group in range(scores.shape[1]):
        token = (scores[:, group] - strength * taken).argmax(-1)  # (p,)
        taken.scatter_add_(1, token[:, None], running[:, group, None].to(taken))
        chosen.append(token)
    return torch.stack(chosen, 1).flatten()
