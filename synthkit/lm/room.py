"""Room on a GPU: rows that are sampled at a time, and whether a model's weights fit at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .memory import GIB, Held, Sampling, row_bytes, weight_bytes
from .shapes import Shape


def room_for_rows(model: nn.Module, new: int) -> tuple[Callable[[int], float], float]:
    """Bytes that a row of a sampling needs, by its length, and the bytes there are for rows.

    There is no limit off a GPU, and for a model whose config does not tell its shape.
    """
    free = _free(model.device)
    try:
        shape = Shape.of(model.config)
    except ValueError:
        free = None
    if free is None:
        return lambda m: 0, math.inf
    held = Held(half=model.dtype.itemsize == 2)
    rank = any("lora_" in name for name, _ in model.named_parameters())
    return lambda m: row_bytes(shape, held, Sampling(1, m, new, rank)), 0.9 * free


def _free(device: torch.device) -> float | None:
    """Bytes that tensors can still take on a GPU; None elsewhere."""
    if device.type != "cuda":
        return None
    kept, used = torch.cuda.memory_reserved(device), torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept - used


def check_gpu(config: Any, bits: int | None, device: torch.device, name: str) -> None:
    """Raise RuntimeError where the weights of a model alone exceed what a GPU has free.

    A config that does not tell its shape is let through.
    """
    free = _free(device)
    try:
        shape = Shape.of(config)
    except ValueError:
        return
    sizes = {each: weight_bytes(shape, Held(each, half=True)) for each in (None, 4)}
    wanted = sizes[4] if bits == 4 else sizes[None] / (2 if bits == 8 else 1)
    if free is None or wanted <= free:
        return
    helps = "pass bits=4" if bits != 4 and sizes[4] <= free else "take a smaller model"
    raise RuntimeError(
        f"the weights of {name!r} take {wanted / GIB:.1f} GiB, and the GPU has {free / GIB:.1f} "
        f"free: {helps}, or device='auto' for several GPUs; `synthkit fit-check` knows the rest"
    )
