"""The preset "auto": sizes and steps that follow from the table, which needs no options.

The price beta' and the state that a training keeps follow from rows that are set aside, see
`pricing`. What is set here follows from the numbers of rows and columns alone, and not from a
clock, so that a seed gives the same rows on every machine.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from .presets import PARTS, PRESETS, DiffLMPreset

PLACE_SECONDS = 26e-6  # of one core, for one token of one row in one step of a training
LATENT_SECONDS = 20e-6  # for one latent in one step of the diffusion
FEW_ROWS, COARSE = 1000, 100  # with fewer rows a number is one token, of so many levels
NUMBERS_A_COLUMN, LEAST, MOST = 4, 16, 64  # of a latent


def before_reading(preset: DiffLMPreset, n: int) -> DiffLMPreset:
    """The preset for a table of `n` rows: numbers of a small one are told by coarser ranks."""
    if preset.seconds is None or n >= FEW_ROWS or preset.ranks != PRESETS["auto"].ranks:
        return preset
    return replace(preset, ranks=COARSE)


def after_reading(preset: DiffLMPreset, codec, *, lm: Any = None) -> DiffLMPreset:
    """The preset for rows of a codec: width of the latent, and the steps that `seconds` allow.

    A language model may be of any speed, so that its texts are learned with the parts of "fast".
    """
    if preset.seconds is None:
        return preset
    if lm is not None:
        return _unless_changed(
            preset, {part: asdict(getattr(PRESETS["fast"], part)) for part in PARTS}
        )
    latent = min(MOST, max(LEAST, NUMBERS_A_COLUMN * len(codec.fields)))
    share = min(1.0, preset.seconds / seconds(preset, codec))
    fewer = {part: {"steps": max(1, int(share * getattr(preset, part).steps))} for part in PARTS}
    fewer["autoencoder"]["latent"] = latent
    return _unless_changed(preset, fewer)


def seconds(preset: DiffLMPreset, codec) -> float:
    """CPU-seconds, roughly, of a fit without a language model to rows of a codec."""
    form, coder, diffusion = preset.format, preset.autoencoder, preset.diffusion
    places = form.steps * form.batch_size * (codec.length + 1 + form.hints / 2)
    places += coder.steps * coder.batch_size * (codec.length + 1 + coder.tokens)
    return places * PLACE_SECONDS + diffusion.steps * diffusion.batch_size * LATENT_SECONDS


def _unless_changed(preset: DiffLMPreset, values: dict[str, dict[str, Any]]) -> DiffLMPreset:
    """The preset with other values in its parts, but where it differs from "auto" already."""
    auto, parts = PRESETS["auto"], {}
    for part, wanted in values.items():
        own, usual = getattr(preset, part), getattr(auto, part)
        free = {k: v for k, v in wanted.items() if getattr(own, k) == getattr(usual, k)}
        parts[part] = replace(own, **free)
    return replace(preset, **parts)
