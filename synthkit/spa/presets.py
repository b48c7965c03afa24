"""The choices of SPA at each scale."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from ..core.arguments import as_count
from ..lm.schedule import Schedule, check_positive
from .influence import METHODS
from .partition import RULES


@dataclass(frozen=True)
class SPAPreset:
    """The choices of SPA.

    Attributes:
        n_parts: K; "oracle" has as many parts as its factor has levels.
        partition: how the rows are cut, one of `synthkit.spa.partition.RULES`.
        rank, alpha, lr, batch_size: of every adapter, LoRA on all linear layers, AdamW.
        reference_updates, part_updates: of the adapter of all rows, and of each part's.
        decay_from, clip, accumulation, recomputing: see `synthkit.lm.schedule.Schedule`.
        save_every: updates between two states on file, where a checkpoint is asked for.
        method, damping, reduction, project, block_size: see `influence_scores`.
        normalisation, sign, query_rule, ties: see `make_partition`; sign -1 is a negative control.
        min_size, on_small: rows a part needs; "error", "fill" or "drop" if it has fewer.
        max_new_tokens: of an answer.
        max_tries: drafts per row that `sample` is asked for, at a temperature above 0.

    The preset "paper" holds what arXiv 2411.06722 states for code: a step learns from twenty rows,
    one at a time in memory. Four things differ: `method` is DataInf, where the paper inverts the
    Hessian by LiSSA, so `damping`, .001 there, is DataInf's own; gradients are projected
    (`project`), so that those of a model of seven billion weights fit a card of 24 GiB; the rate
    falls in a straight line (`decay_from`), where the paper warms up for 20 steps and follows a
    cosine; and LoRA sits on all linear layers, which the paper does not say. Not stated: the
    reference adapter's steps, the normalisation of scores, the least size of a part.
    """

    n_parts: int = 8
    partition: str = "influence"
    rank: int = 8
    alpha: float = 16.0
    lr: float = 3e-3
    batch_size: int = 20
    reference_updates: int = 150
    part_updates: int = 80
    decay_from: float = 0.5
    clip: float = 1.0
    accumulation: int = 1
    recomputing: bool = False
    save_every: int = 25
    method: str = "datainf"
    damping: float | None = None
    reduction: str = "mean"
    project: int | None = None
    block_size: int = 32
    normalisation: str = "z"
    sign: int = 1
    query_rule: str = "cover"
    ties: str = "error"
    min_size: int = 8
    on_small: str = "error"
    max_new_tokens: int = 96
    max_tries: int = 4

    def __post_init__(self):
        for name, known in CHOICES.items():
            if (found := getattr(self, name)) not in known:
                listed = ", ".join(map(str, known))
                raise ValueError(f"{name} must be one of {listed}; got {found!r}")
        for name in COUNTS:
            as_count(getattr(self, name), name)
        for name in ("alpha", "damping"):
            check_positive(name, getattr(self, name))
        self.schedule(self.part_updates)  # checks the rest

    def schedule(self, updates: int) -> Schedule:
        """The schedule of a training of that many updates."""
        same = {"lr": self.lr, "decay_from": self.decay_from, "clip": self.clip}
        same |= {"accumulation": self.accumulation, "recomputing": self.recomputing}
        return Schedule(updates, eval_every=self.save_every, patience=None, **same)


CHOICES = {
    "partition": RULES, "method": tuple(METHODS), "reduction": ("mean", "sum"),
    "normalisation": ("none", "z", "rank"), "sign": (1, -1), "query_rule": ("cover", "variance"),
    "ties": ("error", "random"), "on_small": ("error", "fill", "drop"),
}  # fmt: skip
COUNTS = (
    "n_parts", "rank", "batch_size", "block_size", "min_size", "max_new_tokens", "max_tries",
    "reference_updates", "part_updates",
)  # fmt: skip
PRESETS = MappingProxyType({
    "fast": SPAPreset(batch_size=16, reference_updates=50, part_updates=20, save_every=10),
    "study": SPAPreset(),
    "paper": SPAPreset(
        rank=16, alpha=16.0, lr=2e-4, accumulation=20, reference_updates=400, part_updates=400,
        decay_from=0.0, query_rule="variance", project=128, block_size=1, max_new_tokens=512,
    ),
})  # fmt: skip
