"""Generation: prompts, embeddings or a soft prompt in, new text out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .chat import prompt_ids
from .choosing import Sampling
from .decoding import PACK_STEPS, Allowed, begin, decode
from .key_values import Beginning
from .mixed_adapters import MixedRows, Rows, mixed_adapters
from .products import packed
from .room import room_for_rows
from .rows import PromptRows, batches, check_embeds
from .tokens import Written, check_stops, cut, end_tokens, new_text, stopper

if TYPE_CHECKING:
    from .model import LM

# What all rows begin with is run once where that saves this many multiplications.
_WORTH_SHARING = 10**11


def generate(
    lm: LM,
    prompts: Sequence[str] | None = None,
    *,
    inputs_embeds: Sequence[Tensor] | Tensor | None = None,
    prefix_embeds: Tensor | None = None,
    adapters: Sequence[str | None] | None = None,
    max_new_tokens: int = 128,
    temperature: float = 0.0,
    top_p: float = 1.0,
    top_k: int = 0,
    stop: str | Sequence[str] = (),
    allowed: Allowed | None = None,
    bos: bool = True,
    chat: bool = False,
    seed: int = 0,
    row_ids: Sequence[int] | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> list[Written]:
    """The new text for each prompt, as [prefix][BOS][prompt] goes on.

    A text whose row ran into `max_new_tokens` or the end of the context has the `finish_reason`
    "length", any other one "stop".

    Args:
        prompts: texts to continue.
        inputs_embeds: instead of prompts, their input embeddings: (m_i, N) each, of any
            lengths, or one (B, m, N) tensor.
        prefix_embeds: a soft prompt in front, (t, N) for all rows or (B, t, N); it may stand
            alone.
        adapters: the adapter of each row, None for the base alone; rows with different ones share
            a batch. Without a list all rows take the adapter in use.
        max_new_tokens: most new tokens per row; fewer where the context ends earlier.
        temperature: 0 is greedy.
        top_p: mass of the nucleus that is sampled from.
        top_k: most tokens sampled from; 0 is all of them.
        stop: strings that end a text; the text is cut before the first one.
        allowed: from a row's new tokens to those that may follow, such as a `Form`; a row ends
            where none may.
        bos: put BOS in front of the prompt if the tokenizer does so.
        chat: put each prompt into the model's chat template, as a user's message. A prompt that is
            in the template already is taken as it is, with `chat` or without.
        seed: with the row's number, seeds that row's noise; the batch size plays no part.
        row_ids: other numbers for the rows than 0, 1, ...
        batch_size: most rows that run at a time; fewer do where a GPU has no room for them.
        progress: show a bar.

    Raises:
        ValueError: a row is empty, leaves no room in the context, or is not finite; a width
            other than N; both or neither of `prompts` and `inputs_embeds`; adapters that are not
            one per row, or cannot share a batch.
        KeyError: an adapter that is not there.
    """
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, found {max_new_tokens}")
    from tqdm import tqdm

    sampling = Sampling(temperature, top_p, top_k, seed)
    stops = check_stops(stop)
    rows = _prompt_rows(lm, prompts, inputs_embeds, prefix_embeds, bos, chat)
    lengths = rows.lengths()
    for i, length in enumerate(lengths):
        if length == 0:
            raise ValueError(f"prompt {i} is empty and has no BOS or prefix to start from")
        lm.check_length(length + 1, f"prompt {i} with one new token")
    texts = [Written()] * len(lengths)
    numbers = range(len(lengths)) if row_ids is None else row_ids
    if len(numbers) != len(lengths):
        raise ValueError(f"{len(numbers)} row_ids for {len(lengths)} rows; give one per row")
    bar = tqdm(total=len(lengths), desc="generate", unit="text", disable=not progress)
    mixed = mixed_adapters(lm, adapters, len(lengths))
    fast = packed(lm.model, on=len(lengths) * max_new_tokens >= PACK_STEPS * batch_size)
    with lm.evaluating(), torch.no_grad(), mixed as mix, bar, fast:
        beginning = _beginning(lm, rows, mix)
        shared = beginning.length if beginning else 0
        for batch in batches(lengths, batch_size, *room_for_rows(lm.model, max_new_tokens)):
            mix.take(batch)
            limits = [min(max_new_tokens, lm.context - lengths[i]) for i in batch]
            new = decode(
                lm.model,
                [rows.embeds(i)[shared:] for i in batch],
                [numbers[i] for i in batch],
                limits,
                eos=end_tokens(lm.model, lm.eos_id),
                sampling=sampling,
                stopped=stopper(lm.tokenizer, stops),
                allowed=allowed,
                compacted=mix.keep,
                beginning=beginning,
            )
            for i, ids, limit in zip(batch, new, limits):
                whole = new_text(lm.tokenizer, ids, rows.last_id(i))
                text = cut(whole, stops)
                torn = len(ids) >= limit and len(text) == len(whole)
                texts[i] = Written(text, "length" if torn else "stop")
            bar.update(len(batch))
    return texts


def _beginning(lm: LM, rows: PromptRows, mix: Rows) -> Beginning | None:
    """The beginning of all rows (a few-shot prompt), run through the model where that pays."""
    length = rows.shared() if rows.ids else 0
    saved = (len(rows.ids) - 1) * length * lm.describe()["parameters"]
    if saved < _WORTH_SHARING or isinstance(mix, MixedRows):
        return None
    return begin(lm.model, rows.embeds(0)[:length])


def _prompt_rows(
    lm: LM, prompts, inputs_embeds, prefix_embeds, bos: bool, chat: bool
) -> PromptRows:
    if prompts is not None and inputs_embeds is not None:
        raise ValueError("give prompts or inputs_embeds, not both")
    if prompts is None and inputs_embeds is None:
        if prefix_embeds is None:
            raise ValueError("nothing to continue: give prompts, inputs_embeds or a prefix")
        prompts = [""] * (len(prefix_embeds) if prefix_embeds.dim() == 3 else 1)
    if chat and inputs_embeds is not None:
        raise ValueError("chat=True is for prompts in words, not for inputs_embeds")
    if inputs_embeds is None:
        given, ids = None, prompt_ids(lm, prompts, bos, chat)
    else:
        given = check_embeds(inputs_embeds, lm.hidden_size)
        ids = [lm.with_bos([], bos)] * len(given)
    return PromptRows(ids, given, lm.prefix_rows(prefix_embeds, len(ids)), lm.embed_ids)
