"""Gradients that come a block of rows at a time: which rows share a block, and what may be held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..datasets import rows_of
from ..lm.finetune import as_prompt_and_completion
from ..lm.rows import batches, token_counts

Pair = tuple[str, str]  # what is given, what must be written
Factors = dict[str, tuple[Tensor, Tensor]]  # by matrix: a (b, m, d_in) and delta (b, m, d_out)
Blocks = dict[str, Tensor]  # by matrix l: (n, P_l), one flat gradient a row


def as_pairs(rows) -> list[Pair]:
    """Prompt and completion of each row of a table (see `synthkit.datasets.rows_of`), or pairs.

    Raises:
        TypeError: it is no table.
        ValueError: no rows, no columns that can be used, or a text that is missing.
    """
    if isinstance(rows, list) and rows and isinstance(rows[0], tuple):
        return rows
    rows = rows_of(rows)
    if not len(rows):
        raise ValueError("there are no rows: give at least one")
    return [as_prompt_and_completion(row, i) for i, row in enumerate(rows)]


def plan_blocks(lm, pairs: Sequence[Pair], block_size: int) -> list[list[int]]:
    """Group the rows into blocks of like length; ValueError for a row that exceeds the context."""
    sizes = token_counts(lm, pairs, marks=True)
    for i, size in enumerate(sizes):
        lm.check_length(size, f"row {i}")
    return list(batches(sizes, block_size))


@dataclass(frozen=True)
class Stored:
    """Gradients that are in memory already, walked as a stream: in one block, or by a plan."""

    blocks: Blocks
    plan: Sequence[Sequence[int]] = ()

    def __len__(self) -> int:
        return len(next(iter(self.blocks.values())))

    def __iter__(self) -> Iterator[tuple[list[int], Blocks]]:
        if not self.plan:
            yield list(range(len(self))), self.blocks
        for rows in map(list, self.plan):
            yield rows, {name: block[rows] for name, block in self.blocks.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """P_l, how many numbers a gradient has in each block."""
        return {name: block.shape[1] for name, block in self.blocks.items()}

    def only(self, names: Iterable[str]) -> Stored:
        """The same gradients on these matrices alone."""
        return Stored({name: self.blocks[name] for name in names})


def held(stream, memory: int):
    """The stream, with its gradients kept where they take at most `memory` bytes."""
    fits = 4 * len(stream) * sum(stream.sizes.values()) <= memory
    return Stored(stack(stream), stream.plan) if fits else stream


def stack(stream) -> Blocks:
    """All gradients of a stream in the order of its rows: 4 n P bytes."""
    stacked: Blocks = {}
    for indices, blocks in stream:
        for name, block in blocks.items():
            if name not in stacked:
                stacked[name] = block.new_empty(len(stream), block.shape[1])
            stacked[name][indices] = block
    return stacked


def joined(calls: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """One a and one delta, from the one call of a matrix (or several, if layers share it)."""
    a, delta = (torch.cat(side, 1).float() for side in zip(*calls))
    return a, delta


def check_reached(sides: Mapping[str, Sequence[tuple[Tensor, Tensor | None]]]) -> None:
    """Raise RuntimeError when a matrix was not called, or no gradient has come to it."""
    lost = [name for name, each in sides.items() if not each or any(d is None for _, d in each)]
    if lost:
        raise RuntimeError(
            f"no gradient reaches {len(lost)} of {len(sides)} LoRA matrices, such as {lost[0]}: "
            "a layer after them is not differentiable, or they are not used; load the model again "
            "with synthkit.load_lm, and take influence before anything replaces its layers"
        )


def lengths(blocks: Blocks) -> Tensor:
    """The length (n,) of each whole gradient, all matrices together."""
    each = [torch.linalg.vector_norm(block, dim=1) for block in blocks.values()]
    return torch.linalg.vector_norm(torch.stack(each), dim=0)


def check_gradients(blocks: Blocks, rows: Sequence[int]) -> Blocks:
    """The same `blocks`; FloatingPointError names a row whose gradient is zero or not finite."""
    norms = lengths(blocks)
    for wrong, what in ((~torch.isfinite(norms), "is not finite"), (norms == 0, "is zero")):
        if wrong.any():
            row = rows[int(wrong.nonzero()[0, 0])]
            raise FloatingPointError(
                f"the gradient of row {row} {what} on the LoRA matrices asked for; check that the "
                "adapter is trained, and that the model came from synthkit.load_lm (4-bit layers "
                "can lose gradients)"
            )
    return blocks


def group_blocks(sizes: Mapping[str, int], n: int, memory: int) -> list[list[str]]:
    """Matrices in groups, the n float32 gradients of each group within `memory` bytes."""
    groups: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if (need := 4 * n * size) > memory:
            raise ValueError(
                f"{n:,} gradients on {name} take {need:,} bytes, and memory={memory:,}; allow "
                "more, or set project, which leaves a few numbers of each gradient"
            )
        if need > room:
            groups.append([])
            room = memory
        groups[-1].append(name)
        room -= need
    return groups


def random_maps(matrices: Mapping[str, nn.Linear], k: int, seed: int) -> dict[str, Tensor]:
    """For each matrix whose longer side d exceeds k, a Gaussian map (d, k) / sqrt(k) of it."""
    if k < 1:
        raise ValueError(f"project is how many numbers are left, at least 1; found {k}")
    generator, maps = torch.Generator().manual_seed(seed), {}
    for name, matrix in matrices.items():
        if (longer := max(matrix.weight.shape)) > k:
            drawn = torch.randn(longer, k, generator=generator) / k**0.5
            maps[name] = drawn.to(matrix.weight.device)
    return maps


def project_factors(factors: Factors, maps: Mapping[str, Tensor]) -> Factors:
    """The factors with their longer sides mapped, as in LoGra: no full gradient is formed."""
    mapped = dict(factors)
    for name, each in maps.items():
        a, delta = factors[name]
        a_is_longer = a.shape[2] >= delta.shape[2]
        mapped[name] = (a @ each, delta) if a_is_longer else (a, delta @ each)
    return mapped
