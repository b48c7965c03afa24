"""Inputs of a fit of SPA, checked: rows, queries and what else a partition is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import parallel
from ..datasets import as_dataset
from ..datasets.validation import need_columns
from ..lm.rows import token_counts
from .partition import NEEDS, Partition, make_partition, without_small
from .presets import SPAPreset
from .rows import Form, read_rows
from .streaming import Pair, plan_blocks

CUT = (
    "n_parts", "partition", "normalisation", "sign", "query_rule", "ties", "min_size", "on_small",
)  # fmt: skip  # the knobs of a preset that say how rows are cut


@dataclass(frozen=True)
class PartitionInputs:
    """The rows of a fit, and what they are cut by.

    Attributes:
        pairs: prompt and completion of each of n rows. form: of the rows.
        asked: the different prompts as they stand in the rows.
        queries: pairs, of "influence", "kmeans" and "bm25".
        vectors: (n, d), of "embedding". factor: (n,), of "oracle".
        parts: a partition that was made before.
    """

    pairs: list[Pair]
    form: Form
    asked: list[str]
    queries: list[Pair] | None = None
    vectors: np.ndarray | None = None
    factor: Sequence | None = None
    parts: Partition | None = None


def read_inputs(
    lm, preset: SPAPreset, data: Any, fitting: Callable[[Sequence[int], int], list[int]],
    queries: Any = None, factor: Any = None, vectors: Any = None, parts: Partition | None = None,
) -> PartitionInputs:  # fmt: skip
    """The inputs of a fit, checked before anything is trained.

    Args:
        fitting: from the rows' lengths and the context to the numbers of the rows to learn from.
        data, queries, factor, vectors, parts: of `SPA.fit`, whose errors these are.
    """
    rows = as_dataset(data)
    pairs, form = read_rows(rows)
    if isinstance(factor, str):
        need_columns(rows.column_names, [factor])
        factor = rows[factor]
    per_row = {"factor": factor, "vectors": vectors, "parts": parts and parts.labels}
    for name, values in per_row.items():
        if values is not None and len(values) != len(pairs):
            raise ValueError(f"{len(pairs)} rows and {len(values)} {name}: each row needs one")
    kept = fitting(token_counts(lm, pairs, marks=True), lm.context)
    rows, pairs = rows.select(kept), [pairs[i] for i in kept]
    factor = None if factor is None else [factor[i] for i in kept]
    if vectors is not None:
        vectors = np.asarray(vectors)[kept]
    elif preset.partition == "embedding":  # the mean input embedding of each row
        found = lm.embed_tokens(["".join(pair) for pair in pairs])
        vectors = np.stack([each.float().mean(0).cpu().numpy() for each in found])
    if parts is not None:
        parts = Partition(parts.labels[kept], parts.n_parts, parts.rule, parts.keys, parts.notes)
    shown = [""] if form.answered == "text" else list(dict.fromkeys(map(str, rows[form.asked])))
    asked = None if parts is not None else _read_queries(lm, preset, pairs, queries)
    return PartitionInputs(pairs, form, shown, asked, vectors, factor, parts)


def _read_queries(lm, preset: SPAPreset, rows: Sequence[Pair], queries: Any) -> list[Pair] | None:
    """Pairs of the queries, if the rule takes any; rows and queries must do for the parts."""
    rule, n, different = preset.partition, preset.n_parts, len(set(rows))
    if rule != "oracle" and n > different:
        raise ValueError(
            f"{len(rows)} rows, {different} of them different, cannot make {n} parts; ask for "
            "fewer parts, or give more rows"
        )
    if NEEDS[rule] != "scores":
        return None
    if queries is None or not len(queries):
        raise ValueError(f"partition {rule!r} needs queries: pass fit(data, queries=rows)")
    pairs, _ = read_rows(queries)
    plan_blocks(lm, pairs, preset.block_size)  # names a query that does not fit
    if rule != "kmeans" and len(pairs) < n:
        raise ValueError(
            f"{len(pairs)} queries cannot make {n} parts: each part is the rows that one query "
            "likes best. Give more queries, or ask for fewer parts"
        )
    return pairs


def cut(
    inputs: PartitionInputs, scores: np.ndarray | None, preset: SPAPreset, seed: int
) -> Partition:
    """The rows in parts: those that were given, or by the preset's rule from `scores` (q, n).

    Raises:
        ValueError: what the rule needs is missing, or a part is too small.
    """
    if inputs.parts is not None:
        return without_small(inputs.parts, None, preset.min_size, "error")
    rule = preset.partition
    how = {name: getattr(preset, name) for name in CUT[3:]} | {"how": preset.normalisation}
    given = {"scores": scores, "vectors": inputs.vectors, "factor": inputs.factor}
    k = None if rule == "oracle" else preset.n_parts
    made = make_partition(rule, k, n=len(inputs.pairs), **given, **how, seed=seed)
    return parallel.from_first(made)  # a GPU may round otherwise than its neighbour
