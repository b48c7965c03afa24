"""Quality of a synthetic table: fidelity, utility and privacy, beside reference tables.

No single number certifies a generator. On some tables even columns drawn independently within each
class teach a classifier nearly as well as real rows do, and a small sample of real rows has a worse
pair error than independent columns. So `evaluate_table` gives all measures at once, and
`reference_rows` the same measures for tables whose quality is known: the real one, 1,000 real rows,
columns drawn independently within each class, and columns drawn independently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.intervals import Interval, mean_interval
from ..datasets.containers import as_frame, values_of
from .table_baselines import tvae_table
from .table_fidelity import invalid_rate, invalid_values, pair_error, rare_coverage, shape_error
from .table_utility import (
    FEW_VALUES,
    GRID,
    Trees,
    c2st,
    check_tables,
    column_kinds,
    encoded,
    numbers_of,
    origin_of,
    utility,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GRID",
    "ClosestRecord",
    "Trees",
    "c2st",
    "class_conditional",
    "closest_record",
    "column_kinds",
    "evaluate_table",
    "independent_columns",
    "invalid_rate",
    "invalid_values",
    "pair_error",
    "rare_coverage",
    "reference_rows",
    "reference_tables",
    "shape_error",
    "utility",
]

# --- copies -------------------------------------------------------------------------------------


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
        TypeError, ValueError: see `table_utility.check_tables`; under 2 synthetic rows, or a name
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


# --- reference tables and the whole report ------------------------------------------------------


def independent_columns(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Each column shuffled on its own: the real columns, and nothing of what ties them together."""
    frame, rng = as_frame(frame), np.random.default_rng(seed)
    shuffled = {name: frame[name].take(rng.permutation(len(frame))).array for name in frame}
    return type(frame)(shuffled, columns=frame.columns)


def class_conditional(frame: pd.DataFrame, target: str, seed: int = 0) -> pd.DataFrame:
    """Each column shuffled within the rows of the same target: naive Bayes as a generator.

    A numeric target of more than 20 values is cut into tenths; missing targets form a class.

    Raises:
        ValueError: no column `target`.
    """
    import pandas as pd

    frame = as_frame(frame)
    if target not in frame.columns:
        raise ValueError(f"no column {target!r}; found {list(frame.columns)}")
    values, kind = frame[target], column_kinds(frame)[target]
    if kind != "category" and values.nunique() > FEW_VALUES:
        numbers = numbers_of(values, kind, origin_of(values, kind))
        values = pd.Series(pd.qcut(numbers, 10, labels=False, duplicates="drop"))
    group = pd.factorize(values)[0]
    rng, home = np.random.default_rng(seed), np.argsort(group, kind="stable")
    shuffled = {}
    for name in frame:
        drawn = np.lexsort((rng.random(len(frame)), group))  # a random order within each class
        take = np.empty(len(frame), dtype=int)
        take[home] = home if name == target else drawn
        shuffled[name] = frame[name].take(take).array
    return pd.DataFrame(shuffled, columns=frame.columns)


def reference_tables(
    train: pd.DataFrame, target: str, *, seed: int = 0, tvae_epochs: int = 0
) -> dict[str, pd.DataFrame]:
    """Tables whose quality is known, made from the real training rows.

    Returns:
        "1,000 real rows" (where there are more), "independent within classes", "independent
        columns" and, with `tvae_epochs`, "TVAE".
    """
    tables, train = {}, as_frame(train)
    if len(train) > 1000:
        tables["1,000 real rows"] = train.sample(1000, random_state=seed).reset_index(drop=True)
    tables["independent within classes"] = class_conditional(train, target, seed)
    tables["independent columns"] = independent_columns(train, seed)
    if tvae_epochs:
        tables["TVAE"] = tvae_table(train, epochs=tvae_epochs, seed=seed)
    return tables


def evaluate_table(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame | Mapping[str, pd.DataFrame],
    target: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    categories: Sequence[str] = (),
    without: Sequence[str] = (),
    grid: Sequence[Trees] = GRID,
) -> pd.DataFrame:
    """All measures of one synthetic table, or of several with their names.

    Args:
        train: the real rows that the generator learned from: a table of any kind, as all of them
            (see `synthkit.datasets.as_frame`).
        test: real rows that it has not seen; values of another type than in `train` are cast.
        synthetic: one table, such as a method's `sample` returns, or a dictionary of tables.
        target: the column to predict.
        seeds: of `utility`.
        categories: columns of numbers that are codes of categories.
        without: columns that `closest_record` leaves out.
        grid: the settings that `utility` chooses from.

    Returns:
        One row per table. `auc`, `f1`, `accuracy` (or `rmse`, `r2`) with their standard deviations
        over the seeds (`auc_sd`, ...): taught by the table, tested on `test`; `shape_error`,
        `pair_error` and `pair_error_real_bins` in %, against `train`; `c2st`, against `test`;
        `nearer_train`, `copies`, `natural_copies`; `invalid`; `rare_coverage`; `rows`.

    Raises:
        TypeError, ValueError: see `table_utility.check_tables` and `utility`.
    """
    import pandas as pd

    tables = synthetic if isinstance(synthetic, Mapping) else {"synthetic": synthetic}
    if not tables:
        raise ValueError("synthetic names no table: give one, or a dictionary of tables by name")
    train, test, *made = check_tables(train, test, *tables.values())
    options = {"seeds": seeds, "categories": categories, "without": without, "grid": grid}
    rows = {
        name: _measures(train, test, table, target, table, table, test, **options)
        for name, table in zip(tables, made)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def _measures(
    train: pd.DataFrame,
    test: pd.DataFrame,
    lesson: pd.DataFrame,
    target: str,
    table: pd.DataFrame,
    made: pd.DataFrame,
    holdout: pd.DataFrame,
    *,
    seeds: Sequence[int],
    categories: Sequence[str],
    without: Sequence[str],
    grid: Sequence[Trees],
) -> dict[str, float]:
    """The measures of a table: the trees learn from `lesson`, fidelity is that of `table`, and the
    distances are those of the rows `made`. All three are the synthetic table, or real rows."""
    kinds = {"categories": categories}
    taught = utility(lesson, test, target, seeds, grid=grid, **kinds)
    found = {}
    for name in taught:
        found |= {name: float(taught[name].mean()), f"{name}_sd": float(taught[name].std())}
    copies = closest_record(train, holdout, made, without=without, **kinds)
    return found | {
        "shape_error": shape_error(train, table, **kinds),
        "pair_error": pair_error(train, table, **kinds),
        "pair_error_real_bins": pair_error(train, table, edges="real", **kinds),
        "c2st": c2st(test, lesson, seeds[0], **kinds),
        "nearer_train": copies.nearer_train.mean,
        "copies": copies.copies,
        "natural_copies": copies.natural,
        "invalid": invalid_rate(train, table, **kinds),
        "rare_coverage": rare_coverage(train, table, **kinds),
        "rows": len(lesson),
    }


def reference_rows(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    categories: Sequence[str] = (),
    without: Sequence[str] = (),
    grid: Sequence[Trees] = GRID,
    tvae_epochs: int = 0,
) -> pd.DataFrame:
    """`evaluate_table` for the tables whose quality is known, first of all the real one.

    The row "real" is taught by `train`, and its fidelity is that of `test`, rows which nothing was
    learned from; for the copies, one half of `test` stands for the synthetic rows and the other
    half is held out.

    Raises:
        TypeError, ValueError: see `evaluate_table`. ImportError: see `tvae_table`.
    """
    import pandas as pd

    train, test = check_tables(train, test)
    test, seed = test.reset_index(drop=True), seeds[0] if len(seeds) else 0
    half = test.sample(frac=0.5, random_state=seed)
    options = {"seeds": seeds, "categories": categories, "without": without, "grid": grid}
    rest = test.drop(half.index)
    real = _measures(train, test, train, target, test, half, rest, **options)
    tables = reference_tables(train, target, seed=seed, tvae_epochs=tvae_epochs)
    others = evaluate_table(train, test, tables, target, **options)
    return pd.concat([pd.DataFrame.from_dict({"real": real}, orient="index"), others])
