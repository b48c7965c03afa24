"""BM25+: how well the words of a query match each document, the lexical baseline of influence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..datasets import is_list_of_texts
from ..evaluation.text import words
from ..lm.rows import check_texts
from .streaming import as_pairs


def bm25_scores(
    queries: Any, documents: Any, k1: float = 1.5, b: float = 0.75, delta: float = 1.0,
    tokenise: Callable[[str], Sequence[str]] = words,
) -> np.ndarray:  # fmt: skip
    """BM25+ of every document for every query, (q, n) float64; defaults of rank-bm25's BM25Plus.

    With f(t, d) the count of term t in document d, |d| its length and avg the mean length, a query
    scores sum_t log((N + 1) / N_t) * (delta + f (k1 + 1) / (f + k1 (1 - b + b |d| / avg))), a term
    as often as the query has it. `delta` is added even where a document lacks the term: a constant
    for each query, so compare scores of two queries only after `partition.normalise`.

    Args:
        queries, documents: texts, or rows (question/answer, prompt/completion or text).
        k1: how soon a repeated term stops counting. b: how much long documents are held back.
        delta: what a document gets for a term at least.
        tokenise: a text into terms; default: lower-case words and punctuation marks.

    Raises:
        TypeError, ValueError: nothing to read, no term in any document, or a bad constant.

    Source: Lv and Zhai (2011, CIKM); SPA (arXiv 2411.06722), appendix A.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if not (0 <= k1 < np.inf and 0 <= b <= 1 and 0 <= delta < np.inf):
        raise ValueError(
            f"BM25+ needs k1 >= 0, 0 <= b <= 1 and delta >= 0; found k1={k1}, b={b}, delta={delta}"
        )
    asked, found = _texts(queries), _texts(documents)
    counter = CountVectorizer(analyzer=tokenise, dtype=float)
    try:
        counts = counter.fit_transform(found)  # f (n, V), sparse
    except ValueError as error:
        raise ValueError(
            f"not one of the {len(found)} documents has a word; check the texts"
        ) from error
    lengths = np.asarray(counts.sum(1)).ravel()
    place = k1 * (1 - b + b * lengths / lengths.mean())  # (n,)
    holding = np.bincount(counts.indices, minlength=counts.shape[1])  # N_t (V,)
    weights = counter.transform(asked).multiply(np.log((len(found) + 1) / holding)).tocsr()
    counts.data *= (k1 + 1) / (counts.data + np.repeat(place, np.diff(counts.indptr)))
    return (weights @ counts.T).toarray() + delta * np.asarray(weights.sum(1)).reshape(-1, 1)


def _texts(rows: Any) -> list[str]:
    """The texts of `rows`: themselves, or prompt and completion of each row."""
    if isinstance(rows, str) or is_list_of_texts(rows):
        return check_texts(rows)
    return ["".join(pair) for pair in as_pairs(rows)]
