"""Baselines of SynAlign: prompts with the label only, and independent attributes."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.arguments import as_count
from ..teacher import as_teacher
from ..teacher.base import TeacherError
from ..teacher.replies import teacher_name
from .attributes import Schema, write
from .parsing import Record
from .schemas import REVIEWS, with_class
from .state import as_rows

if TYPE_CHECKING:
    from datasets import Dataset


def simprompt(
    teacher: Any, n: int, *, labels: Sequence | Mapping[Any, float] | None = None,
    schema: Schema = REVIEWS, label: str = "sentiment", **options: Any,
) -> Dataset:  # fmt: skip
    """`n` texts from prompts that hold the class and nothing else (SimPrompt).

    No real text is seen.

    Args:
        teacher: what writes, see `synthkit.teacher.as_teacher`.
        n: texts, which is also the number of calls.
        labels: the classes, which take turns, or a mapping from each to its share; None: the values
            of the schema's attribute of that name.
        schema: makes the prompt, and says how much of it a text shows.
        label: the attribute that is the class.
        options: see `written_from`.

    Returns:
        A `datasets.Dataset` with the columns of `SynAlign.sample`; `demonstration` is -1.

    Raises:
        ValueError: n below 1, no classes, or impossible shares.
        TeacherError: the teacher failed; what it answered is in the checkpoint.

    Source: the label-only baseline of AttrPrompt (Yu et al., 2023, NeurIPS).
    """
    return written_from(teacher, *_classes(schema, label, labels, n), label, **options)


def attrprompt(
    teacher: Any, n: int, *, labels: Sequence | Mapping[Any, float] | None = None,
    schema: Schema = REVIEWS, label: str = "sentiment", seed: int = 0, **options: Any,
) -> Dataset:  # fmt: skip
    """`n` texts from records whose attributes are drawn independently and uniformly (AttrPrompt).

    The class is as in `simprompt`, and so is all else; attributes without listed values are left
    to the writer. Combinations that no real text shows are asked for like any other.

    Source: AttrPrompt (Yu et al., 2023, NeurIPS).
    """
    schema, classes = _classes(schema, label, labels, n)
    rng = random.Random(f"attrprompt-{seed}")
    others = [each for each in schema.attributes if each.values and each.name != label]
    drawn = [{each.name: rng.choice(each.values) for each in others} for _ in classes]
    return written_from(teacher, schema, classes, label, records=drawn, seed=seed, **options)


def written_from(
    teacher: Any, schema: Schema, classes: Sequence, label: str, *,
    records: Sequence[Record] | None = None, retries: int = 2, **options: Any,
) -> Dataset:  # fmt: skip
    """One text for each class in the list, and for the record beside it, as rows.

    Args:
        schema: with an attribute for the class.
        label: that attribute.
        records: what else is asked for; None: nothing.
        retries: further calls for a text that stayed empty.
        options: of `write`: seed, checkpoint, progress.
    """
    writer = as_teacher(teacher)
    records = [{}] * len(classes) if records is None else records
    whole = [{**record, label: str(value)} for record, value in zip(records, classes, strict=True)]
    rows = write(writer, whole, schema, labels=list(classes), retries=retries, **options)
    return as_rows(_usable(rows, writer))


def _usable(rows: list[dict[str, Any]], teacher: Any) -> list[dict[str, Any]]:
    """The rows that hold a text; a warning counts the others, and it is an error if none does."""
    problems = Counter(row["problem"] for row in rows if "problem" in row)
    if problems.total() == len(rows):
        raise TeacherError(
            f"{teacher_name(teacher)} gave no text to any of {len(rows)} prompts: {dict(problems)}"
        )
    if problems:
        told = ", ".join(f"{count} {problem}" for problem, count in problems.items())
        warnings.warn(
            f"{problems.total()} of {len(rows)} texts cannot be used ({told})", stacklevel=4
        )
    return [row for row in rows if row["text"]]


def _classes(schema: Schema, label: str, labels: Any, n: int) -> tuple[Schema, list]:
    """The schema with the class in it, and the class of each of n texts."""
    n = as_count(n)
    if labels is None:
        own = schema.attribute(label)
        if own is None or not own.values:
            raise ValueError(
                f"a {schema.name} has no attribute {label!r} with listed values: give the classes "
                "with labels="
            )
        labels = own.values
    if not len(labels):
        raise ValueError("labels is empty: name the classes to write for")
    shares = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, 1.0)
    if min(shares.values()) < 0 or not sum(shares.values()) > 0:
        raise ValueError(f"shares must not be negative, nor all 0; got {dict(shares)}")
    given = dict.fromkeys(shares, 0)
    classes = []
    for _ in range(n):  # the class that is furthest behind its share
        kind = min(
            (kind for kind in shares if shares[kind] > 0),
            key=lambda kind: (given[kind] + 0.5) / shares[kind],
        )
        given[kind] += 1
        classes.append(kind)
    return with_class(schema, label, list(shares)), classes
