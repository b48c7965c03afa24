"""Two samples of vectors: maximum mean discrepancy and its test, a classifier, the Vendi score."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.arguments import finite_rows

PERMUTATIONS = 500


def gaussian_kernel(*samples: np.ndarray) -> np.ndarray:
    """The Gaussian kernel (n, n) float32 of all rows together, as wide as their median distance.

    Rows that are all equal have the kernel 1: nothing tells them apart.

    Args:
        samples: (n, d) each. Neither their unit nor where they lie matters.

    Raises:
        ValueError: no rows, no columns, or a number that is missing or infinite.
    """
    from sklearn.metrics import euclidean_distances

    rows = _standard(np.concatenate(samples)).astype(np.float32)
    squared = euclidean_distances(rows, squared=True)  # computed in float64, block by block
    apart = squared[squared > 1e-9]  # each pair twice, which leaves the median as it is
    if not len(apart):
        return np.ones_like(squared)
    middle = len(apart) // 2
    apart.partition(middle)
    median = (apart[:middle].max() + apart[middle]) / 2
    squared /= -2 * median  # in place: new arrays take longer
    return np.exp(squared, out=squared)


def _standard(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) moved to their medians, in the unit of the median row's length.

    Single precision would lose the digits of rows far from 0, and squares overflow or vanish.
    """
    rows = finite_rows(rows, "rows of features")
    if not rows.size:
        raise ValueError(f"features need a row and a column, got shape {rows.shape}")
    rows = rows / (np.abs(rows).max() or 1)
    rows -= np.median(rows, axis=0)
    rows /= np.abs(rows).max() or 1
    lengths = np.linalg.norm(rows, axis=1)
    return rows / np.median(lengths[lengths > 0]) if lengths.any() else rows


def mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The squared maximum mean discrepancy, unbiased (Gretton et al., 2012): 0 is equal.

    Args:
        x, y: (n, d) each, n rows of both. The value can be a little below 0.

    Raises:
        ValueError: samples of two sizes, or of one row; see `gaussian_kernel`.
    """
    sides = _sides(x, y)[:, None]
    return float(_discrepancies(gaussian_kernel(x, y), sides)[0])


def mmd_p_value(x: np.ndarray, y: np.ndarray, seed: int = 0, n: int = PERMUTATIONS) -> float:
    """The share of `n` random exchanges of rows whose `mmd` is no smaller, (1 + c) / (1 + n).

    Raises:
        ValueError: see `mmd`.
    """
    rng, own = np.random.default_rng(seed), _sides(x, y)
    shuffled = np.stack([own, *(rng.permutation(own) for _ in range(n))], axis=1)
    kernel = gaussian_kernel(x, y).astype(float)  # sums of float32 would break ties
    found = _discrepancies(kernel, shuffled)
    return float(np.mean(found >= found[0] - 1e-9))  # equal but for rounding


def _sides(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if len(x) != len(y) or len(x) < 2:
        raise ValueError(f"take two samples of one size, at least 2; got {len(x)} and {len(y)}")
    return np.repeat(np.float32([1, 0]), len(x))


def _discrepancies(kernel: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """MMD² of each column of `sides`, (2n, m) with 1 for the rows of the first sample.

    Zeros take the place of the kernel's diagonal: no row counts beside itself.
    """
    n = len(kernel) / 2
    np.fill_diagonal(kernel, 0)
    sums = kernel @ sides  # of each row, over the first sample
    own = (sums * sides).sum(axis=0, dtype=float)
    cross = sums.sum(axis=0, dtype=float) - own
    rest = kernel.sum(dtype=float) - own - 2 * cross
    return (own + rest) / (n * (n - 1)) - 2 * cross / n**2


def vendi(kernel: np.ndarray) -> float:
    """The Vendi score (Friedman and Dieng, 2023, TMLR): how many unlike entries there are, 1 to n.

    Args:
        kernel: (n, n) similarities, 1 on the diagonal.
    """
    from scipy.linalg import eigvalsh

    values = eigvalsh(np.float32(kernel) / len(kernel))  # half the time of float64
    values = values[values > 1e-12].astype(float)
    return float(np.exp(-(values * np.log(values)).sum()))


def c2st_linear(x: Any, y: Any, seed: int = 0, folds: int = 5) -> float:
    """The AUC with which a linear classifier tells rows of x from rows of y, cross-validated.

    Lopez-Paz and Oquab (2017, ICLR). 0.5: it cannot; 1: each row shows where it is from; below 0.5:
    rows have their twins on the other side.

    Args:
        x, y: sparse or dense rows, equally many.
        seed: of the folds.
        folds: how many.
    """
    from scipy.sparse import csr_matrix, vstack
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    rows = vstack([csr_matrix(x), csr_matrix(y)])
    sides = np.repeat([0, 1], [x.shape[0], y.shape[0]])
    model = LogisticRegression(C=10, solver="liblinear", random_state=seed)
    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return float(cross_val_score(model, rows, sides, cv=cut, scoring="roc_auc").mean())


def two_nearest(rows: np.ndarray, others: np.ndarray, own: np.ndarray | None = None) -> np.ndarray:
    """The Euclidean distances (n, 2) of each row to its two nearest among `others`.

    Args:
        rows: (n, d). others: (m, d), m >= 2 and besides the row itself.
        own: (n,) where in `others` each row stands itself, to be passed over.

    Raises:
        ValueError: too few `others`, or numbers as `gaussian_kernel` refuses them.
    """
    from sklearn.neighbors import NearestNeighbors

    if len(others) < (least := 2 if own is None else 3):
        raise ValueError(f"two nearest of {least} or more others are needed, got {len(others)}")
    moved = _standard(np.concatenate([others, rows]))
    search = NearestNeighbors(n_neighbors=min(3, len(others)), algorithm="brute")
    place = search.fit(moved[: len(others)]).kneighbors(moved[len(others) :], return_distance=False)
    rows, others = rows.astype(float), others.astype(float)
    distance = [np.linalg.norm(rows - others[each], axis=1) for each in place.T]  # of equal rows 0
    distance = np.stack(distance, axis=1)
    if own is not None:
        distance[place == own[:, None]] = np.inf
    return np.sort(distance, axis=1)[:, :2]


def neighbour_ratio(nearest: np.ndarray) -> np.ndarray:
    """The nearest over the second nearest distance (n,), in [0, 1]: near 0, one entry stands out.

    Args:
        nearest: (n, 2) distances. Where both are 0 several entries are equal, and the ratio is 1.
    """
    first, second = nearest.T
    return np.divide(first, second, out=np.ones(len(first)), where=second > 0)
