"""Weights of a pool of reviews, by every arm, and what they are measured by."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...synalign.alignment import align, alignment_report, class_wise, systematic_resample
from ...synalign.checks import as_points, as_weights
from ...synalign.exploration import median_distance
from ...synalign.judging import total_variation
from ...synalign.kernels import feature_map
from ...worlds.reviews import VALUES

UNWEIGHTED, TILTING, EXACT = "unweighted", "tilting", "exact"
ADAM, DENSITY, ORACLE = "softmax and Adam", "density ratio", "oracle ratio"
NARROW, POOLED, REAL = "exact, kernel too narrow", "tilting, without classes", "real texts"
LABEL, TASKS = "sentiment", ("sentiment", "tone")


@dataclass(frozen=True)
class Texts:
    """Texts with their attributes, and where an encoder puts them.

    Attributes:
        rows: each with `text` and the five attributes.
        points: (n, d).
    """

    rows: Sequence[Mapping[str, Any]]
    points: np.ndarray

    def of(self, *names: str) -> list:
        """An attribute of every text, or several as tuples."""
        if len(names) == 1:
            return [row[names[0]] for row in self.rows]
        return [tuple(row[name] for name in names) for row in self.rows]


def ratio_weights(cells: Sequence[Hashable], real_cells: Sequence[Hashable]) -> np.ndarray:
    """Oracle weights (n,): each text by the ratio of its cell's shares, real over synthetic.

    Cells that only the real side has cannot be weighted: a warning tells their share.
    """
    own, wanted = Counter(cells), Counter(real_cells)
    lost = sum(count for cell, count in wanted.items() if cell not in own)
    if lost == len(real_cells):
        raise ValueError(f"no cell of the {len(real_cells)} real texts occurs among the synthetic")
    if lost:
        warnings.warn(
            f"{lost / len(real_cells):.0%} of the real texts lie in cells without a synthetic one",
            stacklevel=2,
        )
    return as_weights([wanted[cell] / own[cell] for cell in cells], len(cells))


def density_ratio_weights(synthetic: Any, real: Any, C: float = 1.0) -> np.ndarray:
    """Weights (n,) from the odds of a logistic regression that tells real from synthetic points.

    `C` is its inverse ridge, on embeddings scaled to total variance 1.
    """
    from sklearn.linear_model import LogisticRegression

    x, y = feature_map(*as_points(synthetic, real), bandwidth=1.0, features=0)
    side = np.repeat([0, 1], [len(x), len(y)])
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=1000)
    log_odds = model.fit(np.vstack([x, y]), side).decision_function(x)
    return as_weights(np.exp(log_odds - log_odds.max()), len(x))


def weigh(arm: str, pool: Texts, real: Texts) -> np.ndarray:
    """One arm's weights of the pool, (n,); within each label unless the arm says otherwise."""
    S, R = pool.points, real.points
    labels = pool.of(LABEL), real.of(LABEL)
    if arm == UNWEIGHTED:
        return np.full(len(S), 1 / len(S))
    if arm == DENSITY:
        return class_wise(lambda i, j: density_ratio_weights(S[i], R[j]), *labels)
    if arm == ORACLE:
        cells = (LABEL, "tone", "style", "length")
        return ratio_weights(pool.of(*cells), real.of(*cells))
    if arm == POOLED:
        return align(S, R)
    if arm == NARROW:
        narrow = median_distance(np.vstack([S, R])) / 32
        return align(S, R, labels=labels, method="exact", bandwidth=narrow)
    method = {TILTING: "tilting", EXACT: "exact", ADAM: "adam"}[arm]
    return align(S, R, labels=labels, method=method)


def measure_weights(
    weights: np.ndarray, pool: Texts, real: Texts, held_out: Texts, n: int, seeds: Sequence[int]
) -> dict[str, float]:
    """Distance to the held-out texts, attributes, effective size, and what students learn.

    Args:
        weights: (m,) of the pool, fitted to the real texts.
        n: rows of a student's training set; seeds: of its draws from the pool.
    """
    sigma = median_distance(np.vstack([pool.points, real.points]))
    how = {"fitted": len(real.rows), "bandwidth": sigma}
    found = alignment_report(pool.points, held_out.points, weights, **how)
    measured = {
        "MMD2 ratio": found.ratio,
        "MMD2 / noise floor": found.mmd2 / found.floor,
        "effective size": found.effective,
        "largest weight": found.largest,
    }
    for name in VALUES:
        measured[f"TV {name}"] = total_variation(pool.of(name), held_out.of(name), weights)
    draws = [systematic_resample(weights, n, seed=seed) for seed in seeds]
    return {**measured, **student_accuracy(pool, held_out, draws)}


def student_accuracy(pool: Texts, held_out: Texts, draws: Sequence[np.ndarray]) -> dict[str, float]:
    """Accuracy of a logistic regression on the embedding, a mean over the draws, by task."""
    from sklearn.linear_model import LogisticRegression

    found = {}
    for task in TASKS:
        labels, wanted = np.array(pool.of(task)), held_out.of(task)
        scores = []
        for at in draws:
            student = LogisticRegression(max_iter=300).fit(pool.points[at], labels[at])
            scores.append(student.score(held_out.points, wanted))
        found[f"accuracy, {task}"] = float(np.mean(scores))
    return found
