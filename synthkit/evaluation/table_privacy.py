"""Copies in a synthetic table: the distance to the closest record, and equal rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.intervals import Interval, mean_interval
from ..datasets.containers import values_of
from .table_columns import check_tables, column_kinds, encoded, origin_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClosestRecord:
    """Nearness of synthetic rows to the rows learned from and to rows held out.

    Attributes:
        nearer_train: the share whose nearest real row is a training row; 0.5 for a generator that
            copies nothing, given equally many rows of both. Ties count one half.
        copies: the share of synthetic rows that equal a training row.
        natural: the share of held-out rows that equal a training row: the copies that chance makes.
        distance: the median distance of a synthetic row to its nearest training row.
        rows: how many training rows, and as many held-out rows, were compared with.
    """

    nearer_train: Interval
    copies: float
    natural: float
    distance: float
    rows: int


def closest_record(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    *,
    seed: int = 0,
    most: int = 3000,
    categories: Sequence[str] = (),
    without: Sequence[str] = (),
) -> ClosestRecord:
    """Distance to the closest record, with equal halves and the natural rate of equal rows.

    The distance of two rows adds |a - b| / (range of the training column) over numbers and dates,
    and 1 for every category that differs; a missing value differs by 1 from a value and by 0 from
    another missing one. Equal rows are looked for among all rows, near ones among a sample.

    Args:
        train: the rows that the generator learned from.
        holdout: real rows that it has not seen.
        synthetic: what it made.
        seed: of the samples.
        most: at most so many rows of each table are compared by distance.
        categories: columns of numbers that are codes of categories.
        without: columns to leave out, such as numbers that identify a row.

    Raises:
        TypeError, ValueError: see `check_tables`; under 2 synthetic rows, or a name
            in `without` that is no column.
    """
    import pandas as pd

    train, holdout, synthetic = check_tables(train, holdout, synthetic)
    without = values_of(without, "without")
    unknown = [name for name in without if name not in train.columns]
    if unknown or len(synthetic) < 2 or len(set(without)) == train.shape[1]:
        raise ValueError(
            f"needs 2 synthetic rows and a column to compare: got {len(synthetic)} rows, and "
            f"without={list(without)} for the columns {list(train.columns)}"
        )
    names = [name for name in train.columns if name not in without]
    tables = [table[names] for table in (train, holdout, synthetic)]
    kinds = column_kinds(tables[0], [name for name in categories if name not in without])
    everything = pd.concat([table.astype(object) for table in tables])
    coded = encoded(tables, everything, kinds, most=None)
    rows = [np.nan_to_num(x, nan=np.inf) + 0.0 for x in coded]  # no -0.0
    keys = _keys(rows, tables, kinds)
    seen = {row.tobytes() for row in keys[0]}
    copies, natural = (np.mean([row.tobytes() in seen for row in x]) for x in (keys[2], keys[1]))
    rng, half = np.random.default_rng(seed), min(len(rows[0]), len(rows[1]), most)
    near, far, made = (
        rng.permutation(x)[:n] for x, n in zip(rows, (half, half, min(len(rows[2]), most)))
    )
    scales = _scales(rows[0], list(kinds.values()))
    to_train, to_holdout = (_nearest(made, x, scales) for x in (near, far))
    tied = np.isclose(to_train, to_holdout, rtol=0, atol=1e-9)
    return ClosestRecord(
        nearer_train=mean_interval(np.where(tied, 0.5, to_train < to_holdout)),
        copies=float(copies),
        natural=float(natural),
        distance=float(np.median(to_train)),
        rows=half,
    )


def _keys(
    rows: Sequence[np.ndarray], tables: Sequence[pd.DataFrame], kinds: Mapping[str, str]
) -> list[np.ndarray]:
    """The coded rows (n, columns) of each table, equal only where the rows of the table are: whole
    numbers that floats round are replaced by a number for each value."""
    import pandas as pd

    keys = [x.copy() for x in rows]
    ends = np.cumsum([len(x) for x in rows])[:-1]
    for i, (name, kind) in enumerate(kinds.items()):
        if origin_of(tables[0][name], kind):
            columns = [pd.to_numeric(each[name], errors="coerce") for each in tables]
            codes, _ = pd.factorize(pd.concat([each.astype(object) for each in columns]))
            for key, code in zip(keys, np.split(codes, ends)):
                key[:, i] = np.where(np.isfinite(key[:, i]), code, np.inf)
    return keys


def _scales(rows: np.ndarray, kinds: Sequence[str]) -> list[float]:
    """The range of each column of numbers, 1 for a constant one; 0 for a category."""
    scales = []
    for column, kind in zip(rows.T, kinds):
        known = column[np.isfinite(column)]
        spread = float(np.ptp(known)) if len(known) else 0.0
        scales.append(0.0 if kind == "category" else spread or 1.0)
    return scales


def _nearest(rows: np.ndarray, others: np.ndarray, scales: Sequence[float]) -> np.ndarray:
    """The distance of each row to the nearest of `others`: (n,). Missing values are inf."""
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), 256):
        block = rows[start : start + 256]
        distance = np.zeros((len(block), len(others)))
        for a, b, scale in zip(block.T, others.T, scales):
            differs = a[:, None] != b
            if scale:
                with np.errstate(invalid="ignore"):
                    gap = np.abs(a[:, None] - b) / scale
                distance += np.where(differs & np.isfinite(gap), gap, differs)
            else:
                distance += differs
        nearest[start : start + 256] = distance.min(axis=1)
    return nearest
