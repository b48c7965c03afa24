"""Several processes that train as one: the device of each, sums over all, the first one's values.

`accelerate launch`, or torchrun, starts the same program once for each GPU; every process reads the
same data and takes the same steps, but computes only its share of a batch. Without a launcher there
is one process: nothing is imported here, and nothing changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Value = TypeVar("Value")


def world() -> int:
    """Number of processes that train together."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1


def rank() -> int:
    """Number of this process, from 0."""
    return int(os.environ["RANK"]) if world() > 1 else 0


def is_first() -> bool:
    """True in the process that writes files and shows bars."""
    return rank() == 0


def own_device() -> torch.device:
    """The device of this process: a GPU of its own, or the CPU where there is none.

    The first call joins the processes; it comes back when all of them have called.
    """
    import torch
    from accelerate import PartialState

    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
    device = PartialState(cpu=on_cpu or not torch.cuda.is_available()).device
    return device if device.type == "cuda" else torch.device("cpu")


def wait() -> None:
    """Wait until all processes have come here."""
    if world() > 1:
        from torch import distributed

        own_device()
        distributed.barrier()


def from_first(value: Value) -> Value:
    """The value that the first process has, in all of them."""
    if world() == 1:
        return value
    from torch import distributed

    box = [value]
    distributed.broadcast_object_list(box, src=0, device=own_device())
    return box[0]


def copy_first(tensors: Iterable[Tensor]) -> None:
    """Give tensors, in place, the numbers that they have in the first process."""
    if world() > 1:
        from torch import distributed

        _each(tensors, lambda tensor: distributed.broadcast(tensor, src=0))


def add_up(loss: float, parameters: Sequence[nn.Parameter]) -> float:
    """The sum of a loss over all processes; gradients become, in place, theirs.

    A process without a share has no gradients, and counts as zero.
    """
    if world() == 1:
        return loss
    import torch
    from torch import distributed

    has = [parameter.grad is not None for parameter in parameters]
    sums = torch.tensor([loss, *has], dtype=torch.float64)
    _each([sums], distributed.all_reduce)
    total, *somewhere = sums.tolist()
    learning = [p for p, count in zip(parameters, somewhere) if count]
    for parameter in learning:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    _each((p.grad for p in learning if p.grad is not None), distributed.all_reduce)
    return total


def _each(tensors: Iterable[Tensor], exchange: Callable[[Tensor], Any]) -> None:
    """Exchange tensors by way of the process's device: GPUs know nothing of the CPU's memory."""
    device = own_device()
    for tensor in tensors:
        moved = tensor.detach().to(device).contiguous()
        exchange(moved)
        tensor.detach().copy_(moved)
