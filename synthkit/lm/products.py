"""Linear layers that multiply through oneDNN, where that is faster than torch's own product.

In float32 torch multiplies through MKL, which uses half of some CPUs' vector units.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial

import torch
from torch import Tensor, nn

VARIABLE = "SYNTHKIT_PRODUCTS"  # "torch" or "onednn" fixes what the trial would choose
GAIN = 1.3  # oneDNN must be this many times as fast, since its sums round differently
SMALLEST = 2**16  # weights of a layer; below, the call costs more than the product
SMALLEST_MODEL = 10**7  # weights in such layers; below, a model's time goes elsewhere
PACKED_BYTES = 2**30  # the most that packed copies of the weights may take
LARGE_HEAD = 2**22  # weights of an output layer whose copies cost more than a row's
TRIAL_ROWS, TRIAL_SECONDS = 256, 0.3


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x` (..., n) times `weight` (m, n), plus `bias` (m,), through oneDNN, with gradients."""
    if torch.is_grad_enabled():
        return _Linear.apply(x, weight, bias)
    return _multiply(x, weight, bias)


def _multiply(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    """The product with its gradients, which are products too."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)
        return _multiply(x, weight, bias)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, weight = ctx.saved_tensors
        to_x, to_weight, to_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, len(weight))
        return (  # by `linear`, so that gradients have gradients too
            linear(gradient, weight.t()) if to_x else None,
            linear(rows.t(), x.reshape(-1, weight.shape[1]).t()) if to_weight else None,
            rows.sum(0) if to_bias else None,
        )


class FastLinear(nn.Linear):
    """A linear layer that multiplies through oneDNN on a CPU; see `use_fast_products`."""

    packed: Tensor | None = None  # the weights as oneDNN lays them out, while none can change

    def __getstate__(self) -> dict:
        return {**self.__dict__, "packed": None}  # which cannot be copied or pickled

    def forward(self, x: Tensor) -> Tensor:
        """The same as `nn.Linear`, to within rounding."""
        fits = x.is_cpu and x.numel() and x.shape[-1] == self.in_features
        same = fits and x.dtype == self.weight.dtype
        if not same or torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        packed = self.packed  # read once: another thread may drop it
        if packed is not None and not torch.is_grad_enabled():
            return _multiply(x, packed, self.bias)
        return linear(x, self.weight, self.bias) if x.dtype == torch.float32 else super().forward(x)


def use_fast_products(model: nn.Module) -> nn.Module:
    """Turn the large linear layers of a model on a CPU into `FastLinear`, where that is faster.

    `SYNTHKIT_PRODUCTS` decides if it is set, otherwise a timed trial with a layer of the model's.
    A small model stays as it is.

    Raises:
        ValueError: `SYNTHKIT_PRODUCTS` is neither "torch" nor "onednn".
    """
    fixed = os.environ.get(VARIABLE, "")
    if fixed not in ("", "torch", "onednn"):
        raise ValueError(f"{VARIABLE}={fixed!r}: set it to torch or onednn, or not at all")
    layers = [m for m in model.modules() if type(m) is nn.Linear and m.weight.is_cpu]
    layers = [layer for layer in layers if layer.weight.numel() >= SMALLEST]
    large = sum(layer.weight.numel() for layer in layers) >= SMALLEST_MODEL
    if fixed == "torch" or not large or not _has_onednn():
        return model
    if fixed or onednn_gain(*layers[len(layers) // 2].weight.shape) >= GAIN:
        for layer in layers:
            layer.__class__ = FastLinear
    return model


def in_one_piece(model: nn.Module) -> nn.Module:
    """Give a large output layer its input in one piece of memory.

    The last tokens of each row are a slice with gaps, for which torch copies frozen weights once
    per row of the batch: twenty times the time of the product, for 49,152 tokens and eight rows.
    """
    head = model.get_output_embeddings()
    if isinstance(head, nn.Linear) and head.weight.numel() >= LARGE_HEAD:
        head.register_forward_pre_hook(_contiguous)
    return model


def _contiguous(layer: nn.Module, inputs: tuple) -> tuple:
    return inputs[0].contiguous(), *inputs[1:]


def _has_onednn() -> bool:
    names = ("_linear_pointwise", "_reorder_linear_weight")
    there = all(hasattr(torch.ops.mkldnn, name) for name in names)
    return there and torch.backends.mkldnn.is_available()


@contextmanager
def packed(model: nn.Module, on: bool = True) -> Iterator[None]:
    """Inside, where no weight may change, few rows at a time are multiplied faster still.

    The first of the `FastLinear` layers, up to `PACKED_BYTES` in all, keep a copy of their weights
    as oneDNN lays them out.
    """
    room, layers = PACKED_BYTES, []
    for layer in model.modules() if on else ():
        if not isinstance(layer, FastLinear) or layer.packed is not None:
            continue
        if layer.weight.is_cpu and _can_pack(layer.weight.dtype):
            room -= layer.weight.nbytes
            layers += [layer] if room >= 0 else []
    try:
        for layer in layers:
            layer.packed = torch.ops.mkldnn._reorder_linear_weight(layer.weight.detach())
        yield
    finally:
        for layer in layers:
            layer.packed = None


def _can_pack(dtype: torch.dtype) -> bool:
    """True if oneDNN lays out weights of this type here: bfloat16 needs AVX-512 or the like."""
    half = dtype is torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype is torch.float32 or half


def gain(slow: Callable[[], object], fast: Callable[[], object], seconds: float) -> float:
    """The speed of `fast` in multiples: the best of up to five runs each, in turns."""
    end = time.perf_counter() + seconds
    slow()  # sets things up
    took: tuple[list[float], list[float]] = ([], [])
    while len(took[1]) < 6 and (len(took[1]) < 2 or time.perf_counter() < end):
        for way, times in zip((slow, fast), took):
            start = time.perf_counter()
            way()
            times.append(time.perf_counter() - start)
        if took[1][0] > 4 * took[0][0]:  # no second look is needed
            break
    return min(took[0]) / min(took[1])


@cache
def onednn_gain(out: int, width: int) -> float:
    """Speed of a product in float32 through oneDNN, as a multiple of torch's own."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(TRIAL_ROWS, width, generator=generator)
    weight = torch.randn(out, width, generator=generator)
    with torch.no_grad():
        torchs, ours = (partial(way, x, weight) for way in (nn.functional.linear, linear))
        return gain(torchs, ours, TRIAL_SECONDS)
