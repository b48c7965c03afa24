"""Distances of texts to the demonstrations that were picked."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...synalign.checks import check_indices, checked_vectors


def nearest_pick(vectors: Any, picked: Any) -> np.ndarray:
    """The distance of each row of `vectors` (n, d) to its nearest row of `picked`, (n,)."""
    from sklearn.metrics import pairwise_distances_argmin_min

    vectors = checked_vectors(vectors)
    picked = checked_vectors(picked, "picked vectors", vectors.shape[1])
    return pairwise_distances_argmin_min(vectors, picked)[1]


def coverage(vectors: Any, picks: Any, others: Any = None) -> dict[str, float]:
    """Distances of texts to their nearest pick: mean, 95th percentile and largest.

    Args:
        vectors: (n, d) candidates.
        picks: (k,) indices into them.
        others: (m, d) texts to measure; default: the candidates themselves.
    """
    vectors = checked_vectors(vectors)
    picks = check_indices(picks, len(vectors), "picks")
    near = nearest_pick(vectors if others is None else others, vectors[picks])
    return {
        "mean distance": float(near.mean()),
        "95th percentile": float(np.quantile(near, 0.95)),
        "largest distance": float(near.max()),
    }
