"""Quality of a synthetic table: fidelity, utility and privacy, beside reference tables.

No single number certifies a generator. On some tables even columns drawn independently within each
class are nearly as useful to a classifier as real rows are, and a small sample of real rows has a
worse pair error than independent columns. So `evaluate_table` gives all measures at once, and
`reference_rows` the same measures for tables whose quality is known: the real one, 1,000 real rows,
columns drawn independently within each class, and columns drawn independently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.containers import as_frame
from .table_baselines import tvae_table
from .table_columns import FEW_VALUES, check_tables, column_kinds, numbers_of, origin_of
from .table_fidelity import invalid_rate, pair_error, rare_coverage, shape_error
from .table_privacy import closest_record
from .table_utility import GRID, Trees, c2st, utility

if TYPE_CHECKING:
    import pandas as pd


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
        over the seeds (`auc_sd`, ...): learned from the table, tested on `test`; `shape_error`,
        `pair_error` and `pair_error_real_bins` in %, against `train`; `c2st`, against `test`;
        `nearer_train`, `copies`, `natural_copies`; `invalid`; `rare_coverage`; `rows`.

    Raises:
        TypeError, ValueError: see `check_tables` and `utility`.
    """
    tables = synthetic if isinstance(synthetic, Mapping) else {"synthetic": synthetic}
    if not tables:
        raise ValueError("synthetic names no table: give one, or a dictionary of tables by name")
    train, test, *made = check_tables(train, test, *tables.values())
    entries = {name: (table, table, table, test) for name, table in zip(tables, made)}
    return _report(train, test, target, entries, seeds, categories, without, grid)


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

    The utility of the row "real" is that of `train`, and its fidelity is that of `test`, rows which
    nothing was learned from; for the copies, one half of `test` stands for the synthetic rows and
    the other half is held out.

    Raises:
        TypeError, ValueError: see `evaluate_table`. ImportError: see `tvae_table`.
    """
    train, test = check_tables(train, test)
    test, seed = test.reset_index(drop=True), seeds[0] if len(seeds) else 0
    half = test.sample(frac=0.5, random_state=seed)
    tables = reference_tables(train, target, seed=seed, tvae_epochs=tvae_epochs)
    _, *made = check_tables(train, *tables.values())
    entries = {"real": (train, test, half, test.drop(half.index))}
    entries |= {name: (table, table, table, test) for name, table in zip(tables, made)}
    return _report(train, test, target, entries, seeds, categories, without, grid)


def _report(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    entries: Mapping[str, tuple[pd.DataFrame, ...]],
    seeds: Sequence[int],
    categories: Sequence[str],
    without: Sequence[str],
    grid: Sequence[Trees],
) -> pd.DataFrame:
    """A row of measures for each of `entries`, name -> (learned, table, made, holdout).

    The trees learn from `learned`, fidelity is that of `table`, and the distances are those of the
    rows `made` to `train` and `holdout`. All but the last are the synthetic table, or real rows.
    """
    import pandas as pd

    rows, kinds = {}, {"categories": categories}
    for name, (learned, table, made, holdout) in entries.items():
        scores = utility(learned, test, target, seeds, grid=grid, **kinds)
        copies = closest_record(train, holdout, made, without=without, **kinds)
        rows[name] = {}
        for score in scores:
            rows[name] |= {score: scores[score].mean(), f"{score}_sd": scores[score].std()}
        rows[name] |= {
            "shape_error": shape_error(train, table, **kinds),
            "pair_error": pair_error(train, table, **kinds),
            "pair_error_real_bins": pair_error(train, table, edges="real", **kinds),
            "c2st": c2st(test, learned, seeds[0], **kinds),
            "nearer_train": copies.nearer_train.mean,
            "copies": copies.copies,
            "natural_copies": copies.natural,
            "invalid": invalid_rate(train, table, **kinds),
            "rare_coverage": rare_coverage(train, table, **kinds),
            "rows": len(learned),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
