"""Embeddings that know the order of numbers: neighbouring digits begin alike.

In rows whose columns were shuffled, and in numbers written by rank, nothing tells a model that 41
lies next to 42. With embeddings that begin as smooth curves along the digits of a place, what is
learned of one digit holds for its neighbours: a latent soon says where a number lies, and where it
errs, it errs by little.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .values import is_number

FALLING = 0.1  # what a place of a number counts in the losses, as a share of the one before it
WAVES = 6  # cosines that a curve is made of, of half a period to three
SHARED, OWN = 0.3, 0.1  # how far a place lies from the origin, and a digit from its curve


@torch.no_grad()
def order_tokens(weight: Tensor, codec, seed: int) -> None:
    """Replace the embeddings (V, H) of a `RowCodec`'s digits, in place, by points on curves.

    The values of a category that are numbers are digits, too. The spread stays that of `weight`.
    Tokens of words, of signs and of missing values keep theirs.
    """
    generator = torch.Generator().manual_seed(seed)
    spread, width = float(weight.std()), weight.shape[1]
    waves = torch.arange(1, WAVES + 1)

    def normal(rows: int) -> Tensor:
        return torch.randn(rows, width, generator=generator)

    for field in codec.fields:
        if not all(map(is_number, getattr(field.column, "values", ()))):
            continue
        column = field.column
        most = max(abs(end - column.origin) for end in (column.low_code, column.high_code))
        for place, first in enumerate(field.zeros.tolist()):
            used = min(field.base, most // field.base ** (field.places - 1 - place) + 1)
            along = (torch.arange(used) + 0.5) / used  # the whole curve is for digits in use
            curves = torch.cos(torch.pi * waves * along[:, None]) / waves.sqrt()  # (used, waves)
            points = curves @ normal(WAVES) + SHARED * normal(1)
            points = points / points.std() + OWN * normal(used)
            weight[first : first + used] = (spread * points).to(weight)
