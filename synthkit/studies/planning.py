"""Plan of a method on real data before it runs: from its preset, its data and a model's config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..lm.memory import Training
from ..lm.shapes import Shape
from .model_work import Part, parts
from .plans import Plan
from .real import RealPreset, split_sizes
from .real_data import RealData
from .reproduction import Request, check_options, read, study_of
from .runner import chosen

CHARACTERS = 4  # in a token, about
NOTE = "Memory of a sampling is that of 64 rows at a time; with less, fewer are taken."


def plan_real(request: Request, seeds: Sequence[int] | None = None) -> Plan:
    """The plan of a request; no model is loaded, and of the paper's nothing is fetched.

    Args:
        seeds: default: those of the scale.

    Raises:
        ValueError: see `check_options`. Others: of `read` and of `shape_of`.
    """
    check_options(request)
    data, row, told = sizes(request)
    study, paper = study_of(request, data), request.module.PAPER
    _, preset = chosen(study, request.scale, request.limit)
    preset = replace(preset, n_train=split_sizes(len(data.rows), preset)[0])
    shape, note = shape_of(request), paper.note if request.scale == "paper" else ""
    assumed = [told, *([f"{note[0].upper()}{note[1:]}."] if note else []), NOTE]
    work = study.work(preset, min(row, preset.longest or row))
    memory = needs(request.method, preset, shape, preset.longest or round(row))
    bits, count = request.loaded_bits, len(preset.seeds if seeds is None else seeds)
    return Plan(work, request.model_name, shape, bits, count, assumed, memory)


def sizes(request: Request) -> tuple[RealData, float, str]:
    """The data, the tokens of a row, and a sentence on both; of the paper's set as it is known.

    Raises:
        Errors of `read`.
    """
    paper = request.module.PAPER
    if request.data is None:
        told = f"{paper.data} has {paper.rows} rows of about {paper.row_tokens} tokens; not read."
        return RealData(paper.data, [{}] * paper.rows, {}), paper.row_tokens, told
    data = read(request)
    texts = [data.text_of(row) for row in data.rows[:500]]
    row = sum(map(len, texts)) / len(texts) / CHARACTERS
    counted = f"at {CHARACTERS} characters per token"
    return data, row, f"{data.name} has {len(data.rows)} rows of about {row:.0f} tokens, {counted}."


def shape_of(request: Request) -> Shape:
    """The shape of a request's model by its config; the paper's is known.

    Raises:
        ConnectionError: the hub did not give the config. Others: see `read_config`, `Shape.of`.
    """
    from ..lm.loading import read_config

    paper = request.module.PAPER
    if request.model_name == paper.model:
        return paper.shape
    return Shape.of(read_config(request.model_name))


def needs(method: str, preset: RealPreset, shape: Shape, length: int) -> list[Part]:
    """The parts of a method that use the model, with the queries of influence that there are."""
    student: Any = getattr(preset, "student", None)
    found = []
    for part in parts(method, shape, preset.resolved(), length, student=student):
        if isinstance(part.work, Training) and part.work.captured:  # a gradient each, and two sums
            part = replace(part, work=replace(part.work, vectors=3 * preset.n_stop))
        found.append(part)
    return found
