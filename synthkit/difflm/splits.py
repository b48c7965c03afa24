"""Rows to learn from, and rows set aside to stop a training in time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def split(n: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers of a training part, two at least, and of a validation part, both in order."""
    if n < 2:
        raise ValueError(f"DiffLM needs at least two rows or texts, found {n}")
    aside = min(round(share * n), n - 2)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[aside:]), np.sort(order[:aside])


def split_rows(ids: Tensor, seed: int, share: float = 0.1) -> tuple[Tensor, Tensor]:
    """Rows to learn from and rows to look at, drawn; at least one of each."""
    order = torch.from_numpy(np.random.default_rng((seed, 2)).permutation(len(ids)))
    aside = max(1, round(share * len(ids)))
    return ids[order[aside:]], ids[order[:aside]]
