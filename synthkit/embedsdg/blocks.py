"""Checks of what is averaged: token embeddings and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def as_parents(
    E1: Tensor, w1: Tensor, E2: Tensor, w2: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Two texts' embeddings (m, N) and weights (m,), as float32 on the first one's device.

    Raises:
        ValueError: other shapes, unequal widths, an empty text, values that are not finite, or
            weights that are negative or all zero; the text is named.
    """
    first, second = _checked(E1, w1, "first"), _checked(E2, w2, "second")
    if E1.shape[1] != E2.shape[1]:
        raise ValueError(
            f"the texts have embeddings of width {E1.shape[1]} and {E2.shape[1]}: "
            "embed both with the same model"
        )
    device = first[0].device
    return first, (second[0].to(device), second[1].to(device))


def _checked(E: Tensor, w: Tensor, which: str) -> tuple[Tensor, Tensor]:
    E, w = E.detach().float(), w.detach().float().to(E.device)
    if E.dim() != 2 or len(E) == 0 or w.shape != E.shape[:1]:
        raise ValueError(
            f"the {which} text needs embeddings (m, N) and weights (m,) with m >= 1; "
            f"got {tuple(E.shape)} and {tuple(w.shape)}"
        )
    if not (E.isfinite().all() and w.isfinite().all()):
        raise ValueError(f"the {which} text has NaN or infinite values; embed it again")
    if (w < 0).any() or w.sum() == 0:
        raise ValueError(f"the {which} text's weights must be >= 0, and not all 0")
    return E, w
