"""Baselines of SoftSRV that are trained: LoRA on the generator, and peft's own prompt tuning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..core.presets import choose_preset
from ..lm.finetune import FinetunePreset, finetune
from ..lm.mixed_adapters import share_weights
from ..lm.modes import frozen
from ..lm.rows import IGNORED, right_pad
from ..lm.soft_prompts import starting_rows, vocabulary
from ..lm.training import batch_at, train
from .baselines import Generator
from .presets import PRESETS, SoftSRVPreset
from .texts import target_texts


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
