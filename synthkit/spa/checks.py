"""Checks of what partitions are made from: scores, numbers of rows, sizes that can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import finite_rows

if TYPE_CHECKING:
    from .partition import Partition


def check_scores(scores: Any) -> np.ndarray:
    """`scores` (q, n) as float64; ValueError where one is not finite or a query is indifferent."""
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


def check_queries(scores: Any, k: int, rule: str) -> np.ndarray:
    """The scores of queries of which k can be selected by the rule, or ValueError."""
    scores = check_scores(scores)
    if not 1 <= k <= len(scores):
        raise ValueError(
            f"{k} queries were asked for and there are {len(scores)}: a part needs a query of its "
            "own, so add queries or ask for fewer parts"
        )
    if rule not in ("cover", "variance"):
        raise ValueError(f"queries are selected by 'cover' or 'variance', found {rule!r}")
    return scores


def check_ties(best: np.ndarray, sign: int, ties: str) -> None:
    """Raise ValueError for a bad option, or where most rows have several `best` (q, n) queries."""
    if sign not in (1, -1) or ties not in ("error", "random"):
        raise ValueError(
            f"sign is +1 or -1 and ties 'error' or 'random'; found {sign!r} and {ties!r}"
        )
    tied = best.sum(0) > 1
    if ties == "error" and tied.mean() > 0.5:
        first, second = np.flatnonzero(best[:, tied.argmax()])[:2]
        raise ValueError(
            f"{tied.sum()} of {len(tied)} rows have no single best query (queries {first} and "
            f"{second}, for one, score alike): an arg-max would give all of these to the first; "
            "choose queries that this score can tell apart, or break ties at random"
        )


def check_vectors(vectors: Any, k: int) -> np.ndarray:
    """`vectors` (n, d) as float64, fit for k groups; ValueError where they are not."""
    vectors = finite_rows(vectors, "vectors")
    different = len(np.unique(vectors, axis=0))
    if not 1 <= k <= different:
        raise ValueError(
            f"{k} groups were asked for and {len(vectors)} rows have {different} different "
            "vectors; ask for fewer parts, or look for identical rows"
        )
    return vectors


def check_labels(labels: Any, n_parts: int, keys: Sequence) -> np.ndarray:
    """A read-only copy of labels (n,) from 0 to n_parts - 1; ValueError if they are not."""
    labels = np.array(labels)
    whole = labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer)
    if not whole or not len(labels) or labels.min() < 0 or labels.max() >= n_parts:
        raise ValueError(
            f"labels are one whole number a row, from 0 to {n_parts - 1}; found "
            f"{labels.dtype} of shape {labels.shape}, such as {labels.ravel()[:3].tolist()}"
        )
    if len(keys) != n_parts:
        raise ValueError(f"{n_parts} parts need as many keys, found {len(keys)}")
    labels.flags.writeable = False
    return labels


def count_rows(rule: str, needs: Mapping[str, str], given: Mapping[str, Any]) -> int:
    """Number of rows that all of `given` is about; ValueError where the rule needs more."""
    if rule not in needs:
        raise ValueError(f"a partition is one of {', '.join(needs)}; found {rule!r}")
    there = {name: value for name, value in given.items() if value is not None}
    if (need := needs[rule]) not in there and not (need == "n" and there):
        raise ValueError(f"partition {rule!r} is made from {need}: pass {need}=")
    counts = {
        name: value if name == "n" else np.shape(value)[-1 if name == "scores" else 0]
        for name, value in there.items()
    }
    if len(set(counts.values())) != 1:
        raise ValueError(f"all that is passed must be of the same rows; found {counts}")
    return next(iter(counts.values()))


def count_parts(
    rule: str, n_parts: int | None, n: int, scores: Any, factor: Any, min_size: int, on_small: str
) -> int:
    """The number of parts asked for, or of queries or levels; ValueError where n is too small."""
    if rule == "oracle":
        levels = len(np.unique(np.asarray(factor)))
        if n_parts not in (None, levels):
            raise ValueError(f"the factor has {levels} levels, and {n_parts} parts were asked for")
        n_parts = levels
    elif n_parts is None and rule in ("influence", "bm25"):
        n_parts = len(check_scores(scores))
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
    return n_parts


def too_small(partition: Partition, min_size: int, repairable: bool) -> ValueError:
    """The error that names the first part of fewer than `min_size` rows."""
    part = int((partition.sizes < min_size).argmax())
    way = ", or set on_small to 'fill' or 'drop'" if repairable else ""
    return ValueError(
        f"part {part} ({partition.keys[part]!r}) of partition {partition.rule!r} has "
        f"{partition.sizes[part]} rows, fewer than min_size={min_size}; the sizes are "
        f"{partition.sizes.tolist()}. Ask for fewer parts, choose other queries{way}"
    )
