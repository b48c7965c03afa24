"""Work that each method gives a model, at a preset's sizes, as far as memory goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..lm.memory import Sampling, Training, Work
from ..lm.shapes import Shape
from .registry import NAMES

BATCH = 64  # rows that `LM.generate` takes at a time
QUERIES = 100  # rows whose influence is asked for
STUDENTS = ("embedsdg", "softsrv")  # methods whose rows train a student
ENCODER = 110e6  # weights of BERT base, DiffLM's encoder
ENCODED = 12 * 67 * 768  # bytes a token that it keeps: 12 blocks, 16 floats and masks a width


@dataclass(frozen=True)
class Part:
    """One part of a method: its name, such as "fit", and its work."""

    method: str
    name: str
    work: Work


def parts(
    method: str, shape: Shape, preset: Any = "paper", length: int = 512, student: Any = None
) -> list[Part]:
    """The parts of a method that use the model, at a preset's sizes.

    Args:
        preset: of the method, or its name.
        length: tokens of a row, question and answer together.
        student: a `FinetunePreset`, instead of the one of the preset's name; a preset without a
            name has no student otherwise.

    Raises:
        ValueError: no such method or preset.
    """
    if method not in NAMES:
        raise ValueError(f"no method is called {method!r}; there is {', '.join(NAMES)}")
    found = list(_PARTS[method](shape, preset, length))
    if method in STUDENTS and (student is not None or isinstance(preset, str)):
        found.append(_student(preset if student is None else student, length))
    return [Part(method, name, work) for name, work in found]


def _student(preset: Any, length: int) -> tuple[str, Work]:
    from ..lm.finetune import PRESETS

    chosen = _chosen(PRESETS, preset)
    return "student", Training(
        chosen.batch_size, length, chosen.rank, autocast=True, accumulation=chosen.accumulation,
        recomputing=chosen.recomputing,
    )  # fmt: skip


def _embedsdg(shape: Shape, preset: Any, length: int) -> Iterator[tuple[str, Work]]:
    """Attention over each question; then a sketch behind four examples, each of them twice."""
    from ..embedsdg.presets import PRESETS
    from ..lm.attention import _CELLS

    _chosen(PRESETS, preset)
    rows = max(1, min(32, _CELLS // (shape.heads * length**2)))
    yield "fit", Sampling(rows, length, 0, shown=True)
    yield "sample", Sampling(BATCH, 4 * length, length + length // 4 + 8)


def _softsrv(shape: Shape, preset: Any, length: int) -> Iterator[tuple[str, Work]]:
    from ..lm.soft_prompts import SoftPrompt
    from ..softsrv.presets import PRESETS

    chosen, width = _chosen(PRESETS, preset), shape.hidden
    sizes = {"k": chosen.k, "hidden": chosen.hidden}
    prompt = SoftPrompt(chosen.kind, chosen.length, width, chosen.dim or width, **sizes)
    yield "fit", Training(
        chosen.batch_size, chosen.length + length, others=prompt.parameter_count,
        accumulation=chosen.accumulation, recomputing=chosen.recomputing,
    )  # fmt: skip
    yield "sample", Sampling(BATCH, chosen.length + 1, chosen.max_new_tokens)


def _spa(shape: Shape, preset: Any, length: int) -> Iterator[tuple[str, Work]]:
    """The adapters one after another; influence between; then all adapters in one batch."""
    from ..spa.presets import PRESETS

    chosen = _chosen(PRESETS, preset)
    yield "fit", Training(
        chosen.batch_size, length, chosen.rank, accumulation=chosen.accumulation,
        recomputing=chosen.recomputing,
    )  # fmt: skip
    short = shape.layers * 14 * chosen.rank * (chosen.project or 0)  # two sides of seven matrices
    yield "influence", Training(
        chosen.block_size, length, chosen.rank, captured=True, gradient=short or None,
        vectors=3 * QUERIES,
    )  # fmt: skip
    yield (
        "sample",
        Sampling(BATCH, length, chosen.max_new_tokens, chosen.rank, adapters=chosen.n_parts + 1),
    )


def _synalign(shape: Shape, preset: Any, length: int) -> Iterator[tuple[str, Work]]:
    """The model writes as a teacher does: in `fit` records of texts, in `sample` texts."""
    from ..synalign.presets import PRESETS

    chosen = _chosen(PRESETS, preset)
    yield "fit and sample", Sampling(BATCH, 2 * length, chosen.max_new_tokens)


def _difflm(shape: Shape, preset: Any, length: int) -> Iterator[tuple[str, Work]]:
    """Autoencoder and diffusion beside the frozen model; then rows from latents."""
    from ..difflm.presets import PRESETS

    chosen = _chosen(PRESETS, preset)
    own, net = chosen.autoencoder, chosen.diffusion
    injector = own.latent * own.tokens * shape.hidden
    yield "fit", Training(
        own.batch_size, own.tokens + length, others=int(injector + ENCODER), whole=True,
        besides=ENCODED, accumulation=own.accumulation,
        recomputing=own.recomputing,
    )  # fmt: skip
    wide = 2 * net.hidden
    denoiser = 2 * own.latent * net.hidden + net.blocks * (2 * net.hidden * wide + wide**2 // 4)
    states = 4 * denoiser * (5 + (net.ema > 0)) + 40 * net.batch_size * net.hidden * net.blocks
    yield "diffusion", Sampling(1, 0, 0, besides=states + 4 * (injector + ENCODER))
    latents = 4 * (denoiser + injector + ENCODER)
    yield "sample", Sampling(chosen.batch, own.tokens + 1, length, besides=latents)


def _chosen(presets: Any, name: Any) -> Any:
    if not isinstance(name, str):
        return name
    if name not in presets:
        raise ValueError(f"no preset {name!r}; choose one of {', '.join(presets)}")
    return presets[name]


_PARTS = {
    "embedsdg": _embedsdg, "softsrv": _softsrv, "spa": _spa, "synalign": _synalign,
    "difflm": _difflm,
}  # fmt: skip
