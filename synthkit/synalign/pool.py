"""The pool of written texts, as rows that say where each text comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..evaluation.text import exact_duplicates
from .attributes import write
from .presets import SynAlignPreset
from .state import SynAlignFit

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("text", "label", "record", "demonstration", "call", "tries", "follows", "weight")


def write_pool(
    writer: Any, fit: SynAlignFit, preset: SynAlignPreset, n: int, **options: Any
) -> list[dict[str, Any]]:
    """Call 2, `n` texts from the records in turn: rows of `write` with their `demonstration`.

    Args:
        options: of `write`: seed, checkpoint, progress.
    """
    turns = [i % len(fit.records) for i in range(n)]
    shown = [fit.demonstrations[i] for i in turns]
    rows = write(
        writer, [fit.records[i] for i in turns], fit.full_schema, labels=fit.real.labels_of(shown),
        retries=preset.retries, least=preset.least, **options,
    )  # fmt: skip
    return [row | {"demonstration": int(i)} for row, i in zip(rows, shown)]


def usable_rows(rows: Sequence[Mapping], unwanted: Any) -> tuple[list[Mapping], list[str]]:
    """The rows with a text that is not unwanted, and why each of the others is left out."""
    why = [row.get("problem") or "held out" * (row["text"] in unwanted) for row in rows]
    return [row for row, reason in zip(rows, why) if not reason], [*filter(None, why)]


def tally(rows: Sequence[Mapping[str, Any]], real: Sequence[str]) -> dict[str, int]:
    """Written texts and calls, and texts that repeat another one or a real one."""
    texts = [row["text"] for row in rows if row["text"]]
    copies = exact_duplicates(texts).sum(), exact_duplicates(texts, against=real).sum()
    return {
        "texts": len(texts), "calls": sum(row["tries"] for row in rows),
        "repeated": int(copies[0]), "copies of real texts": int(copies[1]),
    }  # fmt: skip


def as_rows(rows: Sequence[Mapping]) -> Dataset:
    """Rows of `write` as a `datasets.Dataset` with the columns of `COLUMNS`.

    `call` is the record's index, `demonstration` -1 where no real text is behind a row.
    """
    from datasets import Dataset

    columns = {name: [row.get(name) for row in rows] for name in COLUMNS}
    columns["call"] = [row["source"] for row in rows]
    columns["demonstration"] = [row.get("demonstration", -1) for row in rows]
    columns["weight"] = [1 / len(rows) for _ in rows]
    columns["record"] = [json.dumps(row["record"], ensure_ascii=False) for row in rows]
    return Dataset.from_dict(columns)
