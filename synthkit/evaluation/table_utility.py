"""Boosted trees as a judge of tables: what rows teach, and whether they can be told from real ones.

`utility` trains on one table and tests on real rows (train on synthetic, test on real); `c2st` asks
a classifier to tell real rows from synthetic ones. Both take tables of mixed types with missing
values, and categories that only one of the tables knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.containers import as_frame, plain_types, values_of
from ..datasets.dates import date_form

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 250  # the trees take 255; what is rarer counts as missing
TRUTH = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
EXACT = 2**53  # whole numbers below it are floats without loss
FEW_VALUES = 20  # a numeric target of so few values is a class


@dataclass(frozen=True)
class Trees:
    """One setting of the boosted trees that `utility` chooses from."""

    learning_rate: float
    leaves: int


GRID = (Trees(0.1, 31), Trees(0.1, 8), Trees(0.05, 16))


# --- columns ------------------------------------------------------------------------------------


def column_kinds(real: pd.DataFrame, categories: Sequence[str] = ()) -> dict[str, str]:
    """Kind of each column of the real table: "number", "category" or "date".

    Dates are columns of a datetime type, objects of Python's date or datetime, and texts that
    `date_form` can read; their kind is "date " with the form, such as "date %d.%m.%Y".

    Args:
        real: the table that decides, whatever the types of a synthetic one.
        categories: columns of numbers (or of dates as texts or objects) that are codes of
            categories.

    Raises:
        ValueError: a name in `categories` that is no column.
    """
    from pandas.api import types

    categories = values_of(categories, "categories")
    unknown = [name for name in categories if name not in real.columns]
    if unknown:
        raise ValueError(f"categories= names {unknown}; the columns are {list(real.columns)}")

    def kind(name: str) -> str:
        values = real[name]
        if types.is_datetime64_any_dtype(values):
            return "date"
        if name in categories or types.is_bool_dtype(values):
            return "category"
        return "number" if types.is_numeric_dtype(values) else _kind_of_words(values)

    return {name: kind(name) for name in real.columns}


def _kind_of_words(values: pd.Series) -> str:
    """The kind of a column that is neither of numbers nor of a datetime type."""
    from pandas.api import types

    there = values.dropna()
    if there.empty or isinstance(values.dtype, types.CategoricalDtype):
        return "category"
    held = types.infer_dtype(there)
    if held in ("date", "datetime"):
        return "date"
    form = date_form(there) if held == "string" else None
    return "category" if form is None else f"date {form}"


def check_tables(real: Any, *others: Any) -> list[pd.DataFrame]:
    """All tables as DataFrames, the columns of the others in the types of the first.

    A number that another table writes as text ("1" for 1) becomes a number again, and so on.

    Raises:
        TypeError: one of them is no table (see `synthkit.datasets.as_frame`).
        ValueError: no rows or no columns, a column named twice, or a column that is missing.
    """
    frames = [plain_types(as_frame(table)) for table in (real, *others)]
    real, *others = frames
    for table in frames:
        if table.empty:
            raise ValueError(f"a table has {len(table)} rows and {table.shape[1]} columns")
        if not table.columns.is_unique:
            raise ValueError(f"a column name occurs twice: {list(table.columns)}")
        lacking = [name for name in real.columns if name not in table.columns]
        if lacking:
            raise ValueError(f"no column {lacking} in a table with {list(table.columns)}")
    return [real, *(_in_types_of(table, real) for table in others)]


def _in_types_of(table: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    cast = {name: as_type_of(table[name], real[name]) for name in real.columns}
    changed = {name: values for name, values in cast.items() if values is not table[name]}
    return table.assign(**changed) if changed else table


def as_type_of(values: pd.Series, real: pd.Series) -> pd.Series:
    """A column with numbers, truth values and words written as in the real column.

    What cannot be written so stays as it is; two columns of one type come back unchanged.
    """
    import pandas as pd
    from pandas.api import types

    if isinstance(real.dtype, types.CategoricalDtype):
        real = pd.Series(real.cat.categories)
    if values.dtype == real.dtype and values.dtype != object:
        return values
    if isinstance(values.dtype, types.CategoricalDtype):
        values = values.astype(object)
    kind = types.infer_dtype(real, skipna=True)
    if kind == "boolean" and not types.is_bool_dtype(values):
        return values.astype(object).map(lambda each: TRUTH.get(str(each).strip().lower(), each))
    if types.is_numeric_dtype(real) and not types.is_numeric_dtype(values):
        numbers = pd.to_numeric(values, errors="coerce")
        return numbers.astype(object).where(numbers.notna() | values.isna(), values)
    if kind == "string" and types.is_numeric_dtype(values):
        return values.astype(object).map(_written, na_action="ignore")
    return values


def _written(number: Any) -> str:
    """A number as text, whole ones without a decimal point."""
    whole = isinstance(number, float) and number.is_integer()
    return str(int(number) if whole else number)


def numbers_of(values: pd.Series, kind: str = "number", origin: int = 0) -> np.ndarray:
    """A column as floats (n,), NaN for what is missing, infinite or no number.

    Args:
        values: the column.
        kind: see `column_kinds`; dates are counted in days, those without a time zone as UTC.
        origin: see `origin_of`; numbers are counted from there.
    """
    import pandas as pd

    if kind != "number":
        _, _, form = kind.partition(" ")
        form = form.replace("%-", "%") or None
        dates = pd.to_datetime(values, format=form, errors="coerce", utc=True)
        return ((dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy(float)
    found = pd.to_numeric(values, errors="coerce")
    if origin:  # Python's own whole numbers have all their digits
        found = found.astype(object) - origin
    found = found.to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(found), found, np.nan)


def origin_of(values: pd.Series, kind: str = "number") -> int:
    """From where the numbers of a column are best counted: 0, or the least one where some are whole
    numbers of 2^53 or more, which floats would round."""
    from pandas.api import types

    if kind != "number" or not types.is_integer_dtype(values) or values.isna().all():
        return 0
    low, high = int(values.min()), int(values.max())
    return low if max(-low, high) >= EXACT else 0


def codes_of(values: pd.Series, place: dict[Any, int]) -> np.ndarray:
    """A column of categories as the numbers that `place` gives them (n,), NaN where it has none."""
    return values.astype(object).map(place).to_numpy(float, na_value=np.nan)


def places_of(values: pd.Series, most: int | None = None) -> dict[Any, int]:
    """The categories of a column, the most frequent first, numbered from 0."""
    return {value: i for i, value in enumerate(counts_of(values).index[:most])}


def counts_of(values: pd.Series) -> pd.Series:
    """Count each category, the most frequent first, without those that never occur."""
    counts = values.value_counts()
    return counts[counts > 0]


def encoded(
    tables: Sequence[pd.DataFrame],
    known: pd.DataFrame,
    kinds: dict[str, str],
    most: int | None = MOST_CATEGORIES,
) -> list[np.ndarray]:
    """Each table as floats (n, columns of `kinds`): the `most` frequent categories of the table
    `known` numbered from 0, numbers as they are (large ones from the `origin_of` the first table),
    dates in days, NaN for everything else."""
    columns: list[list[np.ndarray]] = [[] for _ in tables]
    for name, kind in kinds.items():
        place = places_of(known[name], most) if kind == "category" else {}
        origin = origin_of(tables[0][name], kind)
        for table, found in zip(tables, columns):
            values = table[name]
            found.append(
                codes_of(values, place) if kind == "category" else numbers_of(values, kind, origin)
            )
    return [np.stack(found, axis=1) for found in columns]


def _mostly_empty(x: np.ndarray) -> np.ndarray:
    """Mask (columns,) of those that hold a handful of values among gaps.

    A part of the rows may hold none of these values, and the trees take no empty column.
    """
    known = (~np.isnan(x)).sum(axis=0)
    return (known < 10) & (known < len(x))


# --- train on one table, test on real rows ------------------------------------------------------


def utility(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: str,
    seeds: Sequence[int] = (0, 1, 2),
    *,
    task: str | None = None,
    categories: Sequence[str] = (),
    grid: Sequence[Trees] = GRID,
) -> pd.DataFrame:
    """Measure how well boosted trees that learn from `train` predict the target of real rows.

    A seed sets aside a fifth of the rows of `train`, which choose the setting in `grid` and the
    number of trees; then the trees learn from all of `train`. The rows of `test` choose nothing.
    The types of the columns are those of `test`. Rows of `train` whose target is missing or is no
    class of `test` teach nothing and are left out; if nothing remains to be learned, every row gets
    one prediction (AUC 0.5).

    Args:
        train: the table to learn from, synthetic or real.
        test: real rows.
        target: the column to predict.
        seeds: one line of the result each.
        task: "classification" or "regression"; by default a number of more than 20 values is
            regression.
        categories: columns of numbers that are codes of categories.
        grid: the settings to choose from.

    Returns:
        One row a seed. Classification: `auc`, `f1`, `accuracy` (F1 of the rarer of two classes;
        with more classes the means over the classes, each against the rest). Regression: `rmse`,
        `r2`.

    Raises:
        TypeError, ValueError: see `check_tables`; an unknown target or task, no seed, or a test
            table that holds fewer than two values of the target.
    """
    import pandas as pd

    if not values_of(seeds, "seeds"):
        raise ValueError("seeds names at least one seed, for example (0, 1, 2)")
    test, train = check_tables(test, train)
    kinds, task = _task_of(test, target, task, categories)
    y_train, y_test = _targets(train[target], test[target], task)
    train, test = train[np.isfinite(y_train)], test[np.isfinite(y_test)]
    y_train, y_test = y_train[np.isfinite(y_train)], y_test[np.isfinite(y_test)]
    features = {name: kind for name, kind in kinds.items() if name != target}
    x_train, x_test = encoded([train, test], train, features)
    empty = _mostly_empty(x_train)
    x_train[:, empty], x_test[:, empty] = 0.0, 0.0
    is_category = np.array([kind == "category" for kind in features.values()])
    rows = []
    for seed in seeds:
        model = _fit(x_train, y_train, is_category, grid, seed, task)
        if task == "regression":
            rows.append(_regression_scores(y_test, model.predict(x_test)))
        else:
            chances = _probabilities(model, x_test, n_classes=int(y_test.max()) + 1)
            rows.append(_class_scores(y_test, chances))
    return pd.DataFrame(rows, index=pd.Index(list(seeds), name="seed"))


def _task_of(
    test: pd.DataFrame,
    target: str,
    task: str | None,
    categories: Sequence[str],
) -> tuple[dict[str, str], str]:
    """The kinds of the columns and the task, after checks."""
    if target not in test.columns or test.shape[1] < 2:
        raise ValueError(f"no target {target!r} beside other columns in {list(test.columns)}")
    kinds, n_values = column_kinds(test, categories), test[target].nunique()
    many = kinds[target] != "category" and n_values > FEW_VALUES
    task = task or ("regression" if many else "classification")
    if task not in ("classification", "regression"):
        raise ValueError(f"task is 'classification' or 'regression', got {task!r}")
    if task == "regression" and kinds[target] == "category":
        raise ValueError(f"{target!r} holds categories, which no regression predicts")
    if n_values < 2:
        raise ValueError(f"{target!r} has {n_values} value(s) in the test table; it needs two")
    return kinds, task


def _targets(train: pd.Series, test: pd.Series, task: str) -> tuple[np.ndarray, np.ndarray]:
    """The two targets as numbers, NaN where there is none or, in `train`, no class of `test`.

    The most frequent class is 0, so of two classes the rarer one is 1, the positive one.
    """
    if task == "regression":
        kind = column_kinds(test.to_frame())[test.name]
        origin = origin_of(test, kind)
        return numbers_of(train, kind, origin), numbers_of(test, kind, origin)
    place = places_of(test)
    return codes_of(train, place), codes_of(test, place)


def _fit(
    x: np.ndarray,
    y: np.ndarray,
    is_category: np.ndarray,
    grid: Sequence[Trees],
    seed: int,
    task: str,
) -> Any:
    """Boosted trees, tuned on a part of these rows; a constant where there is nothing to learn."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier as Classifier
    from sklearn.ensemble import HistGradientBoostingRegressor as Regressor

    classes = task == "classification"
    if not len(y) or len(np.unique(y)) < 2:
        constant = DummyClassifier() if classes else DummyRegressor()
        return constant.fit(
            x[:1] if len(x) else np.zeros((1, x.shape[1])), y[:1] if len(y) else [0]
        )
    kind = Classifier if classes else Regressor
    fewest = np.unique(y, return_counts=True)[1].min() if classes else len(y)
    common = {"categorical_features": is_category, "random_state": seed}
    if fewest < 5 or len(y) < 25:  # too few to set some aside
        return kind(**common, max_iter=30, max_leaf_nodes=8, early_stopping=False).fit(x, y)
    tried = []
    for trees in grid:
        setting = {"learning_rate": trees.learning_rate, "max_leaf_nodes": trees.leaves}
        model = kind(
            **common, **setting, max_iter=300, early_stopping=True, validation_fraction=0.2
        ).fit(x, y)
        best = int(np.argmax(model.validation_score_))
        tried.append((model.validation_score_[best], -len(tried), max(best, 1), setting))
    _, _, n_trees, setting = max(tried, key=lambda each: each[:2])
    return kind(**common, **setting, max_iter=n_trees, early_stopping=False).fit(x, y)


def _probabilities(model: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """P(class) of each row: (n, classes), also where the model has seen few of the classes."""
    found = np.zeros((len(x), n_classes))
    found[:, np.asarray(model.classes_, dtype=int)] = model.predict_proba(x)
    return found


def _class_scores(y: np.ndarray, probability: np.ndarray) -> dict[str, float]:
    from sklearn.metrics import f1_score, roc_auc_score

    guess = probability.argmax(axis=1)
    classes = [1] if probability.shape[1] == 2 else list(range(probability.shape[1]))
    return {
        "auc": float(np.mean([roc_auc_score(y == k, probability[:, k]) for k in classes])),
        "f1": float(np.mean([f1_score(y == k, guess == k, zero_division=0) for k in classes])),
        "accuracy": float(np.mean(guess == y)),
    }


def _regression_scores(y: np.ndarray, guess: np.ndarray) -> dict[str, float]:
    error = float(np.mean((y - guess) ** 2))
    return {"rmse": error**0.5, "r2": 1 - error / float(np.var(y))}


# --- real or synthetic? -------------------------------------------------------------------------


def c2st(
    real: pd.DataFrame,
    synthetic: pd.DataFrame,
    seed: int = 0,
    *,
    categories: Sequence[str] = (),
    most: int = 4000,
    folds: int = 3,
) -> float:
    """The classifier two-sample test: the AUC with which boosted trees tell the tables apart.

    Lopez-Paz and Oquab (2017, ICLR), with cross-validated trees. 0.5: they cannot be told apart;
    1: each row shows where it is from. Take real rows that the generator has not seen.

    Args:
        real, synthetic: tables of the same columns; equally many rows of each are drawn.
        seed: of the rows drawn, of the folds and of the trees.
        categories: columns of numbers that are codes of categories.
        most: how many rows of a table to use at most.
        folds: of the cross-validation.

    Raises:
        TypeError, ValueError: see `check_tables`; too few rows for the folds.
    """
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    real, synthetic = check_tables(real, synthetic)
    n = min(len(real), len(synthetic), most)
    if folds < 2 or n < folds:
        raise ValueError(
            f"{folds} folds of {n} rows a table: needs at least 2 folds, and a row a fold"
        )
    drawn = [
        table.sample(n, random_state=seed).reset_index(drop=True) for table in (real, synthetic)
    ]
    kinds = column_kinds(real, categories)
    names = list(kinds)
    both = pd.concat([each[names].astype(object) for each in drawn])
    x = np.concatenate(encoded(drawn, both, kinds))  # (2n, columns)
    x[:, _mostly_empty(x)] = 0.0
    y = np.repeat([0, 1], n)
    is_category = [kind == "category" for kind in kinds.values()]
    scores = []
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        trees = HistGradientBoostingClassifier(
            categorical_features=is_category, early_stopping=False, random_state=seed
        ).fit(x[train], y[train])
        scores.append(roc_auc_score(y[test], trees.predict_proba(x[test])[:, 1]))
    return float(np.mean(scores))
