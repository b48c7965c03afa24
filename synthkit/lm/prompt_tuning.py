"""Prompt tuning: settings, fit and files of the soft prompts of lesson 20."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..core.identity import check_model, made_with, run_key
from ..core.packing import Files, Read, json_bytes, read_into, read_tensors, tensor_bytes
from ..core.saved import open_saved, save_folder
from .attention import eager, fused_is_slow
from .modes import frozen, recomputed
from .rows import check_contexts, check_texts
from .schedule import History, Schedule, check_positive
from .soft_prompts import SoftPrompt, held_out_loss, prefix, reconstruction_loss
from .training import batch_at, mean_over, plain_adamw, train

if TYPE_CHECKING:
    from .model import LM

LEARNING_RATES = {"ssnp": 2e-2, "ssmp": 2e-2, "ssmc": 2e-3}


@dataclass(frozen=True)
class SoftPromptPreset(Schedule):
    """Settings of a soft prompt's training; see `synthkit.lm.schedule.Schedule` for the rest.

    Attributes:
        length: t, the number of vectors.
        batch_size: texts in a step.
        lr: learning rate; None takes that of the prompt's kind in `LEARNING_RATES`.
        lr_constant: learning rate of the part of "ssmc" that no context changes, the biases b_j;
            None: that of its networks.
    """

    length: int = 8
    batch_size: int = 32
    lr_constant: float | None = None

    def __post_init__(self):
        super().__post_init__()
        for name in ("length", "batch_size", "lr_constant"):
            check_positive(name, getattr(self, name))

    def rate(self, prompt: nn.Module) -> float | None:
        """The learning rate for this prompt; None where neither preset nor kind has one."""
        return LEARNING_RATES.get(getattr(prompt, "kind", "")) if self.lr is None else self.lr


PRESETS = {
    "fast": SoftPromptPreset(steps=100, batch_size=16, eval_every=20, patience=None),
    "study": SoftPromptPreset(steps=1500, eval_every=100),
    "paper": SoftPromptPreset(
        length=128, steps=20_000, lr=5e-6, decay_from=1.0, eval_every=500, patience=None
    ),
}


def fit_soft_prompt(
    lm: LM,
    prompt: nn.Module,
    z: Tensor,
    texts: Sequence[str],
    *,
    held_out: tuple[Tensor, Sequence[str]] | None = None,
    preset: SoftPromptPreset = PRESETS["fast"],
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> History:
    """Train theta so that the frozen model writes each text behind [BOS][P(z)].

    Args:
        lm: the model; it is bit for bit the same afterwards.
        prompt: a `SoftPrompt`, or any module from (n, d) to (n, t, N); it is trained in place, on
            the model's device. A fresh `SoftPrompt` is calibrated on z first.
        z: (n, d) contexts, one a text.
        texts: what is to be written, n of them.
        held_out: contexts and texts that are never learned from; the state that does best on
            them is kept.
        seed: of the order of the texts.
        checkpoint, progress: see `synthkit.lm.training.train`.

    Raises:
        ValueError: no texts, an empty one, one too long for the context, contexts of the wrong
            number or width, a learning rate that is not set, or parameters that are not float32.
        FloatingPointError: the loss stopped being a number; the last good state is kept.
    """
    prompt.to(lm.device)
    pairs = [check_pairs(lm, prompt, *pair) for pair in ((z, texts), held_out) if pair]
    z, texts = pairs[0]
    if not getattr(prompt, "calibrated", True):
        prompt.calibrate(z)
    sizes = [len(ids) + (lm.eos_id is not None) for ids in lm.token_ids(texts)]

    def loss(part: list[int]) -> Tensor:
        return reconstruction_loss(lm, prompt, z[part], [texts[i] for i in part])

    def loss_at(step: int):
        batch = batch_at(step, len(texts), preset.batch_size, seed)
        return mean_over(batch, sizes, loss, preset.accumulation)

    plain = fused_is_slow(lm.model, max(sizes) + preset.length)
    with frozen(lm), recomputed(lm.model, preset.recomputing), eager(lm.model, plain):
        return train(
            prompt,
            loss_at,
            preset,
            lr=preset.rate(prompt),
            optimiser=optimiser_of(prompt, preset),
            evaluate=None if held_out is None else lambda: held_out_loss(lm, prompt, *pairs[1]),
            identity=run_key(model=lm, prompt=prompt, pairs=pairs, seed=seed, preset=preset),
            checkpoint=checkpoint,
            progress=progress,
        )


def optimiser_of(prompt: nn.Module, preset: SoftPromptPreset) -> Callable | None:
    """The maker of the optimiser where SSMC's constant part has a rate of its own; else None.

    The rate that suits a network, of whose output each number is a sum over all hidden units, is
    slow for a bias: with it, SSMC takes longer than SSNP to find what all texts have in common.
    """
    if preset.lr_constant is None or getattr(prompt, "kind", "") != "ssmc":
        return None
    constant, share = prompt.map.last_bias, preset.lr_constant / preset.rate(prompt)

    def make(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        optimiser = plain_adamw([p for p in parameters if p is not constant])
        optimiser.add_param_group({"params": [constant], "share": share})
        return optimiser

    return make


@torch.no_grad()
def check_pairs(
    lm: LM, prompt: nn.Module, z: Tensor, texts: Sequence[str]
) -> tuple[Tensor, list[str]]:
    """Contexts and texts that a prompt can be trained on, or a ValueError that says why not."""
    texts = check_texts(texts)
    if not texts:
        raise ValueError("there are no texts to learn from")
    z = check_contexts(prompt, z, len(texts)).detach()
    t = prefix(lm, prompt, z[:1]).shape[1]
    lm.text_ids(texts, extra=t + (lm.eos_id is not None))
    return z, texts


def pack_soft_prompt(prompt: SoftPrompt) -> Files:
    """The files of a soft prompt: settings (JSON) and weights (safetensors)."""
    weights = tensor_bytes(prompt.state_dict())
    return {"prompt.json": json_bytes(prompt.settings), "prompt.safetensors": weights}


def unpack_soft_prompt(read: Read) -> SoftPrompt:
    """The soft prompt that `pack_soft_prompt` packed.

    Raises:
        ValueError: the weights do not fit the settings.
    """
    prompt = SoftPrompt(**json.loads(read("prompt.json")))
    return read_into(prompt, read_tensors(read("prompt.safetensors"))).eval()


def save_soft_prompt(prompt: SoftPrompt, folder: str | Path, lm: LM | None = None) -> Path:
    """Save a soft prompt in `folder`, whole or not at all; see `synthkit.core.saved`.

    With `lm`, its name and fingerprint go along, so that another model is refused later.
    """
    facts = {"lm": None if lm is None else made_with(lm)}
    return save_folder(folder, "soft prompt", pack_soft_prompt(prompt), facts)


def load_soft_prompt(folder: str | Path, lm: LM | None = None) -> SoftPrompt:
    """The soft prompt that `save_soft_prompt` saved; on the device of `lm` if one is given.

    Raises:
        FileNotFoundError: none was saved there.
        ValueError: it was trained for another model (both are named); something else was saved,
            or by a newer synthkit; or a file is damaged.
    """
    saved = open_saved(folder, "soft prompt")
    if lm is not None and saved.facts["lm"]:
        check_model(made_with(lm), saved.facts["lm"], "the soft prompt was trained")
    prompt = unpack_soft_prompt(saved.read)
    return prompt if lm is None else prompt.to(lm.device)
