"""Checks of what partitions are made from: scores, numbers of rows, sizes that can be had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_scores(scores: Any) -> np.ndarray:
    """`scores` (q, n) as float64, one line a query, one column a row of the training set.

    Raises:
        ValueError: no queries, no rows, a score that is not finite, or a query to which all rows
            are alike.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(
            f"scores are a table (queries, rows) with at least one of each; found {scores.shape}"
        )
    wrong = np.argwhere(~np.isfinite(scores))
    if len(wrong):
        query, row = wrong[0]
        raise ValueError(
            f"{len(wrong)} scores are not finite; the first is query {query}, row {row}: "
            f"{scores[query, row]}; look at the damping, and at that row's text"
        )
    flat = np.flatnonzero(np.ptp(scores, axis=1) == 0)
    if len(flat):
        raise ValueError(
            f"query {flat[0]} scores all {scores.shape[1]} rows alike, so it cannot tell them "
            "apart: are the rows identical, or has the query nothing in common with them?"
        )
    return scores


def check_vectors(vectors: Any, k: int) -> np.ndarray:
    """`vectors` (n, d) as float64, fit for k groups.

    Raises:
        ValueError: no finite table, or fewer different vectors than groups.
    """
    vectors = np.asarray(vectors, dtype=float)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors are a finite table (rows, numbers), found shape {vectors.shape}")
    different = len(np.unique(vectors, axis=0))
    if not 1 <= k <= different:
        raise ValueError(
            f"{k} groups were asked for and {len(vectors)} rows have {different} different "
            "vectors; ask for fewer parts, or look for identical rows"
        )
    return vectors


def count_rows(rule: str, need: str, given: Mapping[str, Any]) -> int:
    """Number of rows that all of `given` is about.

    Args:
        need: what the rule is made from: "n" may be any of `given`.

    Raises:
        ValueError: what the rule needs is missing, or numbers of rows differ.
    """
    there = {name: value for name, value in given.items() if value is not None}
    if need not in there and not (need == "n" and there):
        raise ValueError(f"partition {rule!r} is made from {need}: pass {need}=")
    counts = {
        name: value if name == "n" else np.shape(value)[-1 if name == "scores" else 0]
        for name, value in there.items()
    }
    if len(set(counts.values())) != 1:
        raise ValueError(f"all that is passed must be of the same rows; found {counts}")
    return next(iter(counts.values()))


def check_counts(rule: str, n_parts: int | None, n: int, min_size: int, on_small: str) -> None:
    """Raise ValueError where n rows cannot make parts of that number and size."""
    if n_parts is None:
        raise ValueError(f"partition {rule!r} needs n_parts")
    if on_small not in ("error", "fill", "drop"):
        raise ValueError(f"on_small is 'error', 'fill' or 'drop', found {on_small!r}")
    if n_parts < 1 or min_size < 1:
        raise ValueError(f"at least 1 part of 1 row; found n_parts={n_parts}, min_size={min_size}")
    least = max(n_parts, min_size) if on_small == "drop" else n_parts * min_size
    if rule != "same data" and n < least:
        raise ValueError(
            f"{n} rows cannot make {n_parts} parts of at least {min_size}; ask for fewer parts, "
            "or give more rows"
        )
