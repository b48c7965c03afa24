"""EK-FAC on LoRA matrices: the Fisher matrix as a Kronecker product, its eigenvalues corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..lm.decoding import Sampling, choose, positions, supported
from ..lm.rows import IGNORED
from .streaming import Blocks, Factors, check_gradients

LABELS = ("sampled", "own")
Plan = Sequence[Sequence[int]]  # which rows share a block
FactorsOf = Callable[[Sequence[int]], tuple[Factors, Tensor]]  # those of rows, and the mask


def ekfac(
    queries: Blocks, stream: Any, c: float = 0.1, *, labels: str = "sampled", seed: int = 0
) -> Blocks:
    """H^-1 q of each query, in the form of the queries, by EK-FAC: two walks of the stream.

    For one matrix, with A = E[a a'] over tokens and D = E[delta delta'], the eigenvectors U_A and
    U_D, and Lambda = E[(U_D' G U_A)^2] over rows: r = U_D [(U_D' Q U_A) / (Lambda + lambda)] U_A',
    where lambda = c * mean(Lambda). The damping is kronfluence's.

    Args:
        queries: (q, P_l) by matrix. stream: a `GradientStream` without projection.
        labels: "sampled" from the model (by `seed` and row) for the Fisher matrix, or the row's
            "own" for the empirical one.

    Raises:
        ValueError: a projected stream, a bad option, or a matrix without gradients.

    Source: Grosse et al., arXiv 2308.03296, section 3; George et al., arXiv 1806.03884.
    """
    if getattr(stream, "maps", None):
        raise ValueError("EK-FAC needs whole gradients: leave project at None")
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {LABELS}, found {labels!r}")
    if not c > 0:
        raise ValueError(f"damping must be positive, found {c}")
    factors_of = stream.factors if labels == "own" else sampled_factors(stream, seed)
    bases = eigenbases(stream.plan, factors_of)
    spectra = corrected_eigenvalues(stream.plan, factors_of, bases)
    solved = {}
    for name, q in queries.items():
        mean = spectra[name].mean()
        if not mean > 0:
            raise ValueError(f"every gradient on {name} is zero: train the adapter first")
        out, into = bases[name]
        rotated = out.T @ q.view(len(q), *spectra[name].shape) @ into
        solved[name] = (out @ (rotated / (spectra[name] + c * mean)) @ into.T).flatten(1)
    return solved


def eigenbases(plan: Plan, factors_of: FactorsOf) -> dict[str, tuple[Tensor, Tensor]]:
    """(U_D, U_A) of each matrix: eigenvectors of sums over tokens, padding left out."""
    sums: dict[str, list[Tensor]] = {}
    for indices in plan:
        factors, mask = factors_of(indices)
        for name, (a, delta) in factors.items():
            a = a * mask[..., None].to(a)  # delta is zero at padding by itself
            parts = [side.flatten(0, 1).T @ side.flatten(0, 1) for side in (delta, a)]
            sums[name] = [x + y for x, y in zip(sums[name], parts)] if name in sums else parts
    return {
        name: tuple(torch.linalg.eigh(each.double())[1].to(each) for each in both)
        for name, both in sums.items()
    }


def corrected_eigenvalues(
    plan: Plan, factors_of: FactorsOf, bases: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, Tensor]:
    """Lambda (d_out, d_in) of each matrix: mean squares of rotated gradients."""
    found: dict[str, Tensor] = {}
    for indices in plan:
        factors, _ = factors_of(indices)
        blocks = {name: torch.bmm(d.transpose(1, 2), a) for name, (a, d) in factors.items()}
        check_gradients({name: g.flatten(1) for name, g in blocks.items()}, indices)
        for name, g in blocks.items():
            out, into = bases[name]
            part = (out.T @ g @ into).square().sum(0) / sum(map(len, plan))
            found[name] = found[name] + part if name in found else part
    return found


def sampled_factors(stream: Any, seed: int) -> FactorsOf:
    """From the indices of rows to their factors, with labels drawn from the model (once a row)."""
    drawn: dict[int, Tensor] = {}

    def factors_of(indices: Sequence[int]) -> tuple[Factors, Tensor]:
        if any(row not in drawn for row in indices):
            drawn.update(draw_labels(stream, indices, seed))

        def relabel(embeds: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
            fresh = labels.clone()
            for at, row in enumerate(indices):
                fresh[at, 1:][labels[at, 1:] != IGNORED] = drawn[row].to(fresh)
            return fresh

        return stream.factors(indices, relabel)

    return factors_of


@torch.no_grad()
def draw_labels(stream: Any, indices: Sequence[int], seed: int) -> dict[int, Tensor]:
    """For each row, by (seed, row), labels drawn from the model at the counted places."""
    lm, sampling = stream.lm, Sampling(temperature=1.0, seed=seed)
    prompts, completions = zip(*(stream.pairs[i] for i in indices))
    with lm.use_adapter(stream.adapter), lm.evaluating():
        embeds, labels, mask = lm.training_batch(completions, prompts=prompts)
        extra = supported(lm.model, position_ids=positions(mask), use_cache=False)
        logits = lm.model(inputs_embeds=embeds, attention_mask=mask, **extra).logits
    drawn = {}
    for at, row in enumerate(indices):
        places = (labels[at, 1:] != IGNORED).nonzero()[:, 0]
        uniform = torch.from_numpy(sampling.noise(row, len(places)))
        drawn[row] = choose(logits[at, places], uniform, sampling).cpu()
    return drawn
