"""Scores of a set of labelled texts: what it teaches, how near, how varied and how new it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...embed.encoders import LMEmbedder
from ...evaluation.text import distinct_n, exact_duplicates, near_duplicates, tfidf
from ...evaluation.two_samples import c2st_linear, vendi
from ...synalign.alignment import mmd2
from ...synalign.kernels import gaussian_kernel, width
from ..synalign.prediction import linear_score
from .tasks import Row

ALONE, BESIDE, MMD, C2ST = "accuracy, alone", "accuracy, beside real", "MMD^2", "C2ST AUC"
DISTINCT, VENDI, COPIES, REPEATS = "different pairs of words", "Vendi", "near copies", "repeats"
FEWEST = 12  # rows that are scored
NONE = dict.fromkeys((ALONE, BESIDE, MMD, C2ST, DISTINCT, VENDI, COPIES, REPEATS))


def texts_of(rows: Sequence[Row]) -> list[str]:
    """The texts of rows."""
    return [row["text"] for row in rows]


def classes_of(rows: Sequence[Row]) -> list[str]:
    """The classes of rows."""
    return [row["label"] for row in rows]


class Remembering(LMEmbedder):
    """A model's own view of texts, each of which it reads once."""

    def __init__(self, lm: Any, kind: str):
        super().__init__(lm, kind)
        self._known: dict[str, np.ndarray] = {}

    def _vectors(self, texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= dict(zip(new, super()._vectors(new)))
        return np.stack([self._known[text] for text in texts])


@dataclass
class Judge:
    """Real rows that judge written ones.

    Attributes:
        encoder: from n texts to (n, d). train: rows that the ways saw. test: rows they did not.
        seed: of the classifier's folds.
    """

    encoder: Any
    train: Sequence[Row]
    test: Sequence[Row]
    seed: int

    def __post_init__(self):
        known = self.encoder(texts_of(self.train))
        self._mean = known.mean(0)
        self._train, self._test = self._turned(known), self.vectors(self.test)
        self.width = width(None, self._train)

    def _turned(self, x: np.ndarray) -> np.ndarray:
        """Vectors (n, d) seen from the mean of the real ones, of length 1."""
        x = np.asarray(x, dtype=float) - self._mean
        return x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-9)

    def vectors(self, rows: Sequence[Row]) -> np.ndarray:
        """Vectors (n, d) of rows."""
        return self._turned(self.encoder(texts_of(rows)))

    def score(self, rows: Sequence[Row]) -> dict[str, float | None]:
        """All scores of written rows; without `FEWEST` of them there are none."""
        if len(rows) < FEWEST:
            return dict(NONE)
        texts, x = texts_of(rows), self.vectors(rows)
        n = min(len(texts), len(self.test))
        words = tfidf(texts[:n], texts_of(self.test[:n]))
        return {
            ALONE: self.accuracy(rows, x),
            BESIDE: self.accuracy([*rows, *self.train], np.concatenate([x, self._train])),
            MMD: mmd2(x, self._test, bandwidth=self.width),
            C2ST: c2st_linear(*words, seed=self.seed),
            DISTINCT: distinct_n(texts, 2),
            VENDI: vendi(gaussian_kernel(x, x, self.width)),
            COPIES: near_duplicates(texts, texts_of(self.train)).mean(),
            REPEATS: exact_duplicates(texts).mean(),
        }

    def accuracy(
        self, rows: Sequence[Row], x: np.ndarray, weights: np.ndarray | None = None
    ) -> float | None:
        """Accuracy of a linear student of rows on the test; None where they have one class."""
        labels = classes_of(rows)
        there = labels if weights is None else [a for a, w in zip(labels, weights) if w > 0]
        if len(set(there)) < 2:
            return None
        return linear_score(x, labels, self._test, classes_of(self.test), weights).accuracy

    def real_alone(self) -> float | None:
        """Accuracy of a student of the real rows alone."""
        return self.accuracy(self.train, self._train)

    def weighted(self, rows: Sequence[Row], weights: np.ndarray | None) -> tuple:
        """MMD^2 and the student's accuracy with weights (n,), or equal ones."""
        x = self.vectors(rows)
        return mmd2(x, self._test, weights, bandwidth=self.width), self.accuracy(rows, x, weights)
