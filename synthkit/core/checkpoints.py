"""The state of a training in one file: whole, checked, and bound to that training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .files import dump_json, write_bytes

FORMAT = 1
_SUM = 64  # bytes of the checksum at the end of a file
Groups = dict[str, dict[str, Tensor]]


def write_checkpoint(
    path: str | Path, key: str, facts: Mapping[str, Any], groups: Mapping[str, Mapping[str, Tensor]]
) -> None:
    """Write a state to `path`, whole or not at all.

    Args:
        key: says which training it belongs to: see `synthkit.core.resume.run_key`.
        facts: JSON values, such as the losses so far.
        groups: tensors by group and name, such as a module's state dictionary.
    """
    import safetensors.torch

    tensors = {
        f"{group}/{name}": value.detach().cpu().contiguous().clone()
        for group, values in groups.items()
        for name, value in values.items()
    }
    state = dump_json({"format": FORMAT, "key": key, "facts": dict(facts)}, "the state")
    data = safetensors.torch.save(tensors, {"state": state})
    write_bytes(path, data + hashlib.sha256(data).hexdigest().encode())


def read_checkpoint(path: str | Path, key: str, what: str = "a training") -> tuple[dict, Groups]:
    """The facts and groups that `write_checkpoint` wrote.

    Raises:
        ValueError: the file is no checkpoint, a damaged one, or that of another training.
    """
    import safetensors.torch

    path = Path(path)
    whole = path.read_bytes()
    data, found = whole[:-_SUM], whole[-_SUM:]
    if hashlib.sha256(data).hexdigest().encode() != found:
        raise ValueError(
            f"{path} is no checkpoint, or a damaged one ({len(whole):,} bytes whose checksum does "
            "not fit); remove it to begin anew, or name another file"
        )
    size = int.from_bytes(data[:8], "little")
    state = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["state"])
    if state["format"] > FORMAT:
        raise ValueError(
            f"{path} was written by a newer synthkit (format {state['format']}, this one reads "
            f"{FORMAT}); update synthkit or name another file"
        )
    if state["key"] != key:
        raise ValueError(
            f"{path} belongs to {what} with other data, options, model or seed; remove it to begin "
            "anew, or name another file"
        )
    groups: Groups = {}
    for place, value in safetensors.torch.load(data).items():
        group, name = place.split("/", 1)
        groups.setdefault(group, {})[name] = value
    return state["facts"], groups


def optimiser_groups(optimiser: torch.optim.Optimizer) -> Groups:
    """The memory of an optimiser, for `write_checkpoint`; states in 8 bits included."""
    memory = optimiser.state_dict()["state"]
    return {f"optimiser.{number}": dict(_flat(values)) for number, values in memory.items()}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Tensor]]:
    """Tensors of a nested mapping, each under the names on its path; bitsandbytes nests its own."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}/")
        else:
            yield f"{above}{name}", torch.as_tensor(value)


def load_optimiser(optimiser: torch.optim.Optimizer, groups: Groups) -> None:
    """Give an optimiser the memory that `optimiser_groups` has taken."""
    memory: dict[int, dict[str, Any]] = {}
    for group, values in groups.items():
        if not group.startswith("optimiser."):
            continue
        own = memory.setdefault(int(group.removeprefix("optimiser.")), {})
        nested = any("/" in name for name in values)
        for name, value in values.items():
            above, _, last = name.rpartition("/")
            place = own.setdefault(above, {}) if above else own
            place[last] = int(value) if nested and name == "step" else value
    settings = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": memory, "param_groups": settings})


def remove_checkpoint(path: str | Path | None) -> None:
    """Remove a checkpoint; to be called when what was trained is on disk elsewhere."""
    if path is not None:
        Path(path).unlink(missing_ok=True)
