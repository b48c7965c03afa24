"""A fit and a draw, step by step, without the class around them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.phases import Phases
from ..core.reports import Report
from . import steps
from .alignment import systematic_resample
from .picks import Plan
from .presets import SynAlignPreset
from .schemas import with_class
from .state import RealTexts, SynAlignFit, checked_rows

if TYPE_CHECKING:
    from datasets import Dataset


def fit_texts(
    material: tuple, validation: tuple | None, preset: SynAlignPreset, seed: int, *,
    encoder: Any, lm: Any, describe: Callable, phases: Phases, report: Report,
) -> SynAlignFit:  # fmt: skip
    """Embed the texts, pick demonstrations, and describe them.

    Args:
        material, validation: texts, classes, their column, schema, and demonstrations or None.
        encoder: what `load_embedder` takes. lm: the model that it may read.
        describe: from rows, `RealTexts`, schema and a file for answers to (rows kept, records,
            counts).
    """
    texts, labels, column, schema, chosen = material
    parts = steps.hold_out(len(texts), preset.held_out, labels, seed)
    if validation is not None:
        parts = np.arange(len(texts)), len(texts) + np.arange(len(validation[0]))
        texts, labels = texts + validation[0], labels and labels + validation[1]
    with_class(schema, column, labels)  # before anything is asked
    encoder, vectors = steps.embedded(texts, parts[0], encoder, lm)
    real = RealTexts(texts, labels, column, *parts, vectors)
    plan = _plan(real, chosen, preset, seed, report)
    kept, records, report.facts["described"] = phases.phase(
        "records",
        lambda: describe(plan.picks, real, schema, phases.running("records")),
        lambda made: {"records.json": json.dumps(made).encode()},
        lambda saved: json.loads(saved.read("records.json")),
    )
    width = steps.width_of(real, preset.bandwidth)
    return SynAlignFit(real, encoder, plan, schema, width, kept, records)


def _plan(
    real: RealTexts, chosen: list[int] | None, preset: SynAlignPreset, seed: int, report: Report
) -> Plan:
    """The demonstrations that were named, or picked ones."""
    if chosen is not None:
        return Plan(np.array(checked_rows(chosen, real)), {}, ())
    if preset.picks > (n := len(real.fit)):
        report.warn(
            f"{preset.picks} picks, but {n} real texts to pick from: each is a demonstration once"
        )
    return steps.demonstrations_of(real, preset, seed)


def draw(rows: Dataset, weights: np.ndarray, n: int, seed: int, report: Report) -> Dataset:
    """`n` rows by their weights; the report counts those drawn again.

    Equal steps through a pool whose classes take turns would meet one class alone: the rows are
    drawn from a random order, class by class, and given in the order of the pool.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    classes = np.array([str(label) for label in rows["label"]])[order]
    order = order[np.argsort(classes, kind="stable")]
    index = np.sort(order[systematic_resample(weights[order], n, seed)])
    report.facts["drawn again"] = n - len(np.unique(index))
    return rows.from_dict(rows[index.tolist()] | {"weight": weights[index].tolist()})
