"""Baselines of SynAlign: prompts with the label only, and independent attributes."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...core.arguments import as_count
from ...synalign.attributes import write
from ...synalign.pool import as_rows
from ...synalign.schemas import REVIEWS
from ...teacher import as_teacher
from ...teacher.base import TeacherError
from ...teacher.replies import teacher_name
from .weights import LABEL

if TYPE_CHECKING:
    from datasets import Dataset


def simprompt(teacher: Any, n: int, *, seed: int = 0) -> Dataset:
    """`n` reviews from prompts that hold the class and nothing else (SimPrompt).

    No real text is seen; the classes take turns.

    Args:
        teacher: what writes, see `synthkit.teacher.as_teacher`.

    Returns:
        A `datasets.Dataset` with the columns of `SynAlign.sample`; `demonstration` is -1.

    Raises:
        ValueError: n below 1. TeacherError: the teacher failed, or gave no text at all.

    Source: the label-only baseline of AttrPrompt (Yu et al., 2023, NeurIPS).
    """
    return _written(teacher, n, {}, seed)


def attrprompt(teacher: Any, n: int, *, seed: int = 0) -> Dataset:
    """`n` reviews from records whose attributes are drawn independently and uniformly (AttrPrompt).

    All else is as in `simprompt`. Combinations that no real text shows are asked for too.
    """
    others = {each.name: each.values for each in REVIEWS.attributes if each.name != LABEL}
    return _written(teacher, n, others, seed)


def _written(teacher: Any, n: int, drawn: Mapping[str, tuple[str, ...]], seed: int) -> Dataset:
    """A text for each of n classes in turn, and for values drawn beside it."""
    rng, writer = random.Random(f"attrprompt-{seed}"), as_teacher(teacher)
    kinds = REVIEWS.attribute(LABEL).values
    labels = [kinds[i % len(kinds)] for i in range(as_count(n))]
    records = [
        {**{name: rng.choice(values) for name, values in drawn.items()}, LABEL: label}
        for label in labels
    ]
    rows = write(writer, records, REVIEWS, labels=labels, retries=2, seed=seed)
    usable = [row for row in rows if row["text"]]
    if not usable:
        reason = rows[0]["problem"]
        raise TeacherError(f"{teacher_name(writer)} gave no text to any of {n} prompts: {reason}")
    if len(usable) < n:
        warnings.warn(f"{n - len(usable)} of {n} texts cannot be used", stacklevel=3)
    return as_rows(usable)
