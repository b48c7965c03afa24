"""Fitted parts as files of plain formats: tensors (safetensors), rows (JSON Lines), JSON.

Each part of the kit that can be saved has a `pack_...` function, from the part to its files as
bytes by name, and an `unpack_...` function, which asks a `Read` for them. A whole is packed from
its parts, each `under` a folder of its own, and all of it is written by `saved.save_folder`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .files import dump_json

if TYPE_CHECKING:
    from torch import Tensor, nn


Files = dict[str, bytes]
Read = Callable[[str], bytes]


def under(folder: str, files: Mapping[str, bytes]) -> Files:
    """The files of a part, as they are named in the whole."""
    return {f"{folder}/{name}": data for name, data in files.items()}


def inside(read: Read, folder: str) -> Read:
    """A reader of the files of the part in `folder`."""
    return lambda name: read(f"{folder}/{name}")


def json_bytes(value: Any) -> bytes:
    """`value` as JSON.

    Raises:
        TypeError, ValueError: it is not JSON.
    """
    return dump_json(value, "what is saved", 1).encode()


def row_bytes(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as JSON Lines."""
    return "".join(dump_json(dict(row), "a row") + "\n" for row in rows).encode()


def read_rows(data: bytes) -> list[dict[str, Any]]:
    """Read the rows that `row_bytes` was given."""
    return [json.loads(line) for line in data.decode().split("\n") if line]


def tensor_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors by name as a safetensors file."""
    import safetensors.torch

    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return safetensors.torch.save(plain)


def read_tensors(data: bytes) -> dict[str, Tensor]:
    """Read the tensors that `tensor_bytes` was given."""
    import safetensors.torch

    return safetensors.torch.load(data)


def array_bytes(**arrays: np.ndarray) -> bytes:
    """Arrays by name as a safetensors file."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(value) for name, value in arrays.items()})


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Read the arrays that `array_bytes` was given."""
    from safetensors.numpy import load

    return load(data)


def read_into(module: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    """`module` with a state that was read.

    Raises:
        ValueError: another module's state.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        what, reason = type(module).__name__, str(error).split("\n")[0]
        raise ValueError(f"the saved weights do not fit {what}: {reason}") from error
    return module
