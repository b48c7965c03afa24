"""Answers of several adapters: written in mixed batches, and drafts collected into a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import as_count
from ..core.provenance import with_provenance
from ..core.resume import ResumeLog
from ..evaluation.contamination import as_held_out
from .fitted import Fitted, check_base

if TYPE_CHECKING:
    from datasets import Dataset

    from .synthesizer import SPA

Answer = dict[str, Any]  # asked, adapter, text, status
Draft = tuple[int, str, str]  # its number, what is asked, the adapter that answers


def write(
    spa: SPA, numbers: Sequence[int] | None, asked: Sequence[str], adapters: Sequence[str], *,
    max_new_tokens: int | None = None, **options: Any,
) -> list[Answer]:  # fmt: skip
    """The answer of each adapter to its prompt; "cut off" where it ran into the limit of tokens.

    Args:
        numbers: of the drafts, which seed them; None for their places. adapters: one for each.
        max_new_tokens: default: the preset's. options: of `LM.generate`.
    """
    state = spa.fitted
    check_base(spa.lm, state.base)
    options |= {"row_ids": numbers, "max_new_tokens": max_new_tokens or spa.preset.max_new_tokens}
    texts = state.lm.generate(state.form.given(asked), adapters=adapters, **options)
    status = {"length": "cut off", "stop": "kept"}
    return [
        {"asked": prompt, "adapter": name, "text": state.form.answer(text)}
        | {"status": status[text.finish_reason]}
        for prompt, name, text in zip(asked, adapters, texts)
    ]


def provenance(made: Sequence[Answer], state: Fitted, temperature: float) -> dict[str, Any]:
    """The columns that say where answers came from."""
    own = {name: [each[name] for each in made] for name in ("adapter", "status")}
    return {**own, "partition": state.partition.rule, "temperature": float(temperature)}


def answer_rows(
    spa: SPA, made: Sequence[Answer], n: int, seed: int, own: dict[str, Any]
) -> Dataset:
    """Answers as rows, the `n` of each prompt together, with their number in the column draw."""
    common = {"method": spa.name, "model": spa.lm.name, "seed": seed}
    rows = {"prompt": [each["asked"] for each in made], "text": [each["text"] for each in made]}
    draws = list(range(n)) * (len(made) // n)
    return with_provenance(rows, {**common, **own, "draw": draws})


def plan_drafts(
    asked: Sequence[str], names: Sequence[str], picks: np.ndarray, limit: int, seed: int
) -> Iterator[Draft]:
    """The drafts of a sample: all prompts in a random order, then all again, up to `limit`.

    `picks` (n_prompts, K), places in `names`, is the order in which adapters answer a prompt.
    """
    order = np.random.default_rng((seed, 1)).permutation(len(asked))
    for draft in range(limit):
        turn, place = divmod(draft, len(order))
        prompt = order[place]
        yield draft, asked[prompt], names[picks[prompt, turn % picks.shape[1]]]


def collect(
    n: int, drafts: Iterator[Draft], log: ResumeLog, answer: Callable[..., list[Answer]],
    held_out: Any, rejected: Counter[str], batch_size: int,
) -> list[Answer]:  # fmt: skip
    """The first `n` drafts that can be used, each written once and kept in the log.

    Args:
        answer: from the drafts' numbers, prompts and adapters to their answers.
        held_out: prompts (or bare texts) that must not be there.
        rejected: is counted up: "held out", "empty" or "duplicate" drafts.
    """
    kept: dict[tuple[str, str], Answer] = {}
    batch_size, held_out = as_count(batch_size, "batch_size"), as_held_out(held_out)
    while len(kept) < n and (batch := list(islice(drafts, min(batch_size, n - len(kept))))):
        allowed = [each for each in batch if not each[1] or each[1] not in held_out]
        missing = [each for each in allowed if (each[0],) not in log.entries]
        for (draft, *_), found in zip(missing, answer(*zip(*missing)) if missing else ()):
            log.add({"draft": draft, **found})
        rejected.update(["held out"] * (len(batch) - len(allowed)))
        for draft, *_ in allowed:
            found = log.entries[draft,]
            place = found["asked"], found["text"]
            if not found["text"].strip():
                rejected["empty"] += 1
            elif place in kept:
                rejected["duplicate"] += 1
            elif not found["asked"] and found["text"] in held_out:
                rejected["held out"] += 1
            else:
                kept[place] = found
    return list(kept.values())
