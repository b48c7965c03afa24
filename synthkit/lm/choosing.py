"""Choice of the next token: the best one, or one drawn from the best ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

_SHORTLIST = 512  # the tokens that are ranked first; the rest is seldom needed
CELLS = 2**16  # scores that a CPU draws from at once: more would leave its cache


@dataclass(frozen=True)
class Sampling:
    """Rule by which the next token is chosen.

    `temperature=0` takes the most probable token. Otherwise logits are divided by `temperature`,
    the `top_k` best are kept (0 keeps all), then the smallest set of tokens that holds `top_p` of
    the probability, and one is drawn. Row i draws from its own generator, seeded by (seed, i).
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

    def __post_init__(self):
        if not (np.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"temperature must be finite and >= 0, found {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must lie in (0, 1], found {self.top_p}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be >= 0 (0 = untruncated), found {self.top_k}")

    def noise(self, row: int, steps: int) -> np.ndarray:
        """(steps,) uniform numbers in [0, 1) for row `row`, the same whatever the batch."""
        return np.random.default_rng((self.seed, row)).random(steps)


def uniform(numbers: np.ndarray, device: torch.device) -> Tensor:
    """Numbers (b,) on a device, as float32 on one that knows no float64."""
    numbers = numbers.astype(np.float32) if device.type == "mps" else numbers
    return torch.as_tensor(numbers, device=device)


def choose(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Next tokens (b,) from `logits` (b, V) and one uniform number a row (b,)."""
    if sampling.temperature == 0:
        return logits.argmax(-1)
    rows = max(1, CELLS // logits.shape[-1]) if logits.is_cpu else len(logits)
    parts = zip(logits.split(rows), uniform.split(rows))
    return torch.cat([_draw(some, numbers, sampling) for some, numbers in parts])


def _draw(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    scores = logits.float() / sampling.temperature
    if not sampling.top_k and sampling.top_p == 1:
        return _inverse_cdf(scores.softmax(-1, dtype=torch.float64), uniform)
    probabilities, order = _ranked(scores, sampling)
    if sampling.top_p < 1:
        before = probabilities.cumsum(-1) - probabilities  # mass of the better tokens
        probabilities = probabilities.masked_fill(before >= sampling.top_p, 0)
    return order.gather(-1, _inverse_cdf(probabilities, uniform)[:, None])[:, 0]


def _ranked(scores: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Probabilities (b, k), best first, of all tokens that may be drawn, and those tokens (b, k).

    Of equal scores the lower token comes first.
    """
    size = max(_SHORTLIST, 2 * sampling.top_k)
    if size < scores.shape[-1]:
        tokens = scores.topk(size, sorted=False).indices.sort(-1).values
        best, places = scores.gather(-1, tokens).sort(dim=-1, descending=True, stable=True)
        inside = best > best[:, -1:]  # tokens outside may be equal to the last one
        if sampling.top_k:
            enough = inside[:, sampling.top_k - 1]
            probabilities = best[:, : sampling.top_k].softmax(-1, dtype=torch.float64)
        else:
            probabilities = (best.double() - scores.double().logsumexp(-1, keepdim=True)).exp()
            enough = (probabilities * inside).sum(-1) >= sampling.top_p
        if enough.all():
            return probabilities, tokens.gather(-1, places)[:, : probabilities.shape[-1]]
    best, order = scores.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        best, order = best[:, : sampling.top_k], order[:, : sampling.top_k]
    return best.softmax(-1, dtype=torch.float64), order


def _inverse_cdf(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Index (b,) at which the running sum of (b, V) passes `uniform` (b,) of its total."""
    running = probabilities.cumsum(-1)
    target = uniform[:, None].to(running) * running[:, -1:]
    last = probabilities.shape[-1] - 1
    return torch.searchsorted(running, target, right=True)[:, 0].clamp(max=last)
