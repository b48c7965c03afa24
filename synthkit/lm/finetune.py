"""Fine-tuning: a student from a model and examples, its answers and its score."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from ..core.identity import run_key
from ..core.texts import text_in
from ..datasets import rows_of, texts_of
from .attention import eager, fused_is_slow
from .chat import prompt_ids
from .examples import (
    PROMPT,
    as_prompt_and_completion,
    batches,
    collate,
    encode,
    final_answer,
    learning_rate,
)
from .losses import mean_loss
from .mixed_adapters import share_weights
from .modes import recomputed
from .precision import Precision
from .schedule import Schedule
from .training import mean_over, train

if TYPE_CHECKING:
    from .model import LM


@dataclass(frozen=True)
class FinetunePreset:
    """Settings of a student's training.

    Attributes:
        rank, alpha: of LoRA; the correction is (alpha / rank) B A, on every linear layer.
        lr: peak learning rate of AdamW (linear warm-up over a tenth, then linear decay to zero).
        epochs, batch_size: passes over the examples, and examples in an update.
        max_updates: an upper bound on updates, whatever the epochs ask for (None: no bound).
        accumulation, recomputing: what saves memory; see `synthkit.lm.schedule.Schedule`.
    """

    rank: int = 16
    alpha: int = 32
    lr: float = 3e-3
    epochs: int = 8
    batch_size: int = 32
    max_updates: int | None = None
    accumulation: int = 1
    recomputing: bool = False


PRESETS = {
    "fast": FinetunePreset(epochs=6),
    "study": FinetunePreset(epochs=10),
    "paper": FinetunePreset(rank=16, alpha=32, lr=2e-4, epochs=5, batch_size=16, accumulation=8),
}


def finetune(
    lm: LM,
    examples: Sequence[Mapping],
    preset: FinetunePreset = PRESETS["study"],
    *,
    seed: int = 0,
    autocast: bool | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 200,
    progress: bool = False,
) -> LM:
    """Train a student: `lm` with a LoRA adapter that has learned `examples`.

    Args:
        lm: a base model (it gets a fresh adapter) or a student (its adapter is trained further).
            It stays as it is, and shares its frozen weights with the student.
        examples: a table of any kind (see `synthkit.datasets.rows_of`) with question/answer,
            prompt/completion or text. With `lm.chat` they are learned in the chat template.
        autocast: compute in bfloat16 (the adapter's weights stay float32); None: where the
            device does it fast.
        checkpoint, progress: see `synthkit.lm.training.train`; a checkpoint stays, with the
            finished student in it, until you have saved that one.

    Returns:
        A new `LM` with its adapter in use; `student.losses` holds the loss of every update, in
        nats per answer token.

    Raises:
        ValueError: no examples, or one longer than the context; a checkpoint that is damaged, or
            of another training.
        FloatingPointError: the loss stopped being a number (the learning rate is too high).
    """
    rows = rows_of(examples)
    encoded = encode_chat(lm, rows) if lm.chat else encode(lm.tokenizer, rows, lm.context)
    student, rng = new_student(lm, preset, seed), random.Random(f"finetune-{seed}")
    epochs = (batches(encoded, preset.batch_size, rng) for _ in range(preset.epochs))
    plan = [batch for epoch in epochs for batch in epoch][: preset.max_updates]
    precision = Precision(student.model, autocast)
    adapter = nn.ParameterList(p for p in student.model.parameters() if p.requires_grad)
    sizes = [sum(label != -100 for label in labels[1:]) for _, labels in encoded]
    pad = lm.tokenizer.pad_token_id or 0

    def loss_of(part: list[int]):
        with precision():
            return _mean_loss(student.model, *collate(encoded, part, pad, lm.device))

    schedule = Schedule(len(plan), eval_every=checkpoint_every, patience=None)
    parts = {"model": lm, "data": encoded, "preset": preset, "seed": seed, "autocast": autocast}
    student.model.train()
    plain = fused_is_slow(student.model, max(len(ids) for ids, _ in encoded))
    with recomputed(student.model, preset.recomputing), eager(student.model, plain):
        history = train(
            nn.ModuleList([adapter, precision]),
            lambda step: mean_over(plan[step], sizes, loss_of, preset.accumulation),
            schedule,
            lr=lambda step: learning_rate(step, len(plan), preset.lr),
            identity=run_key(**parts) if checkpoint else "",
            checkpoint=checkpoint,
            progress=progress,
            label="fine-tuning",
        )
    student.model.eval()
    student.losses = history.train_losses
    return student


def _mean_loss(model: nn.Module, ids: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
    """`answer_loss`, without the logits of places that carry no loss."""
    return mean_loss(model, labels, input_ids=ids, attention_mask=mask, use_cache=False)


def new_student(lm: LM, preset: FinetunePreset, seed: int) -> LM:
    """A new `LM` on the base weights of `lm`: with a fresh LoRA adapter, or with a copy of the
    adapter in use where `lm` is a student already. The weights are shared, whatever the bits."""
    if lm.active_adapter is not None:
        return share_weights(lm)
    return lm.with_lora(rank=preset.rank, alpha=preset.alpha, seed=seed)


def encode_chat(lm: LM, examples: Sequence[Mapping]) -> list[tuple[list, list]]:
    """Encode as `encode` does, in the chat template of `lm`; a row without a prompt is plain text.

    Raises:
        ValueError: there are no examples, or one has more tokens than the context.
    """
    encoded = encode(lm.tokenizer, examples, lm.context)
    for i, (prompt, completion) in enumerate(map(as_prompt_and_completion, examples)):
        if prompt:
            given = prompt_ids(lm, [prompt], chat=True)[0]
            wanted = [*lm.token_ids([completion.lstrip()])[0], lm.eos_id]
            lm.check_length(len(given) + len(wanted), f"example {i}")
            encoded[i] = [*given, *wanted], [-100] * len(given) + wanted
    return encoded


def answer(
    lm: LM, questions: Sequence[str], *, max_new_tokens: int = 64, **options: Any
) -> list[str]:
    """The model's answers to `questions`, greedy unless `options` say otherwise.

    A model with a chat template is asked in it, unless `lm.chat` is switched off.

    Raises:
        TypeError: a question is no text; the message gives its number.
    """
    options = ({"chat": True} if getattr(lm, "chat", False) else {}) | options
    prompts = [PROMPT.format(question=question) for question in texts_of(questions, least=0)]
    return [text.strip() for text in lm.generate(prompts, max_new_tokens=max_new_tokens, **options)]


def accuracy(lm: LM, rows: Sequence[Mapping], **options: Any) -> np.ndarray:
    """True for each row whose final number was found, `(n,)` of bool.

    Raises:
        KeyError: a row has no `question` or `final`. ValueError: one of them is missing.
    """
    rows = rows_of(rows)
    questions, finals = (
        [text_in(row, name, i) for i, row in enumerate(rows)] for name in ("question", "final")
    )
    answers = answer(lm, questions, **options)
    return np.array([final_answer(a) == final for a, final in zip(answers, finals)])
