"""Weights of a pool of reviews, by every arm, and what they are measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...synalign.alignment import (
    align,
    alignment_report,
    class_wise,
    density_ratio_weights,
    median_distance,
    ratio_weights,
    systematic_resample,
    total_variation,
)
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
