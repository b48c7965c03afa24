"""The census world: rows of mixed types from a known Bayesian network.

Ten columns (whole numbers, one of them signed, a decimal number, categories, one with missing
values, and a binary target, `income`) hang together by ten tables of conditional probabilities on
a fixed grid of values. So the joint distribution is known exactly: the probability of a row, every
marginal, pair and triple of columns, the entropy, and the best score that any classifier can give
the target. Some rows are impossible (a doctor of twenty, hours without an occupation), and `check`
knows them. What raises the income differs from group to group, so that a table whose columns are
drawn independently within each class has a low utility.

A method is judged on it by `joint_distance`. The embedded model has never read a row of it.
"""

from __future__ import annotations

import itertools
import json
import math
import numbers
import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .base import Row, World
from .census_tables import BANDS, PARENTS, VALUES, conditional_tables

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

    Rows = pd.DataFrame | Dataset | Sequence[Mapping[str, Any]]

TARGET = "income"
POSITIVE = ">50K"
_AXES = {name: axis for axis, name in enumerate(VALUES)}


class CensusWorld(World):
    """Rows drawn from a Bayesian network whose joint distribution is exact.

    Columns: `age` (18 to 77), `sex`, `region`, `education`, `marital`, `occupation` (None for who
    does not work), `hours` (0 to 60 by 5), `commute` (km, 0.0 to 24.5 by 0.5), `capital` (a gain,
    a loss or most often 0) and the target `income` ("<=50K" or ">50K"). All of them are factors:
    nothing is hidden.
    """

    name = "census"
    columns = tuple(VALUES)
    factors = tuple(VALUES)
    target = TARGET

    @cached_property
    def tables(self) -> dict[str, np.ndarray]:
        """P(column | its parents): one axis a parent, as `PARENTS` lists them, the column last."""
        return conditional_tables()

    # --- drawing ------------------------------------------------------------------------------

    def example(self, rng: random.Random) -> Row:
        return self._drawn(1, rng)[0]

    def rows(self, n: int, seed: int = 0) -> list[Row]:
        """`n` rows as plain dictionaries: those that `n` calls of `example` give, but faster."""
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        return self._drawn(n, random.Random(f"{self.name}-{seed}"))

    def frame(self, n: int, seed: int = 0) -> pd.DataFrame:
        """The rows of `sample` as a DataFrame with the types that `load_table` gives a file."""
        import pandas as pd

        return pd.DataFrame(self.rows(n, seed), columns=list(self.columns))

    def _drawn(self, n: int, rng: random.Random) -> list[Row]:
        uniform = np.array([rng.random() for _ in range(n * len(VALUES))]).reshape(n, len(VALUES))
        codes: dict[str, np.ndarray] = {}
        for axis, (name, table) in enumerate(self.tables.items()):
            p = table[tuple(codes[parent] for parent in PARENTS[name])]
            p = np.broadcast_to(p, (n, len(VALUES[name])))  # a root: all rows the same
            code = (np.cumsum(p, axis=1) <= uniform[:, axis, None]).sum(axis=1)
            last = p.shape[1] - 1 - np.argmax(p[:, ::-1] > 0, axis=1)
            codes[name] = np.minimum(code, last)  # rounding never leaves the support
        return [
            {name: VALUES[name][code] for name, code in zip(VALUES, row)}
            for row in zip(*(codes[name].tolist() for name in VALUES))
        ]

    # --- the exact joint ----------------------------------------------------------------------

    def marginal(self, *names: str) -> np.ndarray:
        """The exact joint distribution of some columns: one axis each, in the order given.

        Variables are eliminated one after the other, so no table of all ten is ever made. The
        values along an axis are those of `VALUES`.

        Raises:
            ValueError: no column is named, one is named twice, or there is none of that name.
        """
        if not names or len(set(names)) < len(names) or not set(names) <= set(VALUES):
            raise ValueError(
                f"name one or more different columns of {', '.join(VALUES)}; got {list(names)}"
            )
        needed = _with_ancestors(names)  # the others sum to 1
        operands: list[Any] = []
        for name in needed:
            operands += [self.tables[name], [_AXES[other] for other in (*PARENTS[name], name)]]
        return np.einsum(*operands, [_AXES[name] for name in names], optimize="greedy")

    @cached_property
    def entropy(self) -> float:
        """The exact entropy of a row, in nats: the least cross entropy that a right model reaches.

        H = sum over columns of E[-log P(column | parents)] (the chain rule).
        """
        total = 0.0
        for name, table in self.tables.items():
            weight = self.marginal(*PARENTS[name], name)
            total -= float((weight * np.log(np.where(table > 0, table, 1.0))).sum())
        return total

    @cached_property
    def _banded_marginals(self) -> dict[tuple[int, ...], np.ndarray]:
        """The exact distribution of each column, pair and triple that `joint_distance` asks for."""
        axes, sizes = range(len(VALUES)), (1, 2, 3)
        groups = (group for size in sizes for group in itertools.combinations(axes, size))
        return {group: _banded_marginal(self, group) for group in groups}

    @cached_property
    def _floors_known(self) -> dict[tuple[int, int, int], list[dict[str, float]]]:
        return {}

    def codes(self, rows: Rows) -> np.ndarray:
        """The place of every value on its column's grid: (n, columns); -1 where it is on none.

        Raises:
            KeyError: a column is missing. TypeError: `rows` is no table.
        """
        return np.stack([self._places(rows, name) for name in VALUES], axis=1)

    def log_probability(self, rows: Rows) -> np.ndarray:
        """ln P(row), exactly, in nats: (n,); -inf for a row that the network never draws.

        Raises:
            KeyError: a column is missing. TypeError: `rows` is no table.
        """
        return self._log_of(self.codes(rows))

    def bayes_score(self, rows: Rows) -> np.ndarray:
        """P(income > 50K | the other columns), the best score there is: (n,).

        Nothing follows from the income, so only its parents count. NaN where a parent's value is
        off the grid. `income` itself may be missing.

        Raises:
            KeyError: one of the income's parents is missing. TypeError: `rows` is no table.
        """
        codes = [self._places(rows, name) for name in PARENTS[TARGET]]
        known = np.all([code >= 0 for code in codes], axis=0)
        return np.where(known, self.tables[TARGET][(*codes, 1)], np.nan)

    def _places(self, rows: Rows, name: str) -> np.ndarray:
        places = {value: place for place, value in enumerate(VALUES[name])}
        return np.array([_place(places, value) for value in _column(rows, name)], dtype=int)

    def _log_of(self, codes: np.ndarray) -> np.ndarray:
        own = dict(zip(VALUES, codes.T))
        return sum(self._log_terms(own, name) for name in VALUES)

    def _log_terms(self, codes: Mapping[str, np.ndarray], name: str) -> np.ndarray:
        family = [codes[other] for other in (*PARENTS[name], name)]
        known = np.all([code >= 0 for code in family], axis=0)
        with np.errstate(divide="ignore"):
            return np.log(np.where(known, self.tables[name][tuple(family)], 0.0))

    # --- one row ------------------------------------------------------------------------------

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the network can draw the row: its probability is not 0."""
        self.require(row, *self.columns)
        return bool(np.isfinite(self.log_probability([row])[0]))

    def text(self, row: Mapping[str, Any]) -> str:
        """The row as one JSON object, its columns in order."""
        self.require(row, *self.columns)
        return json.dumps({name: row[name] for name in self.columns})

    def attributes(self, row: Mapping[str, Any]) -> dict[str, str]:
        self.require(row, *self.columns)
        return {name: str(row[name]) for name in self.columns}


def joint_distance(
    world: CensusWorld, rows: Rows, *, floor_draws: int = 3, seed: int = 0
) -> pd.DataFrame:
    """Distance of the joint distribution of some rows from the exact one of the world.

    The total variation distance TV(p, q) = sum |p - q| / 2 between the shares found and the exact
    probabilities, averaged over all columns (on the full grid), over all 45 pairs and over all 120
    triples (numbers in bands, see `BANDS`, so that a cell holds more than noise). A value off the
    grid lies in no cell and counts in full.

    Args:
        rows: a DataFrame, a Dataset or a list of dictionaries with the world's columns.
        floor_draws: how many fresh samples of the world, each as large as `rows`, give the floor.
        seed: of these samples.

    Returns:
        One row a measure: "single columns", "pairs" and "triples" (TV, 0 to 1), "impossible rows"
        (their share) and "cross entropy" (nats a row, over the possible rows; a right sample has
        the world's entropy, and a lower value means that common rows come too often). Columns:
        `found`, `floor` (the mean of the real samples) and `floor_sd`.

    Raises:
        KeyError, TypeError: see `CensusWorld.codes`.
        ValueError: no rows, or fewer than two floor draws.
    """
    import pandas as pd

    codes = world.codes(rows)
    if not len(codes) or floor_draws < 2:
        raise ValueError(
            f"needs at least one row and two floor draws, got {len(codes)} and {floor_draws}"
        )
    found = _measures(world, codes)
    floors = pd.DataFrame(_floors(world, len(codes), floor_draws, seed))
    table = {"found": pd.Series(found), "floor": floors.mean(), "floor_sd": floors.std()}
    return pd.DataFrame(table).loc[list(found)]


def _floors(world: CensusWorld, n: int, draws: int, seed: int) -> list[dict[str, float]]:
    """The measures of fresh samples of the world, kept for the next table of `n` rows."""
    known = world._floors_known
    if (n, draws, seed) not in known:
        fresh = (world.rows(n, f"floor-{seed}-{i}") for i in range(draws))
        known[n, draws, seed] = [_measures(world, world.codes(each)) for each in fresh]
    return known[n, draws, seed]


def _measures(world: CensusWorld, codes: np.ndarray) -> dict[str, float]:
    distances: dict[int, list[float]] = {1: [], 2: [], 3: []}
    for group, p in world._banded_marginals.items():
        parts = [_banded(codes[:, axis], axis, len(group) > 1) for axis in group]
        known = np.all([part >= 0 for part in parts], axis=0)
        cells = np.ravel_multi_index([part[known] for part in parts], p.shape)
        share = np.bincount(cells, minlength=p.size) / len(codes)
        distances[len(group)].append((np.abs(share - p.ravel()).sum() + 1 - known.mean()) / 2)
    logs = world._log_of(codes)
    possible = np.isfinite(logs)
    means = [float(np.mean(distances[size])) for size in (1, 2, 3)]
    return dict(zip(("single columns", "pairs", "triples"), means)) | {
        "impossible rows": float(1 - possible.mean()),
        "cross entropy": float(-logs[possible].mean()) if possible.any() else math.nan,
    }


def _banded(code: np.ndarray, axis: int, in_bands: bool) -> np.ndarray:
    """Places on the grid as places among the bands of the column, -1 staying -1."""
    name = tuple(VALUES)[axis]
    if not in_bands or name not in BANDS:
        return code
    return np.where(code >= 0, _band_of(name)[code], -1)


def _band_of(name: str) -> np.ndarray:
    """The band of each value on the grid of a number: (values,)."""
    return np.searchsorted(BANDS[name], VALUES[name], side="right")


def _banded_marginal(world: CensusWorld, group: tuple[int, ...]) -> np.ndarray:
    """The exact marginal of the columns of a group, numbers summed within their bands."""
    names = [tuple(VALUES)[axis] for axis in group]
    p = world.marginal(*names)
    for axis, name in enumerate(names):
        if len(names) > 1 and name in BANDS:
            first = np.flatnonzero(np.diff(_band_of(name), prepend=-1))
            p = np.add.reduceat(p, first, axis=axis)
    return p


def _with_ancestors(names: Sequence[str]) -> list[str]:
    needed = set(names)
    for name in reversed(list(VALUES)):  # parents come before their children
        if name in needed:
            needed |= set(PARENTS[name])
    return [name for name in VALUES if name in needed]


def _column(rows: Rows, name: str) -> list[Any]:
    """One column of a table of any of the accepted kinds."""
    if isinstance(rows, (list, tuple)):
        lacking = [i for i, row in enumerate(rows) if name not in row]
        if lacking:
            raise KeyError(f"row {lacking[0]} lacks {name!r}; found {', '.join(rows[lacking[0]])}")
        return [row[name] for row in rows]
    found = getattr(rows, "column_names", None) or getattr(rows, "columns", None)
    if found is None:
        raise TypeError(
            "needs a DataFrame, a datasets.Dataset or a list of dictionaries, "
            f"found {type(rows).__name__}"
        )
    if name not in list(found):
        raise KeyError(f"the census world needs the column {name!r}; found {', '.join(found)}")
    return list(rows[name])


def _place(places: Mapping[Any, int], value: Any) -> int:
    """The place of a value, -1 where there is none; NaN and NA are None, True is no number."""
    if type(value) not in (str, int, float):  # the common types need no questions
        if value is None or type(value).__name__ == "NAType":
            return places.get(None, -1)
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (str, numbers.Real)):
            return -1
    return places.get(None if value != value else value, -1)
