"""Pretraining of the embedded model: tokenizer, blocks, an ordinary Llama, three stages."""

from __future__ import annotations

import math
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core import parallel
from ..core.checkpoints import remove_checkpoint
from ..core.files import write_json
from ..core.identity import run_key
from .documents import WRITING, Corpus, step_document
from .modes import quiet_bars
from .precision import Precision
from .schedule import Schedule
from .tokens import plain_ids
from .training import Rate, mean_over_rows, train

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPECIAL = ("<pad>", "<bos>", "<eos>")


@dataclass(frozen=True)
class PretrainPreset:
    """Shape and training of an embedded model.

    Attributes:
        hidden, layers, heads, intermediate: the Llama architecture; widths in multiples of 64.
        vocab: pieces of the byte-level BPE; context: tokens in a block (the longest text).
        steps, tokens_per_step: length of the training, in optimiser steps and tokens a step.
        lr, warmup: peak learning rate of AdamW and the steps of its linear rise (then cosine).
        drill_steps, drill_lr: length and peak learning rate of the drill that follows.
        writing_steps, writing_lr: the same of the last stage, in which writing is practised.
        tokenizer_documents: documents that the BPE is trained on.
    """

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocab: int = 2048
    context: int = 512
    steps: int = 6000
    tokens_per_step: int = 4096
    lr: float = 3e-3
    warmup: int = 200
    drill_steps: int = 1200
    drill_lr: float = 1.5e-3
    writing_steps: int = 5000
    writing_lr: float = 2e-3
    tokenizer_documents: int = 20_000

    @property
    def stages(self) -> dict[str, tuple[int, float]]:
        """Steps and peak learning rate of each stage, in their order."""
        return {
            "reading": (self.steps, self.lr),
            "drill": (self.drill_steps, self.drill_lr),
            "writing": (self.writing_steps, self.writing_lr),
        }


PRESETS = {
    "fast": PretrainPreset(
        64, 2, 4, 192, context=256, steps=120, tokens_per_step=2048, warmup=20, drill_steps=0,
        writing_steps=0, tokenizer_documents=3000,
    ),
    "study": PretrainPreset(192, 4, 6, 512),
}  # fmt: skip


# --- tokenizer, blocks, model --------------------------------------------------------------------


def train_tokenizer(texts: Iterator[str], vocab: int, context: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with `vocab` pieces and single digits, as a transformers tokenizer.

    Encoding puts `<bos>` in front (id 1); `<eos>` is 2 and `<pad>` 0.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", SPECIAL.index("<bos>"))]
    )
    pad, bos, eos = SPECIAL
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=bos, eos_token=eos, pad_token=pad,
        model_max_length=context, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def stage_of(step: int, preset: PretrainPreset) -> tuple[str, float]:
    """The stage a step belongs to, `"reading"`, `"drill"` or `"writing"`, and the share done."""
    for name, (steps, _) in preset.stages.items():
        if step < steps:
            return name, step / steps
        step -= steps
    raise ValueError(f"{preset} has no such step; it is {step} steps too far")


def step_batch(
    corpus: Corpus, tokenizer: PreTrainedTokenizerBase, preset: PretrainPreset, seed: int, step: int
) -> Tensor:
    """The token ids of one step, `(blocks, length)` with `blocks * length = tokens_per_step`.

    A document that is longer than a block is cut to it.
    """
    rng = random.Random(f"step-{seed}-{step}")
    length = preset.context if step % 4 == 3 else preset.context // 2
    rows = preset.tokens_per_step // length
    stage, done = stage_of(step, preset)
    needed, ids = rows * length, []
    while len(ids) < needed:
        texts = [step_document(corpus, rng, stage, done) for _ in range(32)]
        for piece in plain_ids(tokenizer, texts, special=True):
            ids.extend([*piece[: length - 1], tokenizer.eos_token_id])
    return torch.tensor(ids[:needed]).view(rows, length)


def new_model(preset: PretrainPreset, seed: int) -> LlamaForCausalLM:
    """An untrained Llama-architecture model of the preset's shape."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=preset.hidden, num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads, num_key_value_heads=preset.heads,
        intermediate_size=preset.intermediate, vocab_size=preset.vocab,
        max_position_embeddings=preset.context, rms_norm_eps=1e-5, tie_word_embeddings=True,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    config.synthkit_format = 1  # marks a model that knows the instruction format of lesson 01
    return LlamaForCausalLM(config)


# --- training ------------------------------------------------------------------------------------


def learning_rate(step: int, length: int, peak: float, warmup: int) -> float:
    """A linear warm-up, then a cosine from the peak to a twentieth of it."""
    warmup = min(warmup, length // 10)
    if step < warmup:
        return peak * (step + 1) / warmup
    done = (step - warmup) / max(1, length - warmup)
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


def block_loss(model: nn.Module, ids: Tensor) -> Tensor:
    """Mean next-token cross-entropy of blocks (b, m), in nats."""
    logits = model(input_ids=ids, use_cache=False).logits
    return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten())


def new_optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    """AdamW as language models are pretrained with it."""
    return torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.05, fused=True)


def pretrain(
    folder: str | Path,
    preset: PretrainPreset = PRESETS["study"],
    *,
    seed: int = 0,
    device: str = "cpu",
    autocast: bool | None = None,
    checkpoint_every: int | None = None,
    progress: bool = True,
) -> list[float]:
    """Train an embedded model from nothing and write it to `folder` in Hugging Face format.

    An interrupted training goes on from the checkpoints in `folder` when it is called again with
    the same preset and seed; they are removed when the model is written.

    Args:
        folder: where the model, tokenizer and `training.json` (preset, seed, losses) are written.
        preset: shape and length; `PRESETS["study"]` made the committed model.
        autocast: compute in bfloat16 (weights stay float32); None: where the machine does it fast.
        checkpoint_every: steps between two saved states; None: a tenth of them, at most 500.

    Returns:
        The training loss of every step, in nats per token.

    Raises:
        ValueError: the folder holds a damaged checkpoint, or one of another preset or seed.
        FloatingPointError: the loss stopped being a number.
    """
    folder = Path(folder)
    corpus, model = Corpus(), new_model(preset, seed).to(device)
    made_by = {"preset": asdict(preset), "seed": seed, "mixture": corpus.mixture}
    made_by["writing"] = WRITING
    texts = corpus.documents(preset.tokenizer_documents, "tokenizer")
    tokenizer = train_tokenizer(texts, preset.vocab, preset.context)
    module, losses = nn.ModuleList([model, Precision(model, autocast)]), []
    total = sum(steps for steps, _ in preset.stages.values())
    every = checkpoint_every or max(1, min(500, total // 10))
    identity = run_key(made_by=made_by, autocast=autocast)

    def batch(step: int) -> Tensor:
        return step_batch(corpus, tokenizer, preset, seed, step).to(device)

    for name, (length, peak) in preset.stages.items():
        if length:
            losses += train_stage(
                module, partial(lambda first, step: batch(first + step), len(losses)),
                length, partial(learning_rate, length=length, peak=peak, warmup=preset.warmup),
                eval_every=every, identity=identity, checkpoint=folder / f"{name}.training",
                progress=progress, label=name,
            )  # fmt: skip
    if parallel.is_first():
        _write_model(folder, model, tokenizer, {**made_by, "final_loss": _last(losses)})
    parallel.wait()
    for name in preset.stages:
        remove_checkpoint(folder / f"{name}.training")
    return losses


def train_stage(
    module: nn.ModuleList, batch: Callable[[int], Tensor], steps: int, rate: Rate, *,
    eval_every: int, **options: Any,
) -> list[float]:  # fmt: skip
    """Train a model on one stage; its optimiser starts with a clean memory.

    Args:
        module: the model and its `Precision`.
        batch: the token ids (b, m) of a step.
        rate: the learning rate of a step.
        options: of `synthkit.lm.training.train`.

    Returns:
        The loss of each step.
    """
    model, precision = module

    def loss(ids: Tensor) -> Tensor:
        with precision():
            return block_loss(model, ids)

    def loss_at(step: int) -> Iterator[Tensor]:
        return mean_over_rows(loss, batch(step))

    schedule = Schedule(steps, eval_every=eval_every, patience=None)
    options = {"lr": rate, "optimiser": new_optimiser, **options}
    return train(module, loss_at, schedule, **options).train_losses


def _write_model(folder: Path, model, tokenizer, summary: dict) -> None:
    """An ordinary Hugging Face folder, and `training.json` beside it: whole, or not loadable."""
    new, config = folder / "new", folder / "config.json"
    shutil.rmtree(new, ignore_errors=True)
    with quiet_bars():
        model.eval().save_pretrained(new)
    tokenizer.save_pretrained(new)
    write_json(new / "training.json", summary)
    config.unlink(missing_ok=True)  # without it the folder holds no model
    for file in sorted(new.iterdir(), key=lambda file: file.name == config.name):
        os.replace(file, folder / file.name)
    new.rmdir()


def _last(losses: list[float]) -> float:
    """The mean of the last hundred losses, which single steps do not shake."""
    return round(sum(losses[-100:]) / len(losses[-100:]), 4)
