"""The real texts of a fit, and what was learned from them: read, packed and unpacked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arguments import as_count
from ..core.packing import (
    Files,
    Read,
    array_bytes,
    inside,
    read_arrays,
    read_rows,
    row_bytes,
    under,
)
from ..core.saved import Saved
from ..datasets import as_dataset
from ..embed.encoders import Embedder, load_embedder, unpack_embedder
from .parsing import Record
from .picks import Plan
from .schemas import REVIEWS, Schema, same_schema, with_class


@dataclass(frozen=True, eq=False)
class RealTexts:
    """The real texts of a fit.

    Attributes:
        texts: n of them. labels: their classes, or None.
        column: the column that the classes came from.
        fit, held_out: rows that are learned from, and rows that only judge.
        vectors: (n, d) float32, unit rows.
    """

    texts: list[str]
    labels: list | None
    column: str | None
    fit: np.ndarray
    held_out: np.ndarray
    vectors: np.ndarray

    def labels_of(self, rows: Sequence[int]) -> list | None:
        """The classes of those rows, or None."""
        return None if self.labels is None else [self.labels[int(i)] for i in rows]


@dataclass(frozen=True, eq=False)
class SynAlignFit:
    """The outcome of `SynAlign.fit`.

    Attributes:
        real: the real texts, and which of them were learned from.
        encoder: the encoder, fitted.
        plan: the demonstrations as they were picked, by row number of the real texts.
        schema: the attributes of a record, without the class where it has none of its own.
        bandwidth: sigma of weights and distances; None when all real texts are equal.
        demonstrations: the real texts that have a record, by row number.
        records: the record of each demonstration, its class among the attributes.
    """

    real: RealTexts
    encoder: Embedder
    plan: Plan
    schema: Schema
    bandwidth: float | None
    demonstrations: list[int]
    records: list[Record]

    @property
    def full_schema(self) -> Schema:
        """The schema with the class among its attributes."""
        return with_class(self.schema, self.real.column, self.real.labels)


# --- reading --------------------------------------------------------------------------------------


def class_column(columns: Sequence[str], label: str | None) -> str | None:
    """The column that holds the class; ValueError when it is not there."""
    if label is None or label in columns:
        return label
    if label == "label" and set(REVIEWS.names) <= set(columns):
        return "sentiment"
    raise ValueError(
        f"no column {label!r} for the class of a text; found {', '.join(map(str, columns))}. Name "
        "it with fit(data, label=...), or use fit(data, label=None) for texts without classes"
    )


def read_real(real: Any, label: str | None) -> tuple[list[str], list | None, str | None]:
    """Texts, their classes and the column of these (both None for texts without classes).

    Raises:
        TypeError: not a Dataset, a DataFrame or a list of rows.
        ValueError: no rows, no text, no such column, or a row without a class.
    """
    rows = as_dataset(real, "text")
    column = class_column(rows.column_names, label)
    labels = None if column is None else list(rows[column])
    for i, value in enumerate(labels or ()):
        if not isinstance(value, (str, int)) or not str(value).strip():
            raise ValueError(f"column {column!r}: row {i} has no class ({value!r}); leave it out")
    return list(rows["text"]), labels, column


def classes_of(rows: Any, column: str) -> list:
    """The classes of synthetic rows: `label`, or the column that held them in the real ones."""
    for name in ("label", column):
        if name in rows.column_names:
            return list(rows[name])
    raise ValueError(
        f"the real texts have classes (column {column!r}), and the rows have none: they need a "
        f"column 'label' or {column!r}; found {', '.join(rows.column_names)}"
    )


def with_written_classes(fit: SynAlignFit, rows: Any) -> SynAlignFit:
    """`fit` without the real texts whose class none of the synthetic `rows` has."""
    real = fit.real
    if real.labels is None:
        return fit
    written = set(classes_of(rows, real.column))
    kept = [label in written for label in real.labels_of(real.fit)]
    return replace(fit, real=replace(real, fit=real.fit[kept]))


def row_numbers(rows: Any) -> list[int]:
    """`rows` as a list of int; TypeError where they are none, such as 0.7 or True."""
    if isinstance(rows, str) or not isinstance(rows, Iterable):
        raise TypeError(f"demonstrations must be a list of row numbers, got {rows!r:.60}")
    return [as_count(i, f"demonstrations[{k}]", least=0) for k, i in enumerate(rows)]


def checked_rows(rows: Sequence[int], real: RealTexts) -> list[int]:
    """`rows` as a list of int, each a text to fit; ValueError otherwise."""
    found, known = row_numbers(rows), set(real.fit.tolist())
    for i in found:
        if i not in known:
            held = i in set(real.held_out.tolist())
            why = "is held out, and a text that judges cannot be one" if held else "is not there"
            raise ValueError(f"demonstrations: row {i} {why}; choose among rows of `real.fit`")
    if not found:
        raise ValueError("demonstrations: name one row at least")
    return found


# --- on disk --------------------------------------------------------------------------------------


def pack_fit(fit: SynAlignFit) -> tuple[Files, dict[str, Any]]:
    """The real texts, their vectors and the encoder as files; the rest as facts."""
    real, plan = fit.real, fit.plan
    labels = real.labels or [None] * len(real.texts)
    files = {
        "real.jsonl": row_bytes({"text": t, "label": each} for t, each in zip(real.texts, labels)),
        "real.safetensors": array_bytes(vectors=real.vectors, fit=real.fit, held_out=real.held_out),
        **under("embedder", fit.encoder.pack()),
    }
    picked = {
        "picks": plan.picks.tolist(), "tie_share": list(plan.tie_share.items()),
        "by_chance": list(plan.by_chance),
    }  # fmt: skip
    return files, {
        "column": real.column, "classes": real.labels is not None, "bandwidth": fit.bandwidth,
        "schema": {"name": fit.schema.name, "attributes": fit.schema.names}, "plan": picked,
        "demonstrations": fit.demonstrations, "records": fit.records,
    }  # fmt: skip


def unpack_fit(saved: Saved, lm: Any, encoder: Any, schema: Schema | None) -> SynAlignFit:
    """The fit that `pack_fit` packed.

    Args:
        encoder, schema: those of the fit, where no file can hold them; see `same_encoder` and
            `same_schema`.
    """
    facts, plan = saved.facts, saved.facts["plan"]
    rows = read_rows(saved.read("real.jsonl"))
    labels = [row["label"] for row in rows] if facts["classes"] else None
    arrays = read_arrays(saved.read("real.safetensors"))
    real = RealTexts([row["text"] for row in rows], labels, facts["column"], **arrays)
    tie_share = dict(map(tuple, plan["tie_share"]))
    return SynAlignFit(
        real, same_encoder(encoder, inside(saved.read, "embedder"), lm, real),
        Plan(np.array(plan["picks"]), tie_share, tuple(plan["by_chance"])),
        same_schema(schema, facts["schema"]), facts["bandwidth"], facts["demonstrations"],
        facts["records"],
    )  # fmt: skip


def same_encoder(given: Any, read: Read, lm: Any, real: RealTexts) -> Embedder:
    """The encoder on file, or the one given if it puts a real text where it was.

    Raises:
        ValueError: none is given where the file only names one (see `unpack_embedder`), or another
            one is.
    """
    if given is None:
        return unpack_embedder(read, lm)
    encoder = load_embedder(given, lm)
    vector = encoder(real.texts[:1])[0]
    if vector.shape != real.vectors[0].shape or not np.allclose(vector, real.vectors[0], atol=1e-3):
        raise ValueError(
            f"{encoder!r} puts the first real text elsewhere than the encoder of the fit: "
            "give that one, or fit again"
        )
    return encoder


def identity(encoder: Embedder, schema: Schema) -> tuple[Any, ...]:
    """Values for the key of a fit that say which encoder and which schema it has."""
    learned = encoder.pack() if encoder.is_fitted else {}
    learned = {name: data for name, data in learned.items() if name != "embedder.json"}
    attributes = [(each.name, each.values) for each in schema.attributes]
    return encoder.settings, learned, schema.name, attributes, schema.describe, schema.write
