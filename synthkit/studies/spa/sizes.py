"""Sizes of SPA with a real model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...core.presets import choose_preset
from ...spa.presets import PRESETS as METHOD_PRESETS
from ...spa.presets import SPAPreset
from ..real import RealPreset
from .experiment import INFLUENCE, RANDOM

WORLD = "code-world"  # as data: see `programs`


@dataclass(frozen=True)
class SPAReal(RealPreset):
    """Sizes of SPA on real rows: `n_stop` rows are the queries, `n_sample` prompts are answered.

    Attributes:
        rules: ways to cut the rows, of `real.RULES`.
    """

    rules: tuple[str, ...] = (INFLUENCE, RANDOM)

    steps: ClassVar[tuple[str, ...]] = ("n_parts", "reference_updates", "part_updates", "min_size")

    def resolved(self) -> SPAPreset:
        changes = {"max_new_tokens": self.max_new_tokens, "on_small": "fill", **self.changes}
        return choose_preset(self.method, METHOD_PRESETS, changes, "SPA")
