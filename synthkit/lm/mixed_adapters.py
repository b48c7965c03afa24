"""Many adapters on one base: a view on its weights, and batches in which each row has its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from .fingerprint import _adapter_of
from .quantisation import eight_bit_states

if TYPE_CHECKING:
    from .model import LM

# What an adapter may not have if its rows are to share a batch with another's.
_EXTRAS = (
    "use_dora",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "lora_bias",
    "alora_invocation_tokens",
    "arrow_config",
)


def share_weights(lm: LM) -> LM:
    """A second `LM` on the same base weights: adapters added to it leave `lm` as it is.

    Nothing large is copied (adapters that `lm` already has are). Whoever changes the base weights
    of one in place changes both.
    """
    memo = {id(lm.tokenizer): lm.tokenizer}
    for name, weight in lm.model.named_parameters():
        if _adapter_of(name) is not None:
            continue
        if type(weight) is nn.Parameter:  # an own object, since peft freezes it in place
            memo[id(weight)] = nn.Parameter(weight.data, requires_grad=weight.requires_grad)
        elif type(weight).__name__ in ("Params4bit", "Int8Params"):
            memo[id(weight)] = weight
    kept = [*lm.model.buffers(), *eight_bit_states(lm.model)]
    return copy.deepcopy(lm, memo | {id(tensor): tensor for tensor in kept})


class Rows:
    """Adapters of the rows of a batch: here the one in use for all of them."""

    def take(self, indices: Sequence[int]) -> None:
        """The next batch holds these rows."""

    def keep(self, places: Tensor | Sequence[int]) -> None:
        """Only these places of the batch are left."""


class MixedRows(Rows):
    """The same with an adapter for each row: masks over adapters that lie side by side.

    Args:
        names: of each row of the whole job, None for the base alone.
        device: of the masks.
    """

    def __init__(self, names: Sequence[str | None], device: torch.device):
        self.adapters = sorted({name for name in names if name is not None})
        place = {name: i for i, name in enumerate(self.adapters)} | {None: -1}
        self._all = torch.tensor([place[name] for name in names], device=device)
        self._owners = self._all  # (b,) the adapter of each row of the batch
        self._masks: dict[tuple, Tensor] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def take(self, indices: Sequence[int]) -> None:
        self._owners, self._masks = self._all[list(indices)], {}

    def keep(self, places: Tensor | Sequence[int]) -> None:
        self._owners, self._masks = self._owners[places], {}

    def mask(self, columns: tuple[int, ...]) -> Tensor:
        """(b, 1, R) of bool: which of R columns belong to each row, by each column's adapter."""
        if columns not in self._masks:
            owner = torch.tensor(columns, device=self._owners.device)
            self._masks[columns] = self._owners[:, None, None] == owner
        return self._masks[columns]


class SideBySide:
    """The adapters of one linear layer as one: a forward hook that adds each row's own correction.

    With all A stacked to (R, d_in) and all B to (d_out, R), R the sum of the ranks, a row keeps
    those of the R numbers A x that are its adapter's: (B * mask) A x is its adapter's correction
    and nothing else. Two products serve the batch, whatever the number of adapters.
    """

    def __init__(self, layer: nn.Module, rows: MixedRows):
        there = [name for name in rows.adapters if name in layer.lora_A]
        self.rows = rows
        self.a = torch.cat([layer.lora_A[name].weight for name in there])  # (R, d_in)
        scaled = [layer.lora_B[name].weight * layer.scaling[name] for name in there]
        self.b = torch.cat(scaled, 1)  # (d_out, R)
        ranks = [len(layer.lora_A[name].weight) for name in there]
        owners = [[rows.adapters.index(n)] * rank for n, rank in zip(there, ranks)]
        self.columns = tuple(i for each in owners for i in each)

    def __call__(self, layer: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        x = inputs[0]  # (b, m, d_in)
        if x.dim() != 3 or len(x) != len(self.rows):
            raise RuntimeError(
                f"a layer got a batch of shape {tuple(x.shape)} where {len(self.rows)} rows have "
                "an adapter each; a model that regroups its rows takes one adapter at a time"
            )
        mask = self.rows.mask(self.columns).to(x.device)
        own = nn.functional.linear(x.to(self.a.dtype), self.a) * mask  # (b, m, R)
        return output + nn.functional.linear(own, self.b).to(output.dtype)


@contextmanager
def mixed_adapters(lm: LM, names: Sequence[str | None] | None, n: int) -> Iterator[Rows]:
    """Inside, a forward pass of a batch gives every row its own adapter; without gradients.

    What is given is checked before anything is touched. Whatever happens inside, no hook is left
    behind and the adapter in use is what it was.

    Args:
        names: the adapter of each of the `n` rows, None for the base alone; None instead of a
            list changes nothing.

    Yields:
        `Rows`: say with `take` which rows the next batch holds, with `keep` which are left of it.

    Raises:
        TypeError: one string. KeyError: an adapter that is not there.
        ValueError: a list of another length, a model without adapters, or adapters that cannot
            share a batch (merged, DoRA, or more than LoRA on linear layers).
    """
    if names is None:
        yield Rows()
        return
    names = check_names(lm, names, n)
    if len(set(names)) <= 1:  # no batch is mixed
        with lm.use_adapter(names[0] if names else lm.active_adapter):
            yield Rows()
        return
    rows = MixedRows(names, lm.device)
    layers = plain_layers(lm, rows.adapters)
    handles = []
    with lm.use_adapter(None):
        try:
            with torch.no_grad():
                for layer in layers:
                    handles.append(layer.register_forward_hook(SideBySide(layer, rows)))
            yield rows
        finally:
            for handle in handles:
                handle.remove()


def check_names(lm: LM, names: Sequence[str | None], n: int) -> list[str | None]:
    """The names as a list, or an error (see `mixed_adapters`)."""
    if isinstance(names, str):
        raise TypeError(f"adapters names one for each row; write [{names!r}] * {n}")
    names, there = list(names), lm.describe()["adapters"]
    if len(names) != n:
        raise ValueError(f"{n} rows but {len(names)} adapters; give one each, None for the base")
    unknown = sorted({str(name) for name in names if name is not None} - set(there))
    if unknown and not there:
        raise ValueError(
            f"{lm.name!r} has no adapters, and {', '.join(unknown)} was asked for; add one with "
            "add_adapter or load_adapter"
        )
    if unknown:
        raise KeyError(f"no adapter {', '.join(unknown)}; there are {there}")
    return names


def plain_layers(lm: LM, adapters: Sequence[str]) -> list[nn.Module]:
    """The layers that hold one of `adapters`, if all of them are plain LoRA on linear layers.

    Raises:
        ValueError: one is not; the message names the adapter and what it is.
    """
    configs = lm._adapters.handle.peft_config
    for name in adapters:
        extras = [field for field in _EXTRAS if getattr(configs[name], field, None)]
        if getattr(configs[name], "bias", "none") != "none":
            extras.append("bias")
        if not hasattr(configs[name], "lora_alpha") or extras:
            what = ", ".join(extras) or str(configs[name].peft_type)
            raise _unmixable(name, f"it has {what}")
    found = []
    for layer in lm.model.modules():
        held = [n for n in adapters if hasattr(layer, "lora_A") and n in layer.lora_A]
        if held and layer.merged:
            raise _unmixable(held[0], "an adapter is merged into the base; unmerge it first")
        for name in held:
            parts = layer.lora_A[name], layer.lora_B[name]
            if not all(type(part) is nn.Linear for part in parts) or name in layer.lora_variant:
                raise _unmixable(name, f"it adapts a {type(layer).__name__} in a way of its own")
        if any(name in getattr(layer, "lora_embedding_A", ()) for name in adapters):
            raise _unmixable(adapters[0], "one adapts the embedding table")
        found += [layer] if held else []
    return found


def _unmixable(name: str, why: str) -> ValueError:
    return ValueError(
        f"adapter {name!r} cannot share a batch with others: {why}; a mixed batch takes plain "
        "LoRA on linear layers, so call generate once an adapter, inside use_adapter"
    )
