"""A baseline of SoftSRV that is trained: LoRA on the generator."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from ..core.presets import choose_preset
from ..lm.finetune import FinetunePreset, finetune
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
