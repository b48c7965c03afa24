"""Answers of several adapters: written in mixed batches, and drafts collected into a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..core.resume import ResumeLog
from ..evaluation.contamination import HeldOut
from .fitted import Fitted


@dataclass(frozen=True)
class Answer:
    """The answer of an adapter to a prompt.

    Attributes:
        status: "kept", or "cut off" where it ran into the limit of new tokens.
    """

    asked: str
    adapter: str
    text: str
    status: str = "kept"


def write(
    state: Fitted, asked: Sequence[str], adapters: Sequence[str], **options: Any
) -> list[Answer]:
    """The answer of each adapter to its prompt.

    Args:
        asked: prompts as they stand in the rows. adapters: one for each.
        options: of `LM.generate`.
    """
    texts = state.lm.generate(state.form.given(asked), adapters=adapters, **options)
    return [
        Answer(prompt, name, state.form.answer(text), cut_off(text))
        for prompt, name, text in zip(asked, adapters, texts)
    ]


def cut_off(text: Any) -> str:
    """The status of a text that a model has written."""
    return "cut off" if text.finish_reason == "length" else "kept"


def provenance(made: Sequence[Answer], state: Fitted, temperature: float) -> dict[str, Any]:
    """The columns that say where answers came from."""
    return {
        "adapter": [each.adapter for each in made], "partition": state.partition.rule,
        "temperature": float(temperature), "status": [each.status for each in made],
    }  # fmt: skip


def plan_drafts(
    asked: Sequence[str], names: Sequence[str], picks: np.ndarray, limit: int, seed: int
) -> Iterator[tuple[int, str, str]]:
    """Number, prompt and adapter of each draft: all prompts in a random order, then all again.

    Args:
        picks: (n_prompts, K) places in `names`: the order in which adapters answer a prompt.
        limit: drafts at most.
    """
    order = np.random.default_rng((seed, 1)).permutation(len(asked))
    for draft in range(limit):
        turn, place = divmod(draft, len(order))
        prompt = order[place]
        yield draft, asked[prompt], names[picks[prompt, turn % picks.shape[1]]]


def collect(
    n: int, drafts: Iterator[tuple[int, str, str]], log: ResumeLog,
    answer: Callable[..., list[Answer]], held_out: HeldOut, rejected: Counter[str],
    batch_size: int,
) -> list[Answer]:  # fmt: skip
    """The first `n` drafts that can be used, each written once and kept in the log.

    Args:
        answer: from the drafts' numbers, prompts and adapters to their answers.
        held_out: prompts (or bare texts) that must not be there.
        rejected: is counted up: "held out", "empty" or "duplicate" drafts.
    """
    kept: dict[tuple[str, str], Answer] = {}
    while len(kept) < n and (batch := list(islice(drafts, min(batch_size, n - len(kept))))):
        allowed = [each for each in batch if not each[1] or each[1] not in held_out]
        missing = [each for each in allowed if (each[0],) not in log.entries]
        for (draft, *_), found in zip(missing, answer(*zip(*missing)) if missing else ()):
            log.add({"draft": draft, **vars(found)})
        rejected.update(["held out"] * (len(batch) - len(allowed)))
        for draft, *_ in allowed:
            entry = log.entries[(draft,)]
            found = Answer(*(entry[name] for name in Answer.__match_args__))
            if why := _fault(found, kept, held_out):
                rejected[why] += 1
            else:
                kept[found.asked, found.text] = found
    return list(kept.values())


def _fault(answer: Answer, kept: dict, held_out: HeldOut) -> str:
    if not answer.text.strip():
        return "empty"
    if not answer.asked and answer.text in held_out:
        return "held out"
    return "duplicate" if (answer.asked, answer.text) in kept else ""
