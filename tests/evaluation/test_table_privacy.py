"""Copies in tables: distances by hand and by a plain search; copiers are caught."""

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import WORLD, mixed

from synthkit.evaluation import table_columns as C
from synthkit.evaluation import table_privacy as R


def test_distances_by_hand():
    train = pd.DataFrame({"x": [0.0, 10.0], "c": ["a", "b"], "k": [3, 3]})
    holdout = pd.DataFrame({"x": [0.0, 10.0], "c": ["b", "a"], "k": [3, 3]})
    made = pd.DataFrame({"x": [1.0, 1.0, 5.0, 0.0], "c": ["a", "b", "z", None], "k": [3, 3, 3, 4]})
    found = R.closest_record(train, holdout, made)
    # to train .1, min(1.1, .9) = .9, 1.5, 2; to holdout .9 (ten away), .1, 1.5, 2: two ties
    assert found.nearer_train.mean == 0.5 and found.rows == 2
    assert found.distance == pytest.approx(1.2)
    assert found.copies == found.natural == 0
    first = R.closest_record(train, holdout, made.iloc[[0, 0, 2]])
    assert first.nearer_train.mean == pytest.approx(2.5 / 3)


def test_missing_values_lie_near_each_other():
    train = pd.DataFrame({"x": [np.nan, 8.0, 4.0], "c": [None, "a", "a"]})
    holdout = pd.DataFrame({"x": [4.0, 4.0, 4.0], "c": ["a", "a", "a"]})
    found = R.closest_record(train, holdout, train.iloc[[0, 0]])
    assert found.copies == 1 and found.nearer_train.mean == 1 and found.distance == 0
    assert found.natural == 1  # the held-out row is the third training row


def test_near_rows_are_those_of_a_plain_search():
    train, holdout, made = (mixed(60, seed) for seed in range(3))
    kinds = C.column_kinds(train)
    spread = {
        name: np.nanmax(values := C.numbers_of(train[name], kind)) - np.nanmin(values)
        for name, kind in kinds.items()
        if kind != "category"
    }

    def gap(a, b):
        total = 0.0
        for name, kind in kinds.items():
            x, y = a[name], b[name]
            if pd.isna(x) or pd.isna(y):
                total += pd.isna(x) != pd.isna(y)
            elif kind == "category":
                total += x != y
            else:
                total += abs(x - y) / (pd.Timedelta("1D") if kind == "date" else 1) / spread[name]
        return total

    rows = [list(table.to_dict("records")) for table in (train, holdout, made)]
    near, far = (np.array([min(gap(a, b) for b in x) for a in rows[2]]) for x in rows[:2])
    found = R.closest_record(train, holdout, made)
    assert found.distance == pytest.approx(np.median(near))
    assert found.nearer_train.mean == pytest.approx(np.mean((near < far) + 0.5 * (near == far)))


def test_a_copier_is_caught_and_fresh_rows_are_not():
    train, holdout, fresh = (WORLD.frame(500, seed) for seed in range(3))
    honest = R.closest_record(train, holdout, fresh)
    assert honest.nearer_train.low < 0.5 < honest.nearer_train.high and honest.copies < 0.05
    copier = R.closest_record(train, holdout, train.sample(frac=1, random_state=0))
    assert copier.copies == 1 and copier.nearer_train.low > 0.9 > 0.05 > copier.natural
    blurred = train.assign(commute=train["commute"] + 0.001)
    assert R.closest_record(train, holdout, blurred).copies == 0
    assert R.closest_record(train, holdout, blurred).nearer_train.low > 0.9
    assert R.closest_record(train, holdout, blurred, without=["commute"]).copies == 1


def test_a_column_of_names_makes_no_copies():
    rng = np.random.default_rng(0)
    names = ([f"{k}{i}" for i in range(400)] for k in "abc")
    tables = [pd.DataFrame({"name": n, "x": rng.choice([0.0, -0.0], 400)}) for n in names]
    found = R.closest_record(*tables)
    assert found.copies == found.natural == 0 and found.distance == 1
    assert found.nearer_train.mean == 0.5
    assert R.closest_record(*tables, without=["name"]).copies == 1


def test_copies_are_looked_for_on_exact_values():
    """Ids over the whole range of 64 bits: neighbours are one float, and no copies."""
    ids = np.random.default_rng(0).integers(-(2**62), 2**62, 50) // 2 * 2
    train, near = (pd.DataFrame({"id": ids + i, "x": 1.0}) for i in (0, 1))
    found = R.closest_record(train, near, near.astype({"id": "Int64"}))
    assert found.copies == found.natural == 0
    assert R.closest_record(train, near, train.astype({"id": str})).copies == 1
    gaps = train.astype({"id": "Int64"})
    gaps.loc[:9, "id"] = None
    assert R.closest_record(gaps, near, gaps[:10]).copies == 1
    assert R.closest_record(train, near, gaps).copies == 0.8


def test_equal_halves_and_what_is_needed():
    train, holdout, made = WORLD.frame(300, 0), WORLD.frame(90, 1), WORLD.frame(50, 2)
    assert R.closest_record(train, holdout, made).rows == 90
    assert R.closest_record(train, holdout, made, most=40).rows == 40
    assert R.closest_record(train, holdout, made, seed=1) == R.closest_record(
        train, holdout, made, seed=1
    )
    with pytest.raises(ValueError, match="needs 2 synthetic rows"):
        R.closest_record(train, holdout, made[:1])
    with pytest.raises(ValueError, match=r"without=\['id'\]"):
        R.closest_record(train, holdout, made, without=["id"])
    with pytest.raises(ValueError, match="a column to compare"):
        R.closest_record(train[["age"]], holdout, made, without=["age"])
