"""BM25+: how well the words of a query match each document, the lexical rival of influence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..datasets import is_list_of_texts, rows_of, values_of
from ..evaluation.text import words
from ..lm.finetune import as_prompt_and_completion


def bm25_scores(
    queries,
    documents,
    k1: float = 1.5,
    b: float = 0.75,
    delta: float = 1.0,
    tokenise: Callable[[str], Sequence[str]] = words,
) -> np.ndarray:
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
        ValueError: no queries, no documents, no term in any document, a bad constant, or a row
            that cannot be used. TypeError: an entry is neither a text nor a row.

    Source: Lv and Zhai (2011, CIKM); SPA (arXiv 2411.06722), appendix A.
    """
    _check_constants(k1, b, delta)
    asked = [tokenise(text) for text in _texts(queries, "queries")]
    found = [Counter(tokenise(text)) for text in _texts(documents, "documents")]
    lengths = np.array([each.total() for each in found], dtype=float)  # (n,)
    if not lengths.any():
        raise ValueError(f"not one of the {len(found)} documents has a word; check the texts")
    index = {term: i for i, term in enumerate(dict.fromkeys(term for doc in found for term in doc))}
    place = k1 * (1 - b + b * lengths / lengths.mean())  # (n,)
    gains = _saturated(found, index, place, k1)  # (n, V)
    holding = np.bincount(gains.indices, minlength=len(index))  # N_t (V,)
    idf = np.log((len(found) + 1) / holding)
    weights = np.zeros((len(asked), len(index)))
    for row, terms in zip(weights, asked):
        for term, count in Counter(terms).items():
            if term in index:
                row[index[term]] = count * idf[index[term]]
    return (gains @ weights.T).T + delta * weights.sum(1, keepdims=True)


def _saturated(found: Sequence[Counter], index: Mapping[str, int], place: np.ndarray, k1: float):
    """f (k1 + 1) / (f + place) of every term of every document, sparse (n, V)."""
    from scipy.sparse import csr_array

    starts = np.cumsum([0, *map(len, found)])
    columns = np.array([index[term] for doc in found for term in doc])
    counts = np.array([count for doc in found for count in doc.values()], dtype=float)
    spread = np.repeat(place, np.diff(starts))
    values = counts * (k1 + 1) / (counts + spread)
    return csr_array((values, columns, starts), shape=(len(found), len(index)))


def _check_constants(k1: float, b: float, delta: float) -> None:
    if not (0 <= k1 < np.inf and 0 <= b <= 1 and 0 <= delta < np.inf):
        raise ValueError(
            f"BM25+ needs k1 >= 0, 0 <= b <= 1 and delta >= 0; found k1={k1}, b={b}, delta={delta}"
        )


def _texts(rows, what: str) -> list[str]:
    """The texts of `rows`: themselves, or prompt and completion of each row."""
    if isinstance(rows, str):
        raise TypeError(f"{what} must be a list of texts or rows, found one text: {rows[:40]!r}")
    if not isinstance(rows, (list, tuple)):
        rows = values_of(rows, what) if is_list_of_texts(rows) else rows_of(rows)
    if not len(rows):
        raise ValueError(f"there are no {what}: give at least one")
    pairs = enumerate(rows)
    return [row if isinstance(row, str) else "".join(_pair(row, what, i)) for i, row in pairs]


def _pair(row, what: str, number: int) -> tuple[str, str]:
    if not isinstance(row, Mapping):
        found = f"{type(row).__name__} at {number}"
        raise TypeError(f"{what} must be texts or rows, found {found}")
    return as_prompt_and_completion(row, number)
