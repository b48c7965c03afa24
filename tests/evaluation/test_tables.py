"""Reference tables, whose quality is known, and the report of all measures."""

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import ONE, WORLD, bayes_auc, mixed, real_halves

from synthkit.evaluation import table_fidelity as F
from synthkit.evaluation import table_utility as U
from synthkit.evaluation import tables as T


def sorted_values(frame, name):
    return sorted(map(str, frame[name].tolist()))


def test_independent_columns_keep_every_column():
    frame = mixed(300)
    drawn = T.independent_columns(frame, seed=1)
    assert all(sorted_values(drawn, name) == sorted_values(frame, name) for name in frame)
    assert (drawn.dtypes == frame.dtypes).all() and not drawn.equals(frame)
    assert drawn.equals(T.independent_columns(frame, seed=1))
    assert not drawn.equals(T.independent_columns(frame, seed=2))


@pytest.mark.parametrize("target", ["flag", "colour"])
def test_class_conditional_columns_keep_every_class(target):
    frame = mixed(300)
    drawn = T.class_conditional(frame, target, seed=1)
    assert (drawn.dtypes == frame.dtypes).all()
    assert drawn[target].equals(frame[target])
    for value, part in frame.groupby(target, dropna=False):
        same = drawn[drawn[target].isna() if pd.isna(value) else drawn[target] == value]
        for name in frame:
            assert sorted_values(same, name) == sorted_values(part, name)
    assert not drawn["size"].equals(frame["size"])
    assert drawn.equals(T.class_conditional(frame, target, seed=1))


def test_class_conditional_columns_of_a_numeric_target_keep_its_tenths():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=2000)}).assign(x=lambda f: f["y"] + 0.01)
    drawn = T.class_conditional(frame, "y")
    assert drawn["y"].equals(frame["y"])
    assert 0.9 < drawn.corr().iloc[0, 1] < 0.99
    with pytest.raises(ValueError, match="no column 'z'"):
        T.class_conditional(frame, "z")


def test_reference_tables_have_their_names(monkeypatch):
    frame = WORLD.frame(1200, 0)
    tables = T.reference_tables(frame, "income")
    assert {name: len(table) for name, table in tables.items()} == {
        "1,000 real rows": 1000, "independent within classes": 1200, "independent columns": 1200,
    }  # fmt: skip
    assert "1,000 real rows" not in T.reference_tables(frame[:1000], "income")
    monkeypatch.setattr(T, "tvae_table", lambda train, **how: train.assign(**how))
    made = T.reference_tables(mixed(), "flag", seed=4, tvae_epochs=2)["TVAE"]
    assert (made["epochs"] == 2).all() and (made["seed"] == 4).all()


@pytest.fixture(scope="module")
def report():
    train, test = WORLD.frame(1500, 0), WORLD.frame(900, 1)
    references = T.reference_rows(train, test, "income", seeds=(0,), grid=ONE)
    fresh = T.evaluate_table(train, test, WORLD.frame(1500, 2), "income", seeds=(0, 1), grid=ONE)
    return pd.concat([references, fresh])


def test_the_report_holds_every_measure_of_every_table(report):
    assert report.index.tolist() == [
        "real", "1,000 real rows", "independent within classes", "independent columns", "synthetic",
    ]  # fmt: skip
    assert {"auc", "auc_sd", "f1", "shape_error", "pair_error", "c2st", "copies"} < set(report)
    assert report["rows"].tolist() == [1500, 1000, 1500, 1500, 1500]
    assert report.drop(columns=["auc_sd", "f1_sd", "accuracy_sd"]).notna().all(axis=None)
    assert report["auc_sd"].notna().tolist() == [False] * 4 + [True]


def test_on_the_census_world_the_reference_rows_lie_apart(report):
    auc = report["auc"]
    assert auc["real"] > auc["independent within classes"] + 0.05
    assert auc["independent within classes"] > auc["independent columns"] + 0.1
    assert auc["real"] < bayes_auc() + 0.02 and abs(auc["real"] - auc["synthetic"]) < 0.03
    c2st = report["c2st"]
    assert abs(c2st["real"] - 0.5) < 0.06 and abs(c2st["synthetic"] - 0.5) < 0.06
    assert c2st["independent within classes"] > 0.75 and c2st["independent columns"] > 0.8
    shape, pair = report["shape_error"], report["pair_error_real_bins"]
    assert shape["independent columns"] == shape["independent within classes"] == 0 < shape["real"]
    assert pair["real"] < pair["independent within classes"] < pair["independent columns"]
    assert report["copies"]["1,000 real rows"] == 1 > 0.1 > report["copies"]["synthetic"]
    assert (report["invalid"].drop(["real", "synthetic"]) == 0).all()


def test_columns_left_out_change_the_natural_rate():
    rng = np.random.default_rng(0)
    train, test = (
        pd.DataFrame(
            {"id": np.arange(k, k + 100), "c": rng.choice(list("ab"), 100), "y": [0, 1] * 50}
        )
        for k in (0, 100)
    )
    options = {"seeds": (0,), "grid": ONE}
    every = T.evaluate_table(train, test, train, "y", **options).iloc[0]
    without = T.evaluate_table(train, test, train, "y", without=["id"], **options).iloc[0]
    assert (every["natural_copies"], without["natural_copies"]) == (0, 1)
    assert every["copies"] == without["copies"] == 1
    assert (
        T.reference_rows(train, test, "y", without=["id"], **options)["copies"].tolist() == [1] * 3
    )


def test_tables_by_name_and_regression():
    frame = mixed(400).drop(columns="flag")
    tables = {"one": frame[:200], "two": T.independent_columns(frame[:200])}
    found = T.evaluate_table(
        frame[:200], frame[200:], tables, "size", seeds=(0,), without=["day"], grid=ONE
    )
    assert found.index.tolist() == ["one", "two"] and {"rmse", "r2", "rmse_sd"} < set(found)
    assert found["copies"].tolist()[0] == 1


def test_on_adult_independence_within_classes_is_nearly_enough(shared_data):
    train, test = real_halves(shared_data, "adult", 3000)
    apart = T.class_conditional(train, "income")
    auc = [U.utility(t, test, "income", seeds=(0,), grid=ONE)["auc"][0] for t in (train, apart)]
    assert 0.88 < auc[0] < 0.94 and abs(auc[0] - auc[1]) < 0.04
    assert U.c2st(test, apart) > 0.93
    assert 3.5 < F.pair_error(train, apart) < 8 and F.shape_error(train, apart) == 0
    assert 0.5 < F.shape_error(train, test) < 3
