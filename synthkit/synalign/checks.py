"""Vectors, texts, weights and labels of two sets, checked; errors say what was found."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.arguments import finite_rows
from ..datasets import columns_of, is_list_of_texts, is_table, texts_of, values_of


def checked_vectors(vectors: Any, name: str = "vectors", width: int | None = None) -> np.ndarray:
    """`vectors` as float64 (n, d), n >= 1, every number finite; a tensor is detached.

    Raises:
        ValueError: another shape, no rows, not `width` columns (where it is given), or a number
            that is not finite (the row is named).
    """
    vectors = finite_rows(vectors, name)
    if not vectors.size:
        raise ValueError(f"{name} must hold numbers, one row a text; got {vectors.shape}")
    if width not in (None, vectors.shape[1]):
        raise ValueError(
            f"{name} have {vectors.shape[1]} columns and the vectors beside them {width}: "
            "embed all texts with the same encoder"
        )
    return vectors


def check_count(k: int, n: int) -> None:
    """Raise ValueError unless 1 <= k <= n."""
    if not 1 <= k <= n:
        raise ValueError(
            f"asked for {k} picks of {n} candidates: take between 1 and {n}; to use more "
            "demonstrations than there are texts, take every text once and repeat the list"
        )


def check_indices(indices: Sequence[int], n: int, name: str) -> list[int]:
    """`indices` as a list of int, each of them one of n candidates; ValueError otherwise."""
    found = [int(i) for i in indices]
    wrong = [i for i in found if not 0 <= i < n]
    if wrong:
        raise ValueError(f"{name} holds {wrong[0]}, but the candidates are numbered 0 to {n - 1}")
    return found


def as_points(
    synthetic: Any, real: Any, encoder: Callable | str | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets as float64 arrays (n, d) and (m, d), moved so that their common mean is 0.

    Args:
        synthetic, real: (n, d) numbers, or texts: a list of str, or a table with a `text` column.
        encoder: from texts to an (n, d) array, or the name of one, which is then fitted on both
            sides; None is TF-IDF.

    Raises:
        TypeError: texts on one side and numbers on the other.
        ValueError: an empty set, other widths, or numbers that are not finite.
    """
    kinds = [_holds_text(data) for data in (synthetic, real)]
    if kinds[0] != kinds[1]:
        raise TypeError(
            f"one side holds texts and the other numbers (synthetic: {type(synthetic).__name__}, "
            f"real: {type(real).__name__}); give both as texts, or embed both with one encoder"
        )
    if kinds[0]:
        synthetic, real = texts_of(synthetic), texts_of(real)
        if encoder is None or isinstance(encoder, str):
            from ..embed.encoders import load_embedder

            encoder = load_embedder(encoder or "tfidf").fit([*synthetic, *real])
        synthetic, real = encoder(synthetic), encoder(real)
    x, y = checked_vectors(synthetic, "synthetic points"), checked_vectors(real, "real points")
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"synthetic points have {x.shape[1]} columns and real ones {y.shape[1]}: "
            "embed both sets with the same encoder"
        )
    middle = (x.mean(0) + y.mean(0)) / 2
    return x - middle, y - middle


def _holds_text(data: Any) -> bool:
    """True if `data` is texts (a list or a column of str, or a table) and not numbers."""
    if data is None or isinstance(data, (int, float)):
        raise TypeError(f"needs texts or an (n, d) array of numbers, found {data!r}")
    return isinstance(data, str) or is_table(data) or is_list_of_texts(data)


def as_weights(weights: Sequence[float] | None, n: int) -> np.ndarray:
    """`weights` as float64 (n,) that sums to 1; equal ones for None."""
    if weights is None:
        return np.full(n, 1 / n)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,):
        raise ValueError(f"weights must hold one number for each of {n} texts, got shape {w.shape}")
    if not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise ValueError(
            f"weights must be finite, not negative, and not all 0; found {w.min()} to {w.max()} "
            f"with sum {w.sum()}"
        )
    return w / w.sum()


def as_labels(synthetic: Any, real: Any, labels: Any) -> tuple[list, list]:
    """(labels of the synthetic texts, of the real ones) from a column's name or a pair of lists."""
    if isinstance(labels, str):
        sides = [columns_of(table) if is_table(table) else {} for table in (synthetic, real)]
        for name, columns in zip(("synthetic", "real"), sides):
            if labels not in columns:
                found = list(columns)
                raise ValueError(f"{name} has no column {labels!r} for the labels; found {found}")
        return sides[0][labels], sides[1][labels]
    if not isinstance(labels, (tuple, list)) or len(labels) != 2:
        raise ValueError("labels is a column's name, or the pair (synthetic labels, real labels)")
    own, other = (values_of(side, "labels") for side in labels)
    if len(own) != len(synthetic) or len(other) != len(real):
        raise ValueError(
            f"{len(own)} and {len(other)} labels for {len(synthetic)} synthetic and {len(real)} "
            "real texts: give one label a text"
        )
    return own, other


def check_classes(real: Counter, synthetic: Counter, least: int) -> None:
    """Raise ValueError for a class that nobody wrote; warn of those not fitted, or not used.

    Args:
        real, synthetic: texts by class.
        least: real texts that a class needs for weights of its own.
    """
    if missing := [label for label in real if label not in synthetic]:
        raise ValueError(
            f"no synthetic text has the label(s) {missing}, which {sum(real[m] for m in missing)}"
            f" of {real.total()} real texts have: write some, or leave those real texts out"
        )
    if thin := [label for label, count in real.items() if count < least]:
        warnings.warn(
            f"{len(thin)} of {len(real)} classes have fewer than {least} real texts and keep equal "
            f"weights: {thin[:5]}",
            stacklevel=4,
        )
    if unused := [label for label in synthetic if label not in real]:
        warnings.warn(
            f"{sum(synthetic[label] for label in unused)} synthetic texts have labels that no real "
            f"text has, and get weight 0: {unused[:5]}",
            stacklevel=4,
        )


def as_sets(
    synthetic: Any, real: Any, labels: Any, encoder: Callable | str | None
) -> tuple[np.ndarray, np.ndarray, tuple[list, list]]:
    """Points of both sides as `as_points` gives them, and their labels: all alike for None.

    Raises:
        ValueError: also for fewer than two real points, or synthetic ones that are all equal.
    """
    sides = None if labels is None else as_labels(synthetic, real, labels)
    x, y = as_points(synthetic, real, encoder)
    if len(y) < 2:
        raise ValueError(f"a distribution cannot be seen in {len(y)} real text: give two or more")
    if len(x) > 1 and np.ptp(x, axis=0).max() == 0:
        raise ValueError(
            f"all {len(x)} synthetic points are the same, so that no weights change anything; "
            "check the texts (are they copies?) or the encoder"
        )
    return x, y, sides or ([None] * len(x), [None] * len(y))


METHODS = ("tilting", "exact", "adam")  # of `align`


def check_method(method: str, ridge: float | None) -> None:
    """Raise ValueError for an unknown method, or a ridge where none belongs."""
    if method not in METHODS:
        raise ValueError(f"no method is called {method!r}; choose one of {', '.join(METHODS)}")
    if ridge is not None and method != "tilting":
        raise ValueError(f"ridge belongs to 'tilting'; {method!r} solves without one")
