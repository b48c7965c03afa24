"""Utility of a table (TSTR) and the classifier two-sample test, both by boosted trees.

`utility` trains on one table and tests on real rows (train on synthetic, test on real); `c2st` asks
a classifier to tell real rows from synthetic ones. Both take tables of mixed types with missing
values, and categories that only one of the tables knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.containers import values_of
from .table_columns import (
    FEW_VALUES,
    check_tables,
    codes_of,
    column_kinds,
    encoded,
    numbers_of,
    origin_of,
    places_of,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trees:
    """One setting of the boosted trees that `utility` chooses from."""

    learning_rate: float
    leaves: int


GRID = (Trees(0.1, 31), Trees(0.1, 8), Trees(0.05, 16))
FOLDS = 3  # of the cross-validation of `c2st`


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
    categories: Sequence[str] = (),
    grid: Sequence[Trees] = GRID,
) -> pd.DataFrame:
    """Measure how well boosted trees that learn from `train` predict the target of real rows.

    A seed sets aside a fifth of the rows of `train`, which choose the setting in `grid` and the
    number of trees; then the trees learn from all of `train`. The rows of `test` choose nothing.
    The types of the columns are those of `test`. Rows of `train` whose target is missing or is no
    class of `test` are of no use and left out; if nothing remains to be learned, every row gets
    one prediction (AUC 0.5).

    Args:
        train: the table to learn from, synthetic or real.
        test: real rows.
        target: the column to predict.
        seeds: one line of the result each.
        categories: columns of numbers that are codes of categories. Another target that is a
            number of more than 20 values means regression.
        grid: the settings to choose from.

    Returns:
        One row a seed. Classification: `auc`, `f1`, `accuracy` (F1 of the rarer of two classes;
        with more classes the means over the classes, each against the rest). Regression: `rmse`,
        `r2`.

    Raises:
        TypeError, ValueError: see `check_tables`; an unknown target, no seed, or a test
            table that holds fewer than two values of the target.
    """
    import pandas as pd

    if not values_of(seeds, "seeds"):
        raise ValueError("seeds names at least one seed, for example (0, 1, 2)")
    test, train = check_tables(test, train)
    kinds, task = _task_of(test, target, categories)
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
    test: pd.DataFrame, target: str, categories: Sequence[str]
) -> tuple[dict[str, str], str]:
    """The kinds of the columns and the task, after checks."""
    if target not in test.columns or test.shape[1] < 2:
        raise ValueError(f"no target {target!r} beside other columns in {list(test.columns)}")
    kinds, n_values = column_kinds(test, categories), test[target].nunique()
    if n_values < 2:
        raise ValueError(f"{target!r} has {n_values} value(s) in the test table; it needs two")
    many = kinds[target] != "category" and n_values > FEW_VALUES
    return kinds, "regression" if many else "classification"


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
) -> float:
    """The classifier two-sample test: the AUC with which boosted trees tell the tables apart.

    Lopez-Paz and Oquab (2017, ICLR), with cross-validated trees. 0.5: they cannot be told apart;
    1: each row shows where it is from. Take real rows that the generator has not seen.

    Args:
        real, synthetic: tables of the same columns; equally many rows of each are drawn.
        seed: of the rows drawn, of the folds and of the trees.
        categories: columns of numbers that are codes of categories.
        most: how many rows of a table to use at most.

    Raises:
        TypeError, ValueError: see `check_tables`; fewer than three rows.
    """
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    real, synthetic = check_tables(real, synthetic)
    n = min(len(real), len(synthetic), most)
    if n < FOLDS:
        raise ValueError(f"{FOLDS} folds need {FOLDS} rows a table, got {n}")
    drawn = [
        table.sample(n, random_state=seed).reset_index(drop=True) for table in (real, synthetic)
    ]
    kinds = column_kinds(real, categories)
    names = list(kinds)
    both = pd.concat([each[names].astype(object) for each in drawn])
    x = np.concatenate(encoded(drawn, both, kinds))  # (2n, columns)
    x[:, _mostly_empty(x)] = 0.0
    y = np.repeat([0, 1], n)
    trees = HistGradientBoostingClassifier(
        categorical_features=[kind == "category" for kind in kinds.values()],
        early_stopping=False,
        random_state=seed,
    )
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    return float(cross_val_score(trees, x, y, cv=cut, scoring="roc_auc").mean())
