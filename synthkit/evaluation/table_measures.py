"""Measures of tables that `evaluate` takes: fidelity, diversity, novelty, utility and privacy."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.intervals import Interval, mean_interval
from ..datasets.containers import as_frame, values_of
from .measure import OF_FEATURES, Found, Gauge, Halves, Measure, copy_note, size_note
from .table_columns import check_tables, column_kinds, encoded
from .table_fidelity import pair_error, rare_coverage, shape_error
from .table_outcomes import closest_part, identifiers_part, identifying, utility_part
from .table_utility import c2st
from .text import rate
from .two_samples import gaussian_kernel, neighbour_ratio, two_nearest, vendi

if TYPE_CHECKING:
    import pandas as pd

LARGEST_HALF = 2000  # the kernels grow with its square
MOST = 3000  # rows whose nearest real row is looked for
CATEGORIES = 49  # a column's categories with a feature of their own


@dataclass(frozen=True)
class Rows:
    """A table with its features (n, d)."""

    frame: pd.DataFrame
    features: np.ndarray
    categories: Sequence[str]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: np.ndarray) -> Rows:
        """Those at the places of `index`."""
        frame = self.frame.take(index).reset_index(drop=True)
        return Rows(frame, self.features[index], self.categories)


def table_features(tables: Sequence[pd.DataFrame], kinds: dict[str, str]) -> list[np.ndarray]:
    """Each table as features (n, d) float32, for kernels and distances.

    A number or a date becomes its place among the values of the first table, scaled to variance 1,
    with a column for missing values; a category one column of its own, the rare ones share one.
    """
    coded = encoded(tables, tables[0], kinds, CATEGORIES)
    columns: list[list[np.ndarray]] = [[] for _ in tables]
    for j, kind in enumerate(kinds.values()):
        known = np.sort(coded[0][:, j][~np.isnan(coded[0][:, j])])
        for x, found in zip(coded, columns):
            values, missing = x[:, j], np.isnan(x[:, j])
            if kind == "category":
                found.append(values[:, None] == np.arange(len(known) and int(known[-1]) + 1))
            else:
                below = [np.searchsorted(known, values, side) for side in ("left", "right")]
                places = np.sum(below, axis=0) / max(1, 2 * len(known)) - 0.5
                found.append(np.where(missing, 0, places * np.sqrt(12))[:, None])
            found.append(missing[:, None])
    return [np.hstack(found).astype(np.float32) for found in columns]


GAUGES = (
    Gauge(
        "fidelity",
        "shape error",
        "%, 0 = same",
        lambda x, a: shape_error(a.frame, x.frame, categories=a.categories),
        0,
        100,
    ),
    Gauge(
        "fidelity",
        "pair error",
        "%, 0 = same",
        lambda x, a: pair_error(a.frame, x.frame, categories=a.categories, edges="real"),
        0,
        100,
    ),
    Gauge(
        "fidelity",
        "C2ST AUC",
        "0.5 = same",
        lambda x, a: c2st(a.frame, x.frame, categories=a.categories),
    ),
    *OF_FEATURES,
    Gauge(
        "diversity",
        "Vendi score",
        "unlike rows",
        lambda x, a: vendi(gaussian_kernel(x.features)),
        1,
        np.inf,
        1,
    ),
    Gauge(
        "diversity",
        "rare categories",
        "share found",
        lambda x, a: rare_coverage(a.frame, x.frame, categories=a.categories),
    ),
    Gauge(
        "diversity",
        "repeated rows",
        "share",
        lambda x, a: float(np.mean(_repeats(_keys(x.frame)))),
    ),
)


def measure_tables(
    real: Any,
    synthetic: Any,
    test: Any,
    *,
    target: str | None,
    rng: np.random.Generator,
    splits: int,
    categories: Sequence[str],
    without: Sequence[str],
) -> Found:
    """All measures of tables; the arguments are those of `evaluate`."""
    given = [as_frame(data) for data in (real, synthetic, *([] if test is None else [test]))]
    frames = [each.reset_index(drop=True) for each in check_tables(*given)]
    kinds, without = column_kinds(frames[0], categories), values_of(without, "without")
    identify = identifying(frames[0], kinds)
    compared = _compared(kinds, without, identify)
    coded = [name for name in categories if name in compared]
    near = [each[list(compared)] for each in frames]
    sides = [Rows(each, x, coded) for each, x in zip(near, table_features(near, compared))]
    halves = Halves(*sides[:2], sides[2] if test is not None else None, LARGEST_HALF, splits, rng)
    novel, copied = _novelty(sides, halves.other is None, rng)
    first = size_note(halves.size, "rows") + copy_note(copied, "rows")
    parts = [
        ([], first + _column_notes(*given[:2])),
        halves.measures(GAUGES),
        (novel, []),
        utility_part(frames, target, categories, rng),
        closest_part(near, coded, rng),
        identifiers_part(frames, identify),
    ]
    told = "random halves of the real rows" if halves.other is None else "the test rows"
    rows, notes = (list(chain(*each)) for each in zip(*parts))
    return Found(rows, notes, "rows", len(frames[0]), len(frames[1]), halves.size, told)


def _compared(
    kinds: dict[str, str], without: Sequence[str], identify: Sequence[str]
) -> dict[str, str]:
    """The kinds of the columns that are compared: neither `without` nor words that identify."""
    dropped = {*without, *(name for name in identify if kinds[name] == "category")}
    compared = {name: kind for name, kind in kinds.items() if name not in dropped}
    if not compared or not kinds.keys() >= set(without):
        raise ValueError(
            f"a column to compare is needed: of {list(kinds)}, without={without} and those that "
            f"identify rows ({identify}) are left out"
        )
    return compared


def _column_notes(real: pd.DataFrame, synthetic: pd.DataFrame) -> list[str]:
    notes, extra = [], [str(name) for name in synthetic if name not in real]
    if extra:
        notes.append(f"Columns of the synthetic table alone are left out: {', '.join(extra)}.")
    same = [str(name) for name in real if real[name].nunique(dropna=False) < 2]
    if same:
        notes.append(f"Constant in the real table, so of no weight: {', '.join(same)}.")
    return notes


def _keys(frame: pd.DataFrame) -> list[Hashable]:
    """Each row as one value; equal rows have equal ones, missing values included."""
    return list(
        zip(*(frame[name].astype(object).where(frame[name].notna(), None) for name in frame))
    )


def _repeats(keys: Sequence[Hashable]) -> list[bool]:
    """Mark each that has come before."""
    seen: set[Hashable] = set()
    return [key in seen or bool(seen.add(key)) for key in keys]


def _novelty(
    sides: Sequence[Rows], alone: bool, rng: np.random.Generator
) -> tuple[list[Measure], float]:
    """Nearness to the real rows, of the synthetic ones and of other real ones; and exact copies."""
    real, synthetic, *test = sides
    played = real if alone else test[0]
    places = [rng.permutation(len(side))[:MOST] for side in (synthetic, played)]
    near = two_nearest(synthetic.features[places[0]], real.features)
    far = two_nearest(played.features[places[1]], real.features, places[1] if alone else None)
    keys = [_keys(side.frame) for side in sides]
    if alone:
        twice = {key for key, again in zip(keys[0], _repeats(keys[0])) if again}
        natural = rate([key in twice for key in keys[0]])
    else:
        natural = _shared(keys[2], keys[0])
    copies = _shared(keys[1], keys[0])
    rows = [
        Measure("novelty", "nearest real row", "0 = a copy", *_means(near[:, 0], far[:, 0])),
        Measure(
            "novelty",
            "neighbour ratio",
            "near 0 = one row's copy",
            *_means(neighbour_ratio(near), neighbour_ratio(far)),
        ),
        Measure("novelty", "exact copies", "share", copies, natural),
    ]
    if test:
        leaks = _shared(keys[1], keys[2]), _shared(keys[0], keys[2])
        rows.append(Measure("novelty", "contamination", "share equal to a test row", *leaks))
    return rows, copies.mean


def _means(*values: np.ndarray) -> list[Interval]:
    return [mean_interval(each) for each in values]


def _shared(keys: Sequence[Hashable], others: Sequence[Hashable]) -> Interval:
    known = set(others)
    return rate([key in known for key in keys])
