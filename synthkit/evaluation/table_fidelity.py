"""Fidelity of a synthetic table by hand: its columns, its pairs of columns, its values.

`shape_error` and `pair_error` are 100 minus two scores of SDMetrics ("Column Shapes" and "Column
Pair Trends" with both thresholds at 0), the figures that papers on synthetic tables print.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .table_columns import (
    check_tables,
    codes_of,
    column_kinds,
    counts_of,
    numbers_of,
    origin_of,
    places_of,
)

if TYPE_CHECKING:
    import pandas as pd

RARE = 0.05  # the largest share of a rare category

# --- columns and pairs --------------------------------------------------------------------------


def shape_error(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, categories: Sequence[str] = ()
) -> float:
    """Distance of the single columns from the real ones, in %: 0 is equal, 100 is disjoint.

    The mean over columns of the Kolmogorov-Smirnov distance (numbers, dates) or of the total
    variation distance (categories), missing values left out: 100 minus the "Column Shapes" score
    of SDMetrics. A column that only the synthetic table leaves empty counts 100 (SDMetrics skips
    it); one that the real table leaves empty is skipped.

    Raises:
        TypeError, ValueError: see `check_tables`.
    """
    real, synthetic = check_tables(real, synthetic)
    errors = []
    for name, kind in column_kinds(real, categories).items():
        a, b = (table[name].dropna() for table in (real, synthetic))
        if kind == "category":
            a, b = _joint_codes(a, b)
        else:
            a, b = (x[~np.isnan(x)].round(14) for x in _numbers_of_both(a, b, kind))
        if len(a):
            distance = _total_variation if kind == "category" else _ks_distance
            errors.append(distance(a, b) if len(b) else 1.0)
    return 100 * float(np.mean(errors)) if errors else math.nan


def pair_error(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    categories: Sequence[str] = (),
    edges: str = "own",
) -> float:
    """Distance of the pairs of columns from the real ones, in %: 0 is equal.

    The mean over all pairs of half the difference of their correlations (two numbers) or of the
    total variation distance of their joint shares (with a category; numbers in ten bins of equal
    width): 100 minus the "Column Pair Trends" score of SDMetrics with both thresholds at 0. Papers
    print this one. It has a fault: each table gets bins over its own range, so one extreme value
    moves every bin, and a sample of real rows looks worse than independent columns.

    A pair whose correlation the real table leaves undefined is skipped; a constant synthetic column
    has correlation 0 (SDMetrics skips it).

    Args:
        real, synthetic: tables of the same columns.
        categories: columns of numbers that are codes of categories.
        edges: "own" for SDMetrics' bins, "real" for those of the real table on both sides.

    Raises:
        TypeError, ValueError: see `check_tables`; another `edges`.
    """
    real, synthetic = check_tables(real, synthetic)
    if edges not in ("own", "real"):
        raise ValueError(f"edges is 'own' (as SDMetrics) or 'real', got {edges!r}")
    kinds = column_kinds(real, categories)
    parts = {name: _pair_parts(real[name], synthetic[name], kinds[name], edges) for name in kinds}
    errors = []
    for one, other in itertools.combinations(kinds, 2):
        (a, a_bins), (b, b_bins) = parts[one], parts[other]
        if a is not None and b is not None:
            errors.append(_correlation_error(a, b))
        else:
            size = 1 + max(x.max() for x in b_bins)
            errors.append(_total_variation(*(x * size + y for x, y in zip(a_bins, b_bins))))
    return 100 * float(np.nanmean(errors)) if not np.all(np.isnan(errors)) else math.nan


_Both = tuple[np.ndarray, np.ndarray]  # of the real and of the synthetic table


def _pair_parts(
    real: pd.Series, synthetic: pd.Series, kind: str, edges: str
) -> tuple[_Both | None, _Both]:
    """A column's numbers (None for a category) and its bins or codes, of both tables."""
    if kind == "category":
        return None, _joint_codes(real, synthetic)
    both = _numbers_of_both(real, synthetic, kind)
    binned, bins = [], None
    for values in both:
        known = values[~np.isnan(values)]
        if bins is None or (edges == "own" and len(known)):
            bins = np.histogram_bin_edges(known if len(known) else [0.0])
        binned.append(np.digitize(values, bins))  # NaN and the largest value: past the last edge
    return both, (binned[0], binned[1])


def _numbers_of_both(real: pd.Series, synthetic: pd.Series, kind: str) -> _Both:
    """Both columns as floats, counted from the same number or day."""
    origin = origin_of(real, kind)
    return numbers_of(real, kind, origin), numbers_of(synthetic, kind, origin)


def _joint_codes(real: pd.Series, synthetic: pd.Series) -> _Both:
    """Both columns as whole numbers, the same for the same category; missing is one of them."""
    import pandas as pd

    both = pd.concat([real.astype(object), synthetic.astype(object)])
    codes, _ = pd.factorize(both, use_na_sentinel=False)
    return codes[: len(real)], codes[len(real) :]


def _total_variation(a: np.ndarray, b: np.ndarray) -> float:
    """Half the sum of |share in a - share in b| over the codes."""
    codes, place = np.unique(np.concatenate([a, b]), return_inverse=True)
    shares = (np.bincount(x, minlength=len(codes)) for x in (place[: len(a)], place[len(a) :]))
    first, second = shares
    return float(np.abs(first / len(a) - second / len(b)).sum() / 2)


def _ks_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of the two empirical distribution functions."""
    points = np.unique(np.concatenate([a, b]))
    below = (np.searchsorted(np.sort(x), points, side="right") / len(x) for x in (a, b))
    first, second = below
    return float(np.abs(first - second).max())


def _correlation_error(a: _Both, b: _Both) -> float:
    real, synthetic = (_correlation(x, y) for x, y in zip(a, b))
    return abs(real - np.nan_to_num(synthetic)) / 2  # NaN where the real one is undefined


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation over the rows that have both values; NaN where a side is constant."""
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y = x[both], y[both]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    x, y = (each / np.abs(each).max() for each in (x, y))  # squares of 1e200 would overflow
    return float(np.corrcoef(x, y)[0, 1])


# --- right values -------------------------------------------------------------------------------


def invalid_values(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, categories: Sequence[str] = ()
) -> pd.DataFrame:
    """Mask (rows, columns) of the synthetic values that the real table rules out.

    A category that the real table lacks, a number or date outside its range, a broken number in a
    column of whole ones, what is no number at all, and a missing value where none is missing.

    Raises:
        TypeError, ValueError: see `check_tables`.
    """
    import pandas as pd

    real, synthetic = check_tables(real, synthetic)
    bad = {}
    for name, kind in column_kinds(real, categories).items():
        missing = synthetic[name].isna().to_numpy()
        if kind == "category":
            wrong = np.isnan(codes_of(synthetic[name], places_of(real[name])))
        else:
            known, found = _numbers_of_both(real[name], synthetic[name], kind)
            known = known[~np.isnan(known)]
            low, high = (known.min(), known.max()) if len(known) else (math.inf, -math.inf)
            wrong = ~((found >= low) & (found <= high))  # NaN is wrong
            if kind == "number" and len(known) and (known == known.round()).all():
                wrong |= found != np.round(found)
        bad[name] = np.where(missing, not real[name].isna().any(), wrong)
    return pd.DataFrame(bad, index=synthetic.index)


def invalid_rate(
    real: pd.DataFrame, synthetic: pd.DataFrame, *, categories: Sequence[str] = ()
) -> float:
    """The share of synthetic rows with a value that the real table rules out."""
    return float(invalid_values(real, synthetic, categories=categories).any(axis=1).mean())


def rare_coverage(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    categories: Sequence[str] = (),
) -> float:
    """The share of rare categories that the synthetic table has at all; NaN where none is rare.

    A category of the real table is rare if at most 5 % of its rows have it.

    Raises:
        TypeError, ValueError: see `check_tables`.
    """
    real, synthetic = check_tables(real, synthetic)
    found = []
    for name, kind in column_kinds(real, categories).items():
        if kind == "category":
            share = counts_of(real[name]) / len(real)
            place = places_of(real[name])
            there = set(codes_of(synthetic[name], place))
            found += [place[value] in there for value in share.index[share <= RARE]]
    return float(np.mean(found)) if found else math.nan
