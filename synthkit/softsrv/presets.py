"""The choices of SoftSRV by scale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from types import MappingProxyType

from ..core.arguments import as_count, as_number
from ..lm.finetune import PROMPT
from ..lm.prompt_tuning import SoftPromptPreset
from ..teacher.templates import read_templates
from .filters import DROPPED, check_choices


@dataclass(frozen=True)
class SoftSRVPreset:
    """The choices of SoftSRV, with the paper's symbol where it has one.

    Attributes:
        kind: of P: "ssnp", "ssmp" or "ssmc".
        length: t, soft vectors in a prompt. k: basis prompts of "ssmp". hidden: of "ssmc".
        context, dim: E and d_e, see `synthkit.lm.contexts.Context`.
        steps, batch_size, decay_from, eval_every, patience, clip, accumulation, recomputing: see
            `SoftPromptPreset`; the last two save memory.
        lr_ssnp, lr_ssmp, lr_ssmc: the learning rate of each kind; lr: one for whatever kind.
        lr_constant: of what of "ssmc" no context changes, see `SoftPromptPreset`; with SmolLM2 the
            rate of "ssnp" does well there.
        held_out_share: of the real texts, kept out of training to stop it in time.
        temperature, max_new_tokens: of sampling, over the whole vocabulary.
        min_words, near_copy, drop: of the filter, see `synthkit.softsrv.filters.Filter`.
        max_rounds: how often a rejected text is drawn anew.
        answer_prompt: how a question is put to a teacher.

    The preset "paper" holds what is known of arXiv 2410.16534, from the public record of its
    reviews: t = 128, 20,000 steps at 5e-6, and k = 2 for "ssmp", one of its three kinds. `context`
    differs: the paper averages the embeddings of a small model of its own, which can be given as
    `encoder=` with `context="encoder"`. Batch, schedule, temperature and filters are not known.
    A batch passes in 16 parts, so that 24 GiB hold it with a model of seven billion weights.
    """

    kind: str = "ssmc"
    length: int = 8
    k: int = 8
    hidden: int = 64
    context: str = "input_mean"
    dim: int | None = None
    steps: int = 400
    batch_size: int = 32
    lr: float | None = None
    lr_ssnp: float = 2e-2
    lr_ssmp: float = 2e-2
    lr_ssmc: float = 2e-3
    lr_constant: float | None = None
    decay_from: float = 0.5
    eval_every: int = 50
    patience: int | None = 4
    clip: float = 1.0
    accumulation: int = 1
    recomputing: bool = False
    held_out_share: float = 0.15
    temperature: float = 1.0
    max_new_tokens: int = 128
    min_words: int = 1
    near_copy: str = "own"
    drop: tuple[str, ...] = DROPPED
    max_rounds: int = 8
    answer_prompt: str = PROMPT

    def __post_init__(self):
        if isinstance(self.drop, Collection) and not isinstance(self.drop, str):
            object.__setattr__(self, "drop", tuple(self.drop))
        check_preset(self)

    def training(self) -> SoftPromptPreset:
        """The part that trains the prompt."""
        known = [each.name for each in fields(SoftPromptPreset) if each.name != "lr"]
        names = [name for name in known if hasattr(self, name)]
        lr = getattr(self, f"lr_{self.kind}") if self.lr is None else self.lr
        return SoftPromptPreset(**{name: getattr(self, name) for name in names}, lr=lr)


def check_preset(preset: SoftSRVPreset) -> None:
    """Raise ValueError, naming the field, when a value is impossible."""
    if preset.kind not in ("ssnp", "ssmp", "ssmc"):
        raise ValueError(f"kind must be ssnp, ssmp or ssmc, got {preset.kind!r}")
    for name in ("length", "k", "hidden", "batch_size", "max_new_tokens", "max_rounds"):
        as_count(getattr(preset, name), name)
    if not 0 <= preset.held_out_share < 1:
        raise ValueError(f"held_out_share must lie in [0, 1), got {preset.held_out_share}")
    as_number(preset.temperature, "temperature")
    read_templates({"answer_prompt": preset.answer_prompt}, {"answer_prompt": ("question",)})
    check_choices(preset.min_words, preset.near_copy, preset.drop)
    preset.training()  # checks the rest


PRESETS = MappingProxyType({
    "fast": SoftSRVPreset(steps=90, batch_size=16, lr_ssmc=5e-3, eval_every=30, patience=None),
    "study": SoftSRVPreset(),
    "paper": SoftSRVPreset(
        kind="ssmp", k=2, length=128, steps=20_000, lr=5e-6, decay_from=1.0, eval_every=1000,
        patience=None, held_out_share=0.0, accumulation=16,
    ),
})  # fmt: skip
