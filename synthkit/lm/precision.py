"""Choice of precision: a timed trial tells whether bfloat16 is faster than float32."""

from __future__ import annotations

import os
from functools import cache, partial

import torch
from torch import nn

from .products import FastLinear, gain

VARIABLE = "SYNTHKIT_PRECISION"  # "float32" or "bfloat16" fixes what the trial would choose
GAIN = 1.2  # bfloat16 must be this many times as fast: results in float32 are the same elsewhere
SECONDS = 0.3  # a trial's limit
FLOPS = 1e8  # of one forward pass of the trial, about
WIDEST = (1024, 4096)  # layers of a trial; beyond, the ratio changes little


def fast_bfloat16(device: str | torch.device, model: nn.Module | None = None) -> bool:
    """True if training on a device should compute in bfloat16.

    `SYNTHKIT_PRECISION` decides if it is set. Otherwise a GPU does, and a CPU does where it has
    instructions for bfloat16 and a timed trial with layers as wide as the model's is at least 1.2
    times as fast as in float32: a CPU may list such instructions and be slow at them. The trial
    runs once per process and shape, and takes well under half a second. A model that multiplies
    through oneDNN stays in float32, which is as fast there.

    Args:
        model: gives the shape, by `config.hidden_size` and `config.intermediate_size`.

    Raises:
        ValueError: `SYNTHKIT_PRECISION` is neither "float32" nor "bfloat16".
    """
    fixed = os.environ.get(VARIABLE, "")
    if fixed not in ("", "float32", "bfloat16"):
        raise ValueError(f"{VARIABLE}={fixed!r}: set it to float32 or bfloat16, or not at all")
    if fixed or not str(device).startswith("cpu"):  # "auto" is all GPUs
        return fixed != "float32"
    fast = model is not None and any(isinstance(layer, FastLinear) for layer in model.modules())
    if fast or not lists_bfloat16():
        return False
    config = getattr(model, "config", None)
    width = getattr(config, "hidden_size", None) or 256
    hidden = getattr(config, "intermediate_size", None) or 4 * width
    return bfloat16_gain(min(width, WIDEST[0]), min(hidden, WIDEST[1])) >= GAIN


class Precision(nn.Module):
    """The type that a training computes in, a part of its state, so that a resumed one keeps it.

    Args:
        model: what is trained; it gives device and shape.
        bfloat16: compute in it (weights stay float32); None: where that is fast.
    """

    def __init__(self, model: nn.Module, bfloat16: bool | None = None):
        super().__init__()
        device = next(model.parameters()).device
        chosen = fast_bfloat16(device, model) if bfloat16 is None else bfloat16
        self.device_type = device.type
        self.register_buffer("in_bfloat16", torch.tensor(chosen))

    def forward(self) -> torch.autocast:
        """The context to compute in."""
        enabled = bool(self.in_bfloat16)
        return torch.autocast(self.device_type, dtype=torch.bfloat16, enabled=enabled)


def lists_bfloat16() -> bool:
    """True if the CPU lists instructions for bfloat16 (AVX512-BF16, AMX)."""
    can = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16"))


@cache
def bfloat16_gain(width: int, hidden: int) -> float:
    """Speed of a training step of two layers in bfloat16, as a multiple of that in float32.

    The layers go from `width` to `hidden` and back.
    """
    tokens = max(16, min(1024, int(FLOPS / (4 * width * hidden))))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(tokens, width, generator=generator)
    up = (torch.randn(hidden, width, generator=generator) / width**0.5).requires_grad_()
    down = (torch.randn(width, hidden, generator=generator) / hidden**0.5).requires_grad_()

    def step(half: bool) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            out = nn.functional.linear(torch.relu(nn.functional.linear(x, up)), down)
        torch.autograd.grad(out.float().square().mean(), (up, down))

    return gain(partial(step, False), partial(step, True), SECONDS)
