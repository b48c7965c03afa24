"""Baselines of SoftSRV, through the same filter: templates, copies and LoRA."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..core.arguments import as_count, as_seed
from ..core.presets import choose_preset
from ..core.provenance import with_provenance
from ..core.reports import Report
from ..datasets import values_of
from ..lm.chat import prompt_ids
from ..lm.finetune import FinetunePreset, finetune
from .drafts import Draft, Drawing, draft_number, drawing, write
from .labeller import Labeller
from .presets import PRESETS, SoftSRVPreset
from .rounds import Slot, draw_rows
from .texts import target_texts

if TYPE_CHECKING:
    from datasets import Dataset


class Generator:
    """A writer without contexts: the same starts in turn, the same filter as SoftSRV.

    Args:
        lm: the model that writes.
        kind: its name in the provenance column.
        starts: input embeddings `(m_i, N)` of what stands in front of a text, one or more.
        real: the target's texts, which the filter compares with; see `target_texts`.
        preset, changes: as for `SoftSRV`; only sampling and filter are used.
        choose: from (slots, round, `Drawing`) to drafts; None writes one a slot.
        extract: from a written text to the part that counts (`Target.extract`), before the filter.
        nats: from texts to their nats per token, for `loss`.
    """

    def __init__(
        self, lm, kind: str, starts: Sequence[Tensor], real=None, *, teacher=None, answer=None,
        preset: str | SoftSRVPreset = "fast", seed: int = 0, choose: Callable | None = None,
        extract: Callable[[str], str] | None = None, nats: Callable | None = None, **changes,
    ):  # fmt: skip
        self.lm, self.kind, self.starts, self.seed = lm, kind, list(starts), seed
        self.preset = choose_preset(preset, PRESETS, changes, "SoftSRV")
        self.labeller = Labeller(teacher, answer, self.preset.answer_prompt)
        self.texts = [] if real is None else target_texts(real)
        self.report: Report | None = None
        self._choose, self._extract, self._nats = choose or self.drafts, extract, nats

    def loss(self, texts) -> float:
        """Nats per token, EOS included, over all tokens of `texts` (see `target_texts`).

        Raises:
            ValueError: a generator with several starts gives no text one likelihood.
        """
        if self._nats is None:
            raise ValueError(
                f"{self.kind!r} writes from {len(self.starts)} prompts, so that a text has no one "
                "likelihood; ask a generator with one prompt"
            )
        texts = target_texts(texts)
        sizes = torch.tensor([len(ids) + 1.0 for ids in self.lm.token_ids(texts)])
        return float((self._nats(texts) * sizes).sum() / sizes.sum())

    def drafts(self, slots: Sequence[int], turn: int, how: Drawing) -> list[Draft]:
        """One draft a slot, from the start whose turn it is."""
        starts = [self.starts[slot % len(self.starts)] for slot in slots]
        return write(self.lm, starts, [draft_number(slot, turn) for slot in slots], how)

    def sample(
        self, n: int, *, temperature: float | None = None, seed: int | None = None, **options: Any
    ) -> Dataset:
        """`n` texts as a `datasets.Dataset`, without a context; `options` are of `draw_rows`."""
        n, how = as_count(n), drawing(self.preset, temperature, as_seed(seed, self.seed))

        def drafts(slots: Sequence[int], turn: int) -> list[Draft]:
            chosen = self._choose(slots, turn, how)
            if self._extract is None:
                return chosen
            return [replace(draft, text=self._extract(draft.text)) for draft in chosen]

        return self.draw([Slot()] * n, drafts, how, **options)

    def draw(self, plan: Sequence[Slot], drafts: Callable, how: Drawing, **options: Any) -> Dataset:
        """A row for each slot of `plan` that gets one: see `synthkit.softsrv.rounds.draw_rows`."""
        made, own, rejected = draw_rows(
            drafts, plan, self.preset, how, self.labeller, self.texts, kind=self.kind, **options
        )  # fmt: skip
        self.report = Report(self.kind, "sample", len(plan), len(made), rejected)
        if len(made) < len(plan):
            self.report.warn(f"{len(made)} of {len(plan)} texts ({self.report.reasons()})")
        common = {"method": self.kind, "model": self.lm and self.lm.name, "seed": how.seed}
        return with_provenance(made, {**common, **own})


# --- templates -----------------------------------------------------------------------------------


def check_prompts(prompts: Sequence[str]) -> list[str]:
    """`prompts` as a list of non-blank texts, or an error that says which is none."""
    if isinstance(prompts, str):
        raise TypeError("give a list of prompts, not one string: write [prompt]")
    prompts = values_of(prompts, "prompts")
    if not prompts:
        raise ValueError("no prompt was given; one is the least")
    for i, prompt in enumerate(prompts):
        if not isinstance(prompt, str) or not prompt.strip():
            raise ValueError(f"prompt {i} is no text: {prompt!r}")
    return prompts


def embed_prompts(lm, prompts: Sequence[str]) -> list[Tensor]:
    """Input embeddings `(m_i, N)` of [BOS][prompt], or of a prompt in the chat template."""
    with torch.no_grad():
        return [lm.embed_ids(ids) for ids in prompt_ids(lm, prompts, chat=lm.chat)]


def template(
    lm, prompts: Sequence[str], real=None, *, kind: str = "template", **options
) -> Generator:
    """PT: the frozen model writes from hand-written prompts, which take turns.

    Args:
        prompts: one (zero-shot) or many (engineered: attributes, examples).
        real: the target's texts, for the filter.
        options: of `Generator`.

    Raises:
        ValueError, TypeError: no prompts, or one that is no text.
    """
    prompts = check_prompts(prompts)

    starts = embed_prompts(lm, prompts)

    def nats(texts: Sequence[str]) -> Tensor:
        return lm.nll(texts, prefix_embeds=starts[0], bos=False)

    one = nats if len(prompts) == 1 else None  # behind several prompts a text has several
    return Generator(lm, kind, starts, real, nats=one, **options)


# --- copies --------------------------------------------------------------------------------------


def repeat_texts(real, n: int, *, seed: int = 0, **options):
    """The target's texts themselves, again and again: what a perfect memory would give.

    Nothing is filtered out, and every row is a near copy of its own text.
    """
    n = as_count(n)
    made = Generator(None, "repeated", [], real, seed=seed, temperature=0.0, drop=(), **options)
    texts = made.texts
    order = np.random.default_rng(seed).permutation(len(texts))
    takes = [int(order[i % len(order)]) for i in range(n)]
    how = Drawing(0.0, made.preset.max_new_tokens, seed)
    return made.draw(
        [Slot(i, texts[i]) for i in takes],
        lambda slots, turn: [Draft(texts[takes[slot]], True) for slot in slots],
        how,
    )


# --- LoRA ----------------------------------------------------------------------------------------


def split_options(options: Mapping, **changes) -> tuple[dict, SoftSRVPreset]:
    """Split off the options of a `Generator`; the others make the preset."""
    own = {name: options[name] for name in ("teacher", "answer") if name in options}
    rest = {k: v for k, v in options.items() if k not in own and k != "preset"}
    preset = options.get("preset", "fast")
    return own, choose_preset(preset, PRESETS, {**rest, **changes}, "SoftSRV")


def lora_generator(
    lm, real, *, prompt: str | None = None, rank: int = 8, lr: float = 2e-3, seed: int = 0,
    progress: bool = False, **options,
) -> Generator:  # fmt: skip
    """LoRA on the generator at equal data: as many updates and texts per update as SoftSRV's fit.

    `lm` itself stays as it is (see `finetune`).

    Args:
        prompt: what it learns to answer with a text, in its chat template if it has one; None: it
            writes from BOS alone.
        rank, lr: of LoRA.
        options: `preset=`, its changes (`steps=`), `teacher=`, `answer=`.

    Raises:
        ValueError: a model without BOS has nothing to start from but a prompt; an unknown option.
    """
    if prompt is None and lm.bos_id is None:
        raise ValueError(
            f"{lm.name!r} has no BOS token, and LoRA's texts start from nothing else: give a prompt"
        )
    own, preset = split_options(options)
    texts = target_texts(real)
    training = FinetunePreset(
        rank=rank, alpha=2 * rank, lr=lr, batch_size=preset.batch_size,
        epochs=math.ceil(preset.steps * preset.batch_size / len(texts)), max_updates=preset.steps,
    )  # fmt: skip
    rows = [{"prompt": prompt or "", "completion": text} for text in texts]
    student = finetune(lm, rows, training, seed=seed, progress=progress)
    with torch.no_grad():
        bos = None if prompt else student.embed_ids([student.bos_id])
    start = embed_prompts(student, [prompt])[0] if prompt else bos

    def nats(given: Sequence[str]) -> Tensor:
        return student.nll(given, prefix_embeds=start, bos=False)

    made = Generator(
        student, f"LoRA rank {rank}", [start], texts, preset=preset, seed=seed,
        nats=nats if prompt else student.nll, **own,
    )  # fmt: skip
    made.losses = student.losses
    return made
