"""Presets of DiffLM: its three parts, and the few choices that belong to none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from ..core.presets import check_kinds, choose_preset
from ..lm.schedule import check_positive
from .part_presets import (
    AUTOENCODERS,
    DIFFUSIONS,
    FORMATS,
    AutoencoderPreset,
    DiffusionPreset,
    FormatPreset,
)

PARTS = {"format": FormatPreset, "autoencoder": AutoencoderPreset, "diffusion": DiffusionPreset}


@dataclass(frozen=True)
class DiffLMPreset:
    """The choices of DiffLM: those of its three parts, and a few of its own.

    The defaults are the parts' own study presets, larger than the study preset of the whole.

    A model that reads text is given numbers as they are, not ranks; with ranks, `digits` matters to
    dates only.

    The preset "auto" needs no options: what suits a table follows from its size and from rows that
    are set aside, see `synthkit.difflm.automatic`. "fast" is for tests and lessons.

    The preset "paper" holds the released code of arXiv 2411.03250, in its parts as well; it needs
    a language model and a pretrained `encoder`. `max_tries` differs, which has no limit there. The
    released code draws freely and turns away what is no row, which is `sample(constrained=False)`;
    and it has no format model, whose preset of that name is the kit's own.
    """

    format: FormatPreset = FORMATS["study"]  # unused with a model
    autoencoder: AutoencoderPreset = AUTOENCODERS["study"]
    diffusion: DiffusionPreset = DIFFUSIONS["study"]
    digits: int | None = 4  # see `TableSchema.infer`, also for the next three
    max_categories: int = 1000
    few: int = 128
    ranks: int | None = 1000
    piece: int = 1  # decimal digits in a token, see `RowCodec`
    validation_share: float = 0.1  # of the data, kept out of training to stop it in time
    batch: int = 256  # rows that are decoded at a time
    max_tries: int = 20  # how often one row is drawn, the first time included
    temperature: float = 1.0  # of the sampling, where none is given
    seconds: float | None = None  # of one core, that a fit may take: see `automatic`; None: any

    def __post_init__(self):
        for name, kind in PARTS.items():
            if isinstance(value := getattr(self, name), Mapping):  # as JSON holds it
                object.__setattr__(self, name, kind(**value))
        for name in ("max_categories", "few", "piece", "batch", "max_tries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.ranks is not None and (not isinstance(self.ranks, int) or self.ranks < 2):
            raise ValueError(f"ranks must be 2 or more, or None for a grid; got {self.ranks!r}")
        check_positive("seconds", self.seconds)
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share must lie in [0, 1), got {self.validation_share}")


PRESETS = MappingProxyType({
    "fast": DiffLMPreset(
        replace(FORMATS["fast"], steps=500),
        replace(AUTOENCODERS["fast"], steps=400, eval_every=40),
        replace(DIFFUSIONS["fast"], steps=600),
    ),
    # In equal time a decoder twice as wide learns less: it takes four times as long a step. The
    # gradient of the diffusion is mostly noise: a narrow network on large batches learns more.
    "study": DiffLMPreset(
        replace(FORMATS["fast"], steps=2000, lr=4e-3, heads=2, hints=16),
        replace(AUTOENCODERS["fast"], steps=800, eval_every=50, batch_size=128, latent=64,
                tokens=16, beta=0.1),
        replace(DIFFUSIONS["study"], steps=3000, lr=4e-3, batch_size=2048, hidden=128,
                p_mean=-0.8, p_sd=1.0),
    ),
    "paper": DiffLMPreset(
        FORMATS["paper"], AUTOENCODERS["paper"], DIFFUSIONS["paper"], digits=None, batch=64,
        temperature=0.5,
    ),
    # Digits in order are learned in a fraction of the steps. Of the two tokens of a number the
    # second is hardly worth its price: what the latent leaves out, the diffusion need not learn.
    "auto": DiffLMPreset(
        replace(FORMATS["fast"], steps=1500, lr=4e-3, heads=2, ordered=True),
        replace(AUTOENCODERS["fast"], steps=600, eval_every=20, patience=None, batch_size=128,
                latent=32, tokens=8, beta=0.3, floor=0.02, falls="told", ordered=True),
        replace(DIFFUSIONS["study"], steps=1800, lr=3e-3, eval_every=100, batch_size=1024,
                hidden=128, ema=0.99),
        ranks=10_000, piece=2, seconds=180,
    ),
})  # fmt: skip


def with_changes(preset: str | DiffLMPreset, changes: Mapping[str, Any]) -> DiffLMPreset:
    """The preset with single values replaced, in its parts too.

    Args:
        preset: a name in `PRESETS`, or a preset.
        changes: by the preset's own names; by those of a part, behind the part's name where more
            than one part has them (`autoencoder_steps`, `diffusion_steps`; but `latent`); or a
            whole part, as a preset or as a mapping of changes.
    """
    own: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {name: {} for name in PARTS}
    for name, value in changes.items():
        if name in PARTS and isinstance(value, Mapping):
            inner[name].update(value)
        elif name in _names(DiffLMPreset):
            own[name] = value
        else:
            part, knob = _owner(name)
            inner[part][knob] = value
    base = choose_preset(preset, PRESETS, own, "DiffLM")
    for part, values in inner.items():
        if unknown := sorted(set(values) - _names(PARTS[part])):
            raise ValueError(f"DiffLM has no option {', '.join(unknown)} in {part}")
        check_kinds(PARTS[part], values)
    if "beta" in inner["autoencoder"]:
        floor = min(inner["autoencoder"]["beta"], base.autoencoder.floor)
        inner["autoencoder"].setdefault("floor", floor)
    return replace(base, **{p: replace(getattr(base, p), **v) for p, v in inner.items()})


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _owner(name: str) -> tuple[str, str]:
    """The part that an option belongs to, and its name there."""
    part, _, knob = name.partition("_")
    if part in PARTS and knob in _names(PARTS[part]):
        return part, knob
    owners = [each for each, kind in PARTS.items() if name in _names(kind)]
    if len(owners) == 1:
        return owners[0], name
    if owners:
        clear = [f"{each}_{name}" for each in owners]
        raise ValueError(f"{name} of which part? Say {', '.join(clear[:-1])} or {clear[-1]}")
    raise ValueError(
        f"DiffLM has no option {name}; its own are {', '.join(sorted(_names(DiffLMPreset)))}, and "
        f"those of its parts: {'_..., '.join(PARTS)}_..."
    )
