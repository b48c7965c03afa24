"""Key-value caches that grow without copies and serve rows that begin alike."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicLayer

_ROOM = 64  # positions that a full buffer grows by


class RoomyLayer(DynamicLayer):
    """Keys and values (b, h, m, d) of one layer, in buffers with room for more positions.

    transformers' own layer copies all of them for each new token.
    """

    keys: Tensor
    values: Tensor
    rooms: tuple[Tensor, ...] = ()

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs):
        """Keys and values with the new ones at their end."""
        m = self.get_seq_length()
        new = m + key_states.shape[-2]
        if not m:
            return super().update(key_states, value_states, *args, **kwargs)
        ours = self.rooms and self.keys.data_ptr() == self.rooms[0].data_ptr()
        if not ours or self.rooms[0].shape[-2] < new:  # rows were selected, or the room is used up
            both, more = (self.keys, self.values), new - m + _ROOM
            self.rooms = tuple(nn.functional.pad(old, (0, 0, 0, more)) for old in both)
        for room, states in zip(self.rooms, (key_states, value_states)):
            room[:, :, m:new] = states
        self.keys, self.values = (room[:, :, :new] for room in self.rooms)
        return self.keys, self.values


def make_roomy(cache: Any) -> None:
    """Turn the plain layers of a cache that a model returned into `RoomyLayer`."""
    for layer in getattr(cache, "layers", ()):
        if type(layer) is DynamicLayer:
            layer.__class__ = RoomyLayer


@dataclass(frozen=True)
class Beginning:
    """The beginning of all rows of a job, already run through the model.

    Attributes:
        cache: of one row, in which every layer keeps all positions.
        length: positions.
    """

    cache: Any
    length: int

    def cache_for(self, rows: int) -> Any:
        """An own cache for a batch of `rows`."""
        repeated = copy.deepcopy(self.cache)
        repeated.batch_repeat_interleave(rows)
        return repeated

    def mask_for(self, mask: Tensor) -> Tensor:
        """The mask (b, length + m) of a batch whose rows go on with `mask` (b, m)."""
        return torch.cat([mask.new_ones(len(mask), self.length), mask], 1)


def keeps_all(cache: Any) -> bool:
    """True if every layer keeps all positions; then padding may stand between them."""
    layers = getattr(cache, "layers", ())
    return bool(layers) and all(type(layer) in (DynamicLayer, RoomyLayer) for layer in layers)
