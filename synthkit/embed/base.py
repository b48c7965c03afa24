"""Embedders in general: texts in, checked unit vectors out."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ..core.packing import Files, json_bytes
from ..datasets import texts_of


class Embedder(ABC):
    """Texts in, unit vectors out.

    A subclass sets `settings` and writes `_vectors`. `fit` is there for every kind, though only
    TF-IDF learns anything, so that a caller need not know which kind it holds.
    """

    _width: int | None = None  # columns of the first call; later ones must agree

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Arguments for `load_embedder` to make the same embedder again; plain JSON."""

    @abstractmethod
    def _vectors(self, texts: list[str]) -> Any:
        """Anything that numpy reads as (n, d) numbers."""

    @property
    def is_fitted(self) -> bool:
        """True where it can embed; only one that learns has anything to wait for."""
        return True

    def fit(self, texts: Any) -> Embedder:
        """Learn from `texts` (a list, or a dataset with a text column); returns self."""
        checked_texts(texts)
        return self

    def pack(self) -> Files:
        """Settings, the width seen so far and what was learned, as files; no model."""
        return {"embedder.json": json_bytes({"settings": self.settings, "width": self._width})}

    def __call__(self, texts: Any) -> np.ndarray:
        """The vectors of `texts`, (n, d) float32, each row of Euclidean length 1.

        Args:
            texts: a list of str, or what `synthkit.datasets.texts_of` reads.

        Raises:
            ValueError: no texts, an empty text, or vectors that are not n finite rows of one width.
            TypeError: an entry is not a str.
        """
        texts = checked_texts(texts)
        vectors = unit_rows(self._vectors(texts), len(texts), type(self).__name__)
        if self._width not in (None, vectors.shape[1]):
            raise ValueError(
                f"{self!r} gave {self._width} columns before and {vectors.shape[1]} now: vectors "
                "of two widths cannot be compared; use one encoder for all texts"
            )
        self._width = vectors.shape[1]
        return vectors

    def __repr__(self) -> str:
        given = {name: value for name, value in self.settings.items() if name != "embedder"}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in given.items())})"


def checked_texts(texts: Any) -> list[str]:
    """`texts` as a list of str, none of them blank, all with composed characters (NFC).

    Raises:
        ValueError: there are no texts, or one is blank. TypeError: an entry is not a str.
    """
    texts = texts_of(texts)
    blank = [i for i, text in enumerate(texts) if not text.strip()]
    if blank:
        raise ValueError(
            f"{len(blank)} of {len(texts)} texts are empty, the first is text {blank[0]} "
            f"({texts[blank[0]]!r}): an empty text has no direction; drop it first"
        )
    return [unicodedata.normalize("NFC", text) for text in texts]


def unit_rows(vectors: Any, n: int, name: str = "the encoder") -> np.ndarray:
    """`vectors` as (n, d) float32 rows of length 1.

    Raises:
        ValueError: another shape, numbers that are not finite, or a row of zeros.
    """
    try:
        vectors = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} gave no (n, d) array of numbers for {n} texts: {error}") from None
    if vectors.ndim != 2 or len(vectors) != n or vectors.shape[1] < 1:
        raise ValueError(
            f"{name} gave an array of shape {vectors.shape} for {n} texts; it must be ({n}, d), "
            "one row a text"
        )
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{name} gave numbers that are not finite for {len(wrong)} of {n} texts, the first is "
            f"text {wrong[0]}; leave those texts out or repair the encoder"
        )
    largest = np.abs(vectors).max(axis=1, keepdims=True)  # so that squares stay in range
    if not largest.all():
        raise ValueError(
            f"{name} gave only zeros for text {np.flatnonzero(largest == 0)[0]} of {n}: "
            "a row of zeros has no direction; leave that text out"
        )
    vectors = vectors / largest
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
