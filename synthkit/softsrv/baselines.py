"""Baselines of SoftSRV, through the same filter: templates, re-ranking, refinement, copies,
LoRA on the generator, and peft's own prompt tuning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
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
from ..lm.finetune import FinetunePreset, finetune
from ..lm.mixed_adapters import share_weights
from ..lm.modes import frozen
from ..lm.rows import IGNORED, right_pad
from ..lm.soft_prompts import starting_rows, vocabulary
from ..lm.training import batch_at, train
from ..teacher import ask, judge, teacher_name
from .drafts import Draft, Drawing, draft_number, write
from .filters import as_rows
from .labeller import Labeller
from .presets import PRESETS, SoftSRVPreset
from .rounds import Slot, draw_rows
from .texts import target_texts

if TYPE_CHECKING:
    from datasets import Dataset

RUBRIC = (
    "It has the same subject and form as the examples asked for.",
    "It can be understood, and answered, from its words alone.",
    "It is not one that everybody would write first.",
)
GOOD = "NOTHING TO MEND"


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
        self, n: int, *, temperature: float | None = None, seed: int | None = None,
        held_out: Any = None, drop: Collection[str] | None = None, batch: int = 64,
        progress: bool = False,
    ) -> Dataset:  # fmt: skip
        """`n` texts as a `datasets.Dataset` (see `SoftSRV.sample`); they have no context."""
        n = as_count(n)
        temperature = self.preset.temperature if temperature is None else temperature
        seed = as_seed(seed, self.seed)
        how = Drawing(temperature, self.preset.max_new_tokens, seed)

        def drafts(slots: Sequence[int], turn: int) -> list[Draft]:
            chosen = self._choose(slots, turn, how)
            if self._extract is None:
                return chosen
            return [replace(draft, text=self._extract(draft.text)) for draft in chosen]

        options = {"held_out": held_out, "drop": drop, "batch": batch, "progress": progress}
        return self.draw([Slot()] * n, drafts, how, **options)

    def draw(self, plan: Sequence[Slot], drafts: Callable, how: Drawing, **options: Any) -> Dataset:
        """A row for each slot of `plan` that gets one: see `synthkit.softsrv.rounds.draw_rows`."""
        rows, rejected = draw_rows(
            drafts, plan, self.preset, how.temperature, self.labeller, self.texts, **options
        )
        self.report = Report(self.kind, "sample", len(plan), len(rows), rejected)
        if len(rows) < len(plan):
            self.report.warn(f"{len(rows)} of {len(plan)} texts ({self.report.reasons()})")
        made = as_rows(rows, kind=self.kind, teacher=self.labeller.name)
        common = {"method": self.kind, "model": self.lm and self.lm.name, "seed": how.seed}
        status = [row["status"] for row in rows]
        return with_provenance(made, {**common, "temperature": how.temperature, "status": status})


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
    """Input embeddings `(m_i, N)` of [BOS][prompt]."""
    with torch.no_grad():
        return [lm.embed_ids(lm.with_bos(ids)) for ids in lm.token_ids(prompts)]


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

    def nats(texts: Sequence[str]) -> Tensor:
        return lm.nll(texts, prompts=prompts * len(texts))

    one = nats if len(prompts) == 1 else None  # behind several prompts a text has several
    return Generator(lm, kind, embed_prompts(lm, prompts), real, nats=one, **options)


def rerank(lm, prompts: Sequence[str], real=None, *, m: int = 4, **options) -> Generator:
    """Best of `m` drafts by the frozen model's own likelihood, in nats per token of the text.

    This is re-ranking, and its rows say so: it stands where the paper has self-refinement, for
    models too small to judge their own text.

    Raises:
        ValueError: `m` is below 2, or the prompts are no texts.
    """
    if m < 2:
        raise ValueError(f"re-ranking needs at least 2 drafts to choose from, got m={m}")
    prompts = check_prompts(prompts)

    def choose(slots: Sequence[int], turn: int, how: Drawing) -> list[Draft]:
        seeds = [how.seed * m + j for j in range(m)]
        drawn = [made.drafts(slots, turn, replace(how, seed=seed)) for seed in seeds]
        asked = [prompts[slot % len(prompts)] for slot in slots]
        nats = np.stack([draft_nats(lm, asked, drafts) for drafts in drawn])  # (m, slots)
        return [drawn[j][i] for i, j in enumerate(nats.argmin(0))]

    kind = f"re-ranked, best of {m}"
    made = Generator(lm, kind, embed_prompts(lm, prompts), real, choose=choose, **options)
    return made


def draft_nats(lm, prompts: Sequence[str], drafts: Sequence[Draft]) -> np.ndarray:
    """Nats per token of each draft after its prompt; infinite for a torn or an empty one."""
    nats = np.full(len(drafts), np.inf)
    whole = [i for i, draft in enumerate(drafts) if draft.ended and draft.text.strip()]
    if whole:
        asked = [prompts[i] for i in whole]
        nats[whole] = lm.nll([drafts[i].text for i in whole], prompts=asked).numpy()
    return nats


# --- refinement by a model that can ---------------------------------------------------------------


def critique_prompt(request: str, draft: str, rubric: Sequence[str] = RUBRIC) -> str:
    """The prompt that asks for faults of a draft."""
    points = "\n".join(f"- {point}" for point in rubric)
    return (
        f"A writer was asked:\n{request}\n\nThe writer's text:\n{draft}\n\n"
        f"Judge the text by these points:\n{points}\n"
        f"Name in a few lines what should be mended. If nothing should, reply: {GOOD}"
    )


def rewrite_prompt(request: str, draft: str, critique: str) -> str:
    """The prompt that asks for the mended text."""
    return (
        f"A writer was asked:\n{request}\n\nA first text:\n{draft}\n\n"
        f"What a reader found in it:\n{critique}\n\n"
        "Write the text anew so that this is mended. Reply with the text and nothing else."
    )


def refine(
    teacher, requests: Sequence[str], drafts: Sequence[str], rounds: int, rubric: Sequence[str]
) -> list[str]:
    """The drafts after at most `rounds` of critique and rewriting.

    A draft without faults, or whose critique cannot be used, is left alone from then on, and a
    rewrite that cannot be used is not taken (see `synthkit.teacher.judge`).
    """
    drafts, faulty = list(drafts), range(len(drafts))
    for _ in range(rounds):
        asked = [critique_prompt(requests[i], drafts[i], rubric) for i in faulty]
        found = dict(zip(faulty, ask(teacher, asked)))
        faulty = [
            i for i in faulty if not judge(found[i]) and GOOD.casefold() not in found[i].casefold()
        ]
        asked = [rewrite_prompt(requests[i], drafts[i], found[i]) for i in faulty]
        for i, text in zip(faulty, ask(teacher, asked)):
            drafts[i] = drafts[i] if judge(text) else str(text)
    return drafts


def self_refine(
    teacher, prompts: Sequence[str], n: int, *, real=None, rounds: int = 1,
    rubric: Sequence[str] = RUBRIC, seed: int = 0, held_out: Any = None, **options,
):  # fmt: skip
    """PT_MSR: drafts, critiques and rewrites by a model that can judge its own text.

    Args:
        teacher: see `synthkit.teacher.as_teacher`.
        prompts: what the drafts are asked for with, in turn.
        rounds: of critique and rewriting, at most; 0 leaves the drafts.
        options: of `Generator`, for example `answer_by=` to answer with another teacher.

    Returns:
        A `datasets.Dataset` of `n` rows (fewer if drafts were rejected again and again).

    Raises:
        ValueError: no prompts, or negative rounds.
    """
    if rounds < 0:
        raise ValueError(f"rounds must not be negative, got {rounds}")
    prompts = check_prompts(prompts)

    def choose(slots: Sequence[int], turn: int, how: Drawing) -> list[Draft]:
        asked = [
            f"{prompts[slot % len(prompts)]}\n(Request {draft_number(slot, turn)}, seed {seed}.)"
            for slot in slots
        ]
        first = ["" if judge(text) else str(text) for text in ask(teacher, asked)]
        return [Draft(text, True) for text in refine(teacher, asked, first, rounds, rubric)]

    answering = options.pop("answer_by", None)
    made = Generator(
        None, f"self-refined by {teacher_name(teacher)}", [], real, teacher=answering, seed=seed,
        choose=choose, **options,
    )  # fmt: skip
    return made.sample(n, held_out=held_out)


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


# --- other ways to train the generator -----------------------------------------------------------


def split_options(options: Mapping, **changes) -> tuple[dict, SoftSRVPreset]:
    """Split off the options of a `Generator`; the others make the preset."""
    own = {name: options[name] for name in ("teacher", "answer") if name in options}
    rest = {k: v for k, v in options.items() if k not in own and k != "preset"}
    preset = options.get("preset", "fast")
    return own, choose_preset(preset, PRESETS, {**rest, **changes}, "SoftSRV")


def lora_generator(
    lm, real, *, rank: int = 8, lr: float = 2e-3, seed: int = 0, progress: bool = False, **options
) -> Generator:
    """LoRA on the generator at equal data: as many updates and texts per update as SoftSRV's fit.

    It writes from BOS alone. `lm` itself stays as it is (see `finetune`).

    Args:
        rank, lr: of LoRA.
        options: `preset=`, its changes (`steps=`), `teacher=`, `answer=`.

    Raises:
        ValueError: a model without BOS has nothing to start from, or an unknown option.
    """
    if lm.bos_id is None:
        raise ValueError(f"{lm.name!r} has no BOS token, and LoRA's texts start from nothing else")
    own, preset = split_options(options)
    texts = target_texts(real)
    training = FinetunePreset(
        rank=rank, alpha=2 * rank, lr=lr, batch_size=preset.batch_size,
        epochs=math.ceil(preset.steps * preset.batch_size / len(texts)), max_updates=preset.steps,
    )  # fmt: skip
    rows = [{"text": text} for text in texts]
    student = finetune(lm, rows, training, seed=seed, progress=progress)
    with torch.no_grad():
        start = student.embed_ids([student.bos_id])
    made = Generator(
        student, f"LoRA rank {rank}", [start], texts, preset=preset, seed=seed, nats=student.nll,
        **own,
    )  # fmt: skip
    made.losses = student.losses
    return made


def peft_prompt_tuning(lm, real, *, seed: int = 0, **options) -> Generator:
    """peft's own prompt tuning, trained as SSNP is: t vectors, no context.

    peft puts its vectors before BOS, [P][BOS][text][EOS], where SoftSRV puts its own after it.
    The generator's `vectors` are P, `(t, N)`, and `losses` holds the loss of every update.

    Args:
        options: `preset=`, its changes (`steps=`), `teacher=`, `answer=`.
    """
    own, preset = split_options(options, kind="ssnp")
    texts = target_texts(real)
    vectors, losses = tune_by_peft(lm, texts, preset, seed)
    with torch.no_grad():
        front = lm.embed_ids([] if lm.bos_id is None else [lm.bos_id])
        start = torch.cat([vectors.to(front), front])  # (t + 1, N)
    made = Generator(
        lm, "peft prompt tuning", [start], texts, preset=preset, seed=seed,
        nats=lambda found: lm.nll(found, prefix_embeds=vectors.to(lm.device)), **own,
    )  # fmt: skip
    made.vectors, made.losses = vectors, losses
    return made


def tune_by_peft(
    lm, texts: Sequence[str], preset: SoftSRVPreset, seed: int
) -> tuple[Tensor, list[float]]:
    """P `(t, N)` as peft trains it on a second view of the model, and the loss of every update."""
    from peft import PromptTuningConfig, TaskType, get_peft_model

    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=preset.length)
    rows = [[*lm.with_bos(ids), lm.eos_id] for ids in lm.token_ids(texts)]
    start = starting_rows(vocabulary(lm), preset.length, lm.hidden_size, seed)
    with frozen(lm), warnings.catch_warnings():
        # peft wraps the model and reads a property that transformers has renamed
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing.*", FutureWarning)
        model = get_peft_model(share_weights(lm).model, config).eval()
        (theta,) = [p for p in model.parameters() if p.requires_grad]  # (t, N)
        with torch.no_grad():
            theta.copy_(start)

        def loss_at(step: int) -> Tensor:
            chosen = batch_at(step, len(rows), preset.batch_size, seed)
            return peft_loss(model, [rows[i] for i in chosen], lm.bos_id is not None)

        history = train(model.prompt_encoder, loss_at, preset.training())
    return theta.detach().float().cpu(), history.train_losses


def peft_loss(model, rows: Sequence[Sequence[int]], skip_first: bool) -> Tensor:
    """peft's own loss on rows of ids; without the first token (BOS) if `skip_first`."""
    ids, mask = right_pad(rows, device=model.device)
    labels = ids.masked_fill(mask == 0, IGNORED)
    if skip_first:
        labels[:, 0] = IGNORED
    return model(input_ids=ids, attention_mask=mask, labels=labels).loss
