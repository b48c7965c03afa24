"""Weights in 4 or 8 bits by bitsandbytes, kept exact and differentiable on a CPU."""

from __future__ import annotations

import logging
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

BITS = (None, 4, 8)

# When it is imported (peft does so too), bitsandbytes regrets at length that an optional kernel for
# CPUs is not installed. Nothing here uses that kernel, see `disable_packed_cpu_layout`.
logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(
    lambda record: not str(record.msg).startswith("Failed to load CPU gemm_4bit_forward")
)


def quantisation_config(bits: int | None, compute_dtype: torch.dtype) -> BitsAndBytesConfig | None:
    """The bitsandbytes settings for `bits`: NF4 with double quantisation, LLM.int8, or None.

    Args:
        bits: 4, 8 or None (weights stay as they are).
        compute_dtype: type in which 4-bit layers multiply.

    Raises:
        ValueError: `bits` is something else.
        RuntimeError: bitsandbytes cannot be imported here.

    Source: Dettmers et al. 2023 (QLoRA), section 3: NF4 and double quantisation.
    """
    if bits not in BITS or isinstance(bits, bool):
        raise ValueError(f"bits must be one of {BITS}, found {bits!r}")
    if bits is None:
        return None
    _require_bitsandbytes(bits)
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
    )


LARGE = 10**8  # weights of a model from which 4 bits on a CPU deserve a word


@cache
def _hint_once() -> None:
    warnings.warn(
        "4-bit weights on a CPU save memory and cost time: each product unpacks them first "
        "(`synthkit doctor` measures how much that is here); bits=None is faster where memory "
        "allows",
        stacklevel=4,
    )


def hint_at_slow_cpu(model: torch.nn.Module) -> None:
    """Warn, once in a process, of a large model in 4 bits on a CPU."""
    weights = sum(getattr(p, "quant_state", None) is not None and 2 * p.numel()
                  for p in model.parameters() if p.device.type == "cpu")  # fmt: skip
    if weights >= LARGE:
        _hint_once()


def _require_bitsandbytes(bits: int) -> None:
    try:
        import bitsandbytes  # noqa: F401
    except Exception as error:  # a broken native library raises more than ImportError
        raise RuntimeError(
            f"bits={bits} needs bitsandbytes, which cannot be imported here "
            f"({type(error).__name__}: {error}); install it for this machine or pass bits=None"
        ) from error


def linear4bit_modules(model: torch.nn.Module) -> list[torch.nn.Module]:
    """Every `bitsandbytes.nn.Linear4bit` inside `model`."""
    if "bitsandbytes" not in sys.modules:  # then no model can hold such a layer
        return []
    import bitsandbytes as bnb

    return [module for module in model.modules() if isinstance(module, bnb.nn.Linear4bit)]


def bits_of(model: torch.nn.Module) -> int | None:
    """4 or 8, or None when the weights are not quantised."""
    if linear4bit_modules(model):
        return 4
    return 8 if getattr(model, "is_loaded_in_8bit", False) else None


def eight_bit_states(model: torch.nn.Module) -> list[torch.Tensor]:
    """The int8 weights and scales that the 8-bit layers of `model` hold beside their parameters.

    bitsandbytes moves them there from the parameter at a layer's first forward; this does it now,
    so that every layer that shares the parameter finds them.
    """
    found = []
    for module in model.modules() if "bitsandbytes" in sys.modules else ():
        if type(module).__name__ == "Linear8bitLt" and hasattr(module, "init_8bit_state"):
            if getattr(module.weight, "CB", None) is not None:
                module.init_8bit_state()
            found += [value for value in vars(module.state).values() if torch.is_tensor(value)]
    return found


def disable_packed_cpu_layout(model: torch.nn.Module) -> int:
    """Keep the 4-bit layers of `model` on a CPU in their plain layout; returns how many.

    On a CPU with AVX512-BF16, bitsandbytes repacks a weight in place at its first forward in eval
    mode without gradient. After that gradients through the layer are silently wrong, merging an
    adapter ruins it, saving is inexact, and sizes that are no multiple of 32 or 64 fail. Other
    CPUs, and GPUs, never take that path. Call this right after loading, before any forward.

    Raises:
        RuntimeError: a layer has been repacked already.
    """
    changed = 0
    for module in linear4bit_modules(model):
        if module.weight.device.type != "cpu":
            continue
        state = getattr(module.weight, "quant_state", None)
        if getattr(state, "packing_format_for_cpu", False):
            raise RuntimeError(
                "a 4-bit layer has already been repacked for CPU inference by an earlier forward; "
                "load the model again and call disable_packed_cpu_layout before its first forward"
            )
        module.support_avx512bf16_for_cpu = False
        changed += 1
    return changed
