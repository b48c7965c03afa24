"""TF-IDF of words and word pairs, then a truncated SVD."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np

from ..core.packing import Files, Read, array_bytes, json_bytes, read_arrays
from ..core.texts import split_words
from .base import Embedder, checked_texts

_log = logging.getLogger(__name__)


class TfidfEmbedder(Embedder):
    """TF-IDF of words and word pairs, then a truncated SVD: no download, always there.

    The last column is kept for texts that share no word or mark with the fitted ones. Such a text
    is the unit vector along it: at a right angle to every other text, and never mistaken for a
    typical one. With few or much alike texts there are fewer than `dims` columns.

    Args:
        dims: the most columns, that last one included; 2 or more.
        seed: of the randomised SVD.

    Raises:
        ValueError: `dims` is below 2.

    Source: latent semantic analysis (Deerwester et al., 1990).
    """

    def __init__(self, dims: int = 64, seed: int = 0):
        if dims < 2:
            raise ValueError(f"dims counts columns and must be 2 or more, got {dims}")
        self.dims, self.seed = int(dims), int(seed)
        self._vectoriser: Any = None
        self._components: np.ndarray | None = None  # (words, k), k < dims

    @property
    def settings(self) -> dict[str, Any]:
        return {"embedder": "tfidf", "dims": self.dims, "seed": self.seed}

    def fit(self, texts: Any) -> TfidfEmbedder:
        """Learn the vocabulary, its weights and the components; a second call starts afresh."""
        from sklearn.utils.extmath import randomized_svd

        vectoriser = _vectoriser()
        rows = vectoriser.fit_transform(checked_texts(texts))  # (n, words), sparse
        k = min(self.dims - 1, *rows.shape)
        _, values, components = randomized_svd(rows, k, n_iter=5, random_state=self.seed)
        components = components[values > 1e-6 * values[0]]  # the rest is rounding
        self._vectoriser, self._components = vectoriser, np.ascontiguousarray(components.T)
        self._width = None
        return self

    @property
    def is_fitted(self) -> bool:
        return self._components is not None

    def _need_fit(self) -> None:
        if not self.is_fitted:
            raise RuntimeError("this TfidfEmbedder is not fitted: call fit(texts) first")

    def pack(self) -> Files:
        """The learned state as files: no text, and no pickle.

        `embedder.words.json` holds the vocabulary, `embedder.safetensors` the inverse document
        frequencies (words,) and the components (words, k), both float64.
        """
        self._need_fit()
        places = self._vectoriser.vocabulary_
        known = sorted(places, key=places.get)
        learned = array_bytes(idf=self._vectoriser.idf_, components=self._components)
        words = json_bytes(known)
        return {**super().pack(), "embedder.words.json": words, "embedder.safetensors": learned}

    def restore(self, read: Read) -> None:
        """Take over what `pack` made."""
        known = json.loads(read("embedder.words.json"))
        arrays = read_arrays(read("embedder.safetensors"))
        vectoriser = _vectoriser(vocabulary={word: i for i, word in enumerate(known)})
        vectoriser.idf_ = arrays["idf"]
        self._vectoriser, self._components = vectoriser, arrays["components"]

    def _vectors(self, texts: list[str]) -> np.ndarray:
        self._need_fit()
        known = self._vectoriser.transform(texts) @ self._components  # (n, k)
        unknown = np.linalg.norm(known, axis=1) < 1e-6
        if unknown.any():
            _log.warning(
                "%d of %d texts share no word with the fitted texts", unknown.sum(), len(texts)
            )
        return np.column_stack([np.where(unknown[:, None], 0.0, known), unknown])


def _vectoriser(**options: Any) -> Any:
    """Of words and pairs of neighbouring words, not fitted unless a vocabulary is given."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(tokenizer=split_words, token_pattern=None, ngram_range=(1, 2), **options)
