"""Inputs of a fit of SPA, checked: rows, queries and what else a partition is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..datasets import as_dataset
from ..datasets.validation import need_columns
from .bm25 import bm25_scores
from .partition import NEEDS, Partition, make_partition
from .presets import SPAPreset
from .rows import Form, as_rows, asked_in, read_rows
from .streaming import Pair, plan_blocks, row_lengths


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
    kept = fitting(row_lengths(lm, pairs), lm.context)
    rows, pairs = rows.select(kept), [pairs[i] for i in kept]
    factor = None if factor is None else [factor[i] for i in kept]
    if vectors is not None:
        vectors = np.asarray(vectors)[kept]
    elif preset.partition == "embedding":
        vectors = mean_embeddings(lm, pairs)
    if parts is not None:
        parts = Partition(parts.labels[kept], parts.n_parts, parts.rule, parts.keys, parts.notes)
    elif preset.partition != "oracle":
        _check_counts(preset, pairs)
    asked = None
    if parts is None and NEEDS[preset.partition] == "scores":
        asked = _read_queries(lm, preset, queries)
    return PartitionInputs(pairs, form, asked_in(rows, form), asked, vectors, factor, parts)


def _check_counts(preset: SPAPreset, pairs: Sequence[Pair]) -> None:
    different = len(set(pairs))
    if preset.n_parts > different:
        raise ValueError(
            f"{len(pairs)} rows, {different} of them different, cannot make {preset.n_parts} "
            "parts; ask for fewer parts, or give more rows"
        )


def _read_queries(lm, preset: SPAPreset, queries: Any) -> list[Pair]:
    """Pairs of the queries, enough for the parts."""
    rule = preset.partition
    if queries is None or not len(queries):
        raise ValueError(f"partition {rule!r} needs queries: pass fit(data, queries=rows)")
    pairs, _ = read_rows(queries)
    plan_blocks(lm, pairs, preset.block_size)  # names a query that does not fit
    if rule != "kmeans" and len(pairs) < preset.n_parts:
        raise ValueError(
            f"{len(pairs)} queries cannot make {preset.n_parts} parts: each part is the rows that "
            "one query likes best. Give more queries, or ask for fewer parts"
        )
    return pairs


def mean_embeddings(lm, pairs: Sequence[Pair]) -> np.ndarray:
    """The mean input embedding (n, N) of each row's prompt and completion."""
    texts = ["".join(pair) for pair in pairs]
    return np.stack([each.float().mean(0).cpu().numpy() for each in lm.embed_tokens(texts)])


def needs_influence(inputs: PartitionInputs, preset: SPAPreset) -> bool:
    """True if the rows are cut by scores that are taken at a reference adapter."""
    return inputs.queries is not None and preset.partition != "bm25"


def lexical_scores(inputs: PartitionInputs) -> np.ndarray:
    """BM25+ (q, n) of the rows for the queries."""
    return bm25_scores(as_rows(inputs.queries), as_rows(inputs.pairs))


def cut(
    inputs: PartitionInputs, scores: np.ndarray | None, preset: SPAPreset, seed: int
) -> Partition:
    """The rows in parts: those that were given, or by the preset's rule.

    Args:
        scores: (q, n), where the rule takes them.

    Raises:
        ValueError: what the rule needs is missing, or a part is too small.
    """
    rule, found, n = preset.partition, inputs.parts, len(inputs.pairs)
    if found is None:
        return make_partition(
            rule, None if rule == "oracle" else preset.n_parts, scores=scores,
            vectors=inputs.vectors, factor=inputs.factor, n=n, how=preset.normalisation,
            sign=preset.sign, query_rule=preset.query_rule, ties=preset.ties,
            min_size=preset.min_size, on_small=preset.on_small, seed=seed,
        )  # fmt: skip
    if found.sizes.min() < preset.min_size:
        part = int(found.sizes.argmin())
        raise ValueError(
            f"part {part} has {found.sizes[part]} rows, fewer than min_size={preset.min_size}; the "
            f"sizes are {found.sizes.tolist()}"
        )
    return found
