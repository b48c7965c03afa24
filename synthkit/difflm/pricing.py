"""The price beta' by what latents tell: it rises while rows set aside show every column told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .part_presets import AutoencoderPreset

if TYPE_CHECKING:
    from torch import Tensor

SURE = 0.2  # nats: a column that costs less is as good as known
UNTOLD = 0.9  # the share above which a column counts as not told


def beta_told(preset: AutoencoderPreset, looks: Sequence[float]) -> float:
    """beta' after looks at the least told share: from `floor` up at each below a quarter, to `beta`
    at most, and down again by `factor` at each above a half."""
    beta = preset.floor
    for share in looks:
        if share > 1 / 2:
            beta = max(preset.floor, preset.factor * beta)
        elif share < 1 / 4:
            beta = min(preset.beta, beta / preset.factor)
    return beta


def told_costs(model: Any, ids: Tensor) -> tuple[float, float]:
    """Cost of rows ids (n, m), weighed as the loss is, in nats per row; and the least told share.

    The share is what the column that the latents tell least, or a whole text, costs, over what it
    costs with another row's latent: 1 is not told at all. 0 where no column costs much.
    """
    if model.ends:
        report = model.collapse(ids)
        return report.true, report.true / report.permuted
    costs = model.column_nats(ids, weighed=True)
    shares = told_shares(costs).values()
    return sum(own for own, _ in costs.values()), max(shares, default=0.0)


def told_shares(costs: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """By column, its cost with its own row's latent over that with another's, where that is much.

    Args:
        costs: by column, in nats, from `Autoencoder.column_nats`.
    """
    return {name: own / another for name, (own, another) in costs.items() if another > SURE}


def untold(costs: Mapping[str, tuple[float, float]]) -> list[str]:
    """Columns that hardly cost less with their own row's latent than with another row's."""
    return [name for name, share in told_shares(costs).items() if share > UNTOLD]
