"""Written texts between the real texts that weights are fitted to and those that judge."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...evaluation.text import tfidf
from ...evaluation.two_samples import c2st_linear
from ...synalign.alignment import align, alignment_report, mmd2, systematic_resample
from ...synalign.judging import noise_floor, total_variation
from ...synalign.kernels import width
from ...synalign.schemas import SURFACE
from .experiment_real import ABSENT
from .prediction import linear_score

C2ST_DRAWS = 3


@dataclass(frozen=True)
class Sides:
    """Three sides of a comparison: the written texts, those to fit to, and those that judge.

    Attributes:
        texts: of each side. labels: their classes, or None.
        vectors: (n, d), (m, d) and (k, d).
    """

    texts: tuple[list[str], list[str], list[str]]
    labels: tuple[list, list, list] | None
    vectors: tuple[np.ndarray, np.ndarray, np.ndarray]

    def seen_by(self, encoder: Any) -> Sides:
        """The same texts with the vectors of another encoder."""
        return replace(self, vectors=tuple(encoder(texts) for texts in self.texts))

    def take(self, n: int) -> Sides:
        """The first `n` written texts."""
        return replace(
            self,
            texts=(self.texts[0][:n], *self.texts[1:]),
            labels=self.labels and (self.labels[0][:n], *self.labels[1:]),
            vectors=(self.vectors[0][:n], *self.vectors[1:]),
        )

    def width(self, factor: float = 1.0) -> float:
        """The kernel's width: the median distance of the texts to fit to, times `factor`."""
        return factor * width(None, self.vectors[1])

    def equal(self) -> np.ndarray:
        """Equal weights (n,)."""
        return np.full(len(self.texts[0]), 1 / len(self.texts[0]))

    def weights(
        self, method: str, seed: int, few: int | None = None, factor: float = 1.0
    ) -> np.ndarray:
        """Weights (n,) by `align`, class by class, fitted to `few` real texts (None: all).

        A class that is among the real texts only is left out.
        """
        x, y, labels = self.vectors[0], self.vectors[1][:few], None
        if self.labels is not None:
            there, real = set(self.labels[0]), self.labels[1][:few]
            kept = [i for i, label in enumerate(real) if label in there]
            y, labels = y[kept], (self.labels[0], [real[i] for i in kept])
        options = {"labels": labels, "bandwidth": self.width(factor), "seed": seed}
        return _quietly(x, y, method=method, **options)

    def best(self, factor: float = 1.0) -> np.ndarray:
        """The weights (n,) that no others beat: exact, and fitted to the texts that judge."""
        x, _, z = self.vectors
        return _quietly(x, z, method="exact", bandwidth=self.width(factor))

    def distances(self, weights: np.ndarray, factor: float = 1.0) -> dict[str, float | None]:
        """MMD^2 to the texts that judge, as it is and against others, and the effective share."""
        x, y, z = self.vectors
        report = alignment_report(x, z, weights, fitted=len(y), bandwidth=self.width(factor))
        return {
            "MMD^2, held out": report.mmd2,
            "over unweighted": report.ratio,
            "over real": report.mmd2 / report.floor if report.floor > 0 else None,
            "effective share": report.effective / report.n,
        }

    @property
    def differ(self) -> bool:
        """True if the encoder tells any of the texts to fit to apart."""
        return bool(np.ptp(self.vectors[1], axis=0).max() > 1e-6)

    def real_to_real(self, factor: float = 1.0) -> float | None:
        """MMD^2 of both real sides, over what two random samples of real texts would have.

        The kernel has `factor` times the usual width. None where the texts that judge are all alike
        to the encoder.
        """
        _, y, z = self.vectors
        sigma = self.width(factor)
        floor = noise_floor(z, len(y), len(z), sigma)
        return mmd2(y, z, bandwidth=sigma) / floor if floor > 1e-9 else None

    def attributes(self, weights: np.ndarray) -> float:
        """The mean distance (TV) of the attributes that can be seen in a text."""
        seen = [[SURFACE.read(text) for text in self.texts[side]] for side in (0, 2)]
        return float(np.mean([
            total_variation(*([row.get(name, ABSENT) for row in side] for side in seen), weights)
            for name in SURFACE.names
        ]))  # fmt: skip

    def told_apart(self, weights: np.ndarray, n: int, seed: int) -> float:
        """AUC of a classifier between `n` texts drawn by weight and `n` that judge, by words."""
        n, rng, found = min(n, len(self.texts[2])), np.random.default_rng(seed), []
        for draw in range(C2ST_DRAWS):
            index = systematic_resample(weights, n, seed=C2ST_DRAWS * seed + draw)
            real = rng.permutation(len(self.texts[2]))[:n]
            drawn = [self.texts[0][int(i)] for i in index]
            rows = tfidf(drawn, [self.texts[2][int(i)] for i in real])
            found.append(c2st_linear(*rows, seed=seed))
        return float(np.mean(found))

    def accuracy(self, weights: np.ndarray | None, few: int = 0) -> float | None:
        """Accuracy of a linear student (TF-IDF) on the texts that judge.

        Args:
            weights: (n,) of the written texts, each 1 on average; None leaves them out.
            few: real texts that it learns from as well, of weight 1 each.

        Returns:
            None where there are no classes, or one only to learn from.
        """
        n = 0 if weights is None else len(weights)
        if self.labels is None:
            return None
        labels = [*self.labels[0][:n], *self.labels[1][:few]]
        if len(set(labels)) < 2:
            return None
        each = np.concatenate([np.zeros(0) if weights is None else n * weights, np.ones(few)])
        train, test = tfidf([*self.texts[0][:n], *self.texts[1][:few]], self.texts[2])
        return linear_score(train, labels, test, self.labels[2], each).accuracy


def _quietly(x: np.ndarray, y: np.ndarray, **options: Any) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of collapse: the effective share says it
        return align(x, y, **options)


def rightness(said: Sequence, truth: Sequence, names: Sequence[str]) -> dict[str, float | None]:
    """The share of records that say what is true of their text, by attribute and on average.

    Records that are None are left out; without any, there are no shares.
    """
    both = [(record, row) for record, row in zip(said, truth) if record is not None]
    found = {
        name: float(np.mean([record[name] == row[name] for record, row in both])) if both else None
        for name in names
    }
    shares = {f"right: {name}": share for name, share in found.items()}
    return {**shares, "right": float(np.mean([*found.values()])) if both else None}
