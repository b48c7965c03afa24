"""Rows of tokens on their way into a model: checked, sorted into batches, padded, embedded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..datasets.containers import texts_of

if TYPE_CHECKING:
    from .model import LM

IGNORED = -100  # a label that carries no loss


# --- checks --------------------------------------------------------------------------------------


def check_texts(texts: Any) -> list[str]:
    """`texts` as a list: a list, a column, or a table (see `synthkit.datasets.texts_of`).

    Raises:
        TypeError: `texts` is one string, or holds something that is no string.
    """
    return texts_of(texts, least=0)


def check_finite(values: Tensor, what: str) -> None:
    """Raise ValueError, naming `what`, when a value is NaN or infinite."""
    if not torch.isfinite(values).all():
        raise ValueError(f"{what} holds NaN or infinite values; check what made it")


def check_embeds(rows: Sequence[Tensor] | Tensor, width: int) -> list[Tensor]:
    """`inputs_embeds` as a list of finite, non-empty (m_i, width) tensors, or ValueError."""
    rows = list(rows)
    for i, row in enumerate(rows):
        if row.dim() != 2 or row.shape[1] != width:
            raise ValueError(
                f"inputs_embeds[{i}] must be (m, {width}), found {tuple(row.shape)}; give a list "
                f"of (m, {width}) tensors or one (B, m, {width}) tensor"
            )
        if len(row) == 0:
            raise ValueError(f"inputs_embeds[{i}] is empty; drop it first")
        check_finite(row, f"inputs_embeds[{i}]")
    return rows


def check_prefix(prefix: Tensor, n: int, width: int) -> Tensor:
    """`prefix_embeds` for `n` rows as (1 or n, t, width), or ValueError."""
    shape = tuple(prefix.shape)
    if prefix.dim() == 2:
        prefix = prefix[None]
    if prefix.dim() != 3 or prefix.shape[-1] != width or len(prefix) not in (1, n):
        raise ValueError(f"prefix_embeds must be (t, {width}) or ({n}, t, {width}), found {shape}")
    check_finite(prefix, "prefix_embeds")
    return prefix


def check_contexts(prompt: nn.Module, z: Any, n: int | None = None) -> Tensor:
    """`z` as a finite float32 tensor (n, d) where the prompt's weights are; its graph is kept.

    Raises:
        ValueError: another shape, NaN or infinite values, or not `n` rows.
    """
    z = torch.as_tensor(z, dtype=torch.float32)
    if z.dim() != 2 or not len(z):
        raise ValueError(f"contexts must be (n, d) with n >= 1, found {tuple(z.shape)}")
    if n is not None and len(z) != n:
        raise ValueError(f"{n} texts but {len(z)} contexts; give one each")
    if not torch.isfinite(z).all():
        raise ValueError("the contexts hold NaN or infinite values; check what made them")
    return z.to(next(prompt.parameters(), z).device)


def token_counts(
    lm: LM, rows: Sequence[str | tuple[str, str]], *, marks: bool = False
) -> list[int]:
    """Tokens of each row, a text or a prompt and its completion; `marks` adds BOS and EOS."""
    extra = marks * ((lm.bos_id is not None) + (lm.eos_id is not None))
    sides = zip(*([row] if isinstance(row, str) else row for row in rows))
    counts = [map(len, lm.token_ids(side)) for side in sides]
    return [sum(each) + extra for each in zip(*counts)]


# --- batches -------------------------------------------------------------------------------------


def batches(
    lengths: Sequence[int],
    batch_size: int,
    cost: Callable[[int], float] = lambda m: 0,
    budget: float = math.inf,
) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first; a batch's rows x cost fits `budget`."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    while order:
        each = cost(lengths[order[0]])
        size = batch_size if each == 0 else max(1, min(batch_size, int(budget // each)))
        yield order[:size]
        order = order[size:]


def right_pad(
    rows: Sequence[Sequence[int]], *, filler: int = 0, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Token ids (b, m) padded on the right, and their mask (b, m).

    Any token may be the `filler`: the mask hides it.
    """
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(longest) < lengths[:, None]).long()
    return ids.to(device), mask.to(device)


def scored_batch(
    model: nn.Module,
    rows: Sequence[Sequence[int]],
    starts: Sequence[int],
    prefix: Tensor,
    *,
    filler: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings (b, t + m, N), labels and mask (b, t + m) of rows with loss from `starts` on.

    Args:
        model: gives the embedding table.
        rows: token ids, (m_i,) each.
        starts: where in each row the loss begins.
        prefix: (1 or b, t, N), in front of every row; gradients flow into it.
        filler: the token that pads.
    """
    table = model.get_input_embeddings()
    t = prefix.shape[1]
    ids, mask = right_pad(rows, filler=filler, device=table.weight.device)
    places = torch.arange(ids.shape[1], device=ids.device)
    first = torch.tensor(starts, device=ids.device)
    silent = (places < first[:, None]) | (mask == 0)
    labels = ids.masked_fill(silent, IGNORED)
    embeds = table(ids)
    front = prefix.expand(len(rows), -1, -1).to(embeds)
    return (
        torch.cat([front, embeds], 1),
        torch.cat([labels.new_full((len(rows), t), IGNORED), labels], 1),
        torch.cat([mask.new_ones(len(rows), t), mask], 1),
    )


class PromptRows:
    """The rows to continue, [prefix][tokens][given embeddings], each embedded when its batch comes.

    Args:
        ids: token ids of each row.
        given: input embeddings (m_i, N) after the tokens, or None.
        prefix: (1 or n, t, N) in front.
        embed: from token ids to their embeddings (m, N).
    """

    def __init__(
        self,
        ids: Sequence[Sequence[int]],
        given: Sequence[Tensor] | None,
        prefix: Tensor,
        embed: Callable[[Sequence[int]], Tensor],
    ):
        self.ids, self.given, self.prefix, self.embed = ids, given, prefix, embed

    def lengths(self) -> list[int]:
        """Positions that each row takes."""
        given = map(len, self.given) if self.given is not None else [0] * len(self.ids)
        return [self.prefix.shape[1] + len(ids) + m for ids, m in zip(self.ids, given)]

    def shared(self) -> int:
        """Positions that all rows begin with alike; each row has at least one more."""
        if len(self.prefix) > 1:
            return 0
        low, high = min(self.ids), max(self.ids)  # all others begin as these two do
        alike = next((j for j, (a, b) in enumerate(zip(low, high)) if a != b), len(low))
        return min(self.prefix.shape[1] + alike, min(self.lengths()) - 1)

    def embeds(self, i: int) -> Tensor:
        """(m_i, N) on the model's device, in its type."""
        tokens = self.embed(self.ids[i])
        parts = [self.prefix[i if len(self.prefix) > 1 else 0], tokens]
        if self.given is not None:
            parts.append(self.given[i])
        return torch.cat([part.to(tokens) for part in parts])

    def last_id(self, i: int) -> int | None:
        """The token a text prompt ends with, if there is one."""
        return self.ids[i][-1] if self.given is None and self.ids[i] else None
