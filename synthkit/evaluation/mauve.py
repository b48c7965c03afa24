"""Fidelity of generated texts to real ones as distributions (MAUVE).

MAUVE (Pillutla et al., 2021, NeurIPS) cuts a feature space into buckets and compares the two
histograms. It sees missing and invented modes, and does not see memorisation: a training set drawn
again scores like real text. Read it beside the score of real text against real text, and beside
the near-copy rates (`contamination`). The computation is that of the package mauve-text (GPLv3),
which only `mauve` imports.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arguments import finite_rows
from ..datasets import texts_of
from .text import tfidf, words

LEAST = 250  # rows a side: below, MAUVE calls unlike sets alike


def text_features(*sets: Sequence[str], dims: int = 48, seed: int = 0) -> list[np.ndarray]:
    """Features of each set of texts: TF-IDF of words and word pairs, then `dims` SVD dimensions.

    Vocabulary, weights and dimensions are fitted on all sets together: features, and scores made
    from them, are comparable only within one call. No language model is involved.

    Args:
        sets: the sets of texts, for example generated, real and a second sample of real ones. Cut
            them to like lengths first where a length limit applies to one side alone.
        dims: dimensions kept; fewer come back where the texts have fewer.
        seed: of the randomised SVD.

    Returns:
        One (n, d) float32 array a set, d <= dims.

    Raises:
        ValueError: no set, an empty one, or texts without a single word.
    """
    from scipy.sparse import vstack
    from sklearn.decomposition import TruncatedSVD
    from threadpoolctl import threadpool_limits

    if not sets or dims < 1 or any(isinstance(texts, str) for texts in sets):
        raise ValueError(f"give one or more lists of texts and dims >= 1, got dims={dims}")
    sets = tuple(texts_of(texts, least=0) for texts in sets)
    sizes = [len(texts) for texts in sets]
    if min(sizes) == 0:
        raise ValueError(f"every set needs texts, got sets of {sizes}")
    if not any(words(text) for texts in sets for text in texts):
        raise ValueError(f"none of the {sum(sizes)} texts has a word: there is nothing to compare")
    rows = vstack(tfidf(*sets))
    if rows.shape[1] == 1:  # one word in all: nothing to reduce
        return np.split(rows.toarray().astype(np.float32), np.cumsum(sizes)[:-1])
    with threadpool_limits(limits=1), np.errstate(invalid="ignore"):  # texts that are all equal
        svd = TruncatedSVD(min(dims, *rows.shape), random_state=seed)
        features = svd.fit_transform(rows).astype(np.float32)
    return np.split(features, np.cumsum(sizes)[:-1])


@dataclass(frozen=True)
class MauveScore:
    """MAUVE of generated against real rows, averaged over several clusterings.

    Attributes:
        mauve: the mean score, in (0, 1]; 1: the histograms agree.
        sd: its standard deviation over the clusterings (not over samples or trainings).
        frontier_integral: the mean frontier integral, in [0, 1]; 0: the histograms agree. It has
            no scaling constant.
        frontier_integral_star: the same with half a row added to every bucket.
        buckets: k of the k-means.
        n: rows of the smaller side.
        scaling: the constant c of the scores.
        scores: MAUVE for each clustering seed.
        faiss: version of the clustering library; another version may give other scores.
    """

    mauve: float
    sd: float
    frontier_integral: float
    frontier_integral_star: float
    buckets: int
    n: int
    scaling: float
    scores: tuple[float, ...]
    faiss: str

    def __str__(self) -> str:
        return (
            f"MAUVE {self.mauve:.3f} (sd {self.sd:.3f} over {len(self.scores)} clusterings), "
            f"frontier integral {self.frontier_integral:.3f}; n={self.n}, k={self.buckets}"
        )


def mauve(
    generated: Any,
    real: Any,
    *,
    clusters: int | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    scaling: float = 5,
) -> MauveScore:
    """Compare the distributions of two sets of feature vectors.

    Args:
        generated: (n, d) features of the generated texts, the package's p. The roles are not quite
            symmetric: the clustering depends on the order of the rows.
        real: (m, d) features of the real ones, its q, from the same call of `text_features`.
        clusters: buckets k. Default: a twentieth of the smaller side. Fewer hide missing modes;
            with more, two samples of one distribution score visibly below 1.
        seeds: of the clusterings; the score is the mean over them.
        scaling: the constant c. A larger one spreads scores near 1 and lowers all of them.

    One thread and fixed seeds: the same input gives the same score.

    Raises:
        ValueError: fewer than 250 rows on a side, unequal widths, values that are not finite, rows
            that are all equal, or a number of buckets that does not fit.
    """
    p, q = _feature_rows(generated, "generated"), _feature_rows(real, "real")
    k = _buckets(p, q, clusters)
    if not len(seeds) or not scaling > 0:
        raise ValueError(f"MAUVE needs clustering seeds and scaling > 0, got {seeds}, {scaling}")
    import faiss
    from mauve import compute_mauve

    with _one_thread(), _silent():
        found = [
            compute_mauve(p_features=p, q_features=q, num_buckets=k, seed=int(seed),
                          mauve_scaling_factor=scaling)
            for seed in seeds
        ]  # fmt: skip
    scores = tuple(_score(one) for one in found)
    return MauveScore(
        mauve=float(np.mean(scores)),
        sd=float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
        frontier_integral=float(np.mean([one.frontier_integral for one in found])),
        frontier_integral_star=float(np.mean([one.frontier_integral_star for one in found])),
        buckets=k,
        n=min(len(p), len(q)),
        scaling=float(scaling),
        scores=scores,
        faiss=faiss.__version__,
    )


def _feature_rows(features: Any, name: str) -> np.ndarray:
    """(n, d) float64 with n >= LEAST, all finite; a tensor is detached."""
    rows = finite_rows(features, f"{name} rows")
    if len(rows) < LEAST:
        raise ValueError(
            f"MAUVE needs at least {LEAST} rows a side, and 1,000 is better: smaller samples look "
            f"alike whatever they are; found {len(rows)} {name} rows"
        )
    return rows


def _score(found: Any) -> float:
    """MAUVE of one clustering; 1 for equal histograms, where the package may answer 0.75.

    It sorts the points of the curve, and equal histograms put 25 points and an end at one place.
    """
    same = np.allclose(found.p_hist, found.q_hist, rtol=0, atol=1e-12)
    return 1.0 if same else float(found.mauve)


def _buckets(p: np.ndarray, q: np.ndarray, clusters: int | None) -> int:
    """The number of buckets as a plain int, after checks of the two sides together."""
    if p.shape[1] != q.shape[1]:
        raise ValueError(
            f"generated rows have {p.shape[1]} features and real rows {q.shape[1]}; make both in "
            "one call of text_features"
        )
    rows = np.concatenate([p, q])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if np.ptp(rows / np.where(lengths > 0, lengths, 1), axis=0).max() < 1e-6:
        raise ValueError(
            f"all {len(rows)} rows are equal (but for their lengths, which do not count): "
            "constant features have no distribution to compare"
        )
    n = min(len(p), len(q))
    k = max(2, round(n / 20)) if clusters is None else int(clusters)
    if not 2 <= k <= n:
        raise ValueError(f"clusters must lie between 2 and the rows of a side ({n}), got {k}")
    return k


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread in BLAS, OpenMP and faiss, so that sums are taken in one order."""
    import faiss
    from threadpoolctl import threadpool_limits

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        faiss.omp_set_num_threads(before)


@contextmanager
def _silent() -> Iterator[None]:
    """Send what C++ code writes to standard error to nowhere: faiss warns of few rows a bucket."""
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
