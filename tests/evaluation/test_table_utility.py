"""Trees as judges of tables: what rows teach, and whether they can be told from real ones."""

import math

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import ONE, WORLD

from synthkit.evaluation import table_utility as U
from synthkit.evaluation import tables as T


def classes(n, seed, noise=0.0):
    """A table whose label is the product of two signs: no single column tells it."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=n), rng.choice(["p", "q"], n)
    label = (x > 0) ^ (z == "p") ^ (rng.random(n) < noise)
    return pd.DataFrame({"x": x, "z": z, "y": np.where(label, "yes", "no")})


def test_utility_of_a_table_with_and_without_the_rule():
    train, test = classes(600, 0), classes(400, 1)
    found = U.utility(train, test, "y", seeds=(0, 3), grid=ONE)
    assert found.index.tolist() == [0, 3] and list(found) == ["auc", "f1", "accuracy"]
    assert (found["auc"] > 0.97).all() and (found["f1"] > 0.9).all()
    without = U.utility(T.class_conditional(train, "y"), test, "y", seeds=(0,), grid=ONE)
    assert abs(without["auc"][0] - 0.5) < 0.12


def test_utility_repeats_and_its_scores_are_those_of_the_definition():
    train, test = classes(400, 0, noise=0.1), classes(300, 1)
    first, again = (U.utility(train, test, "y", seeds=(2,), grid=ONE) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    flipped = test.assign(y=test["y"].map({"yes": "no", "no": "yes"}))
    turned = U.utility(train, flipped, "y", seeds=(2,), grid=ONE)["accuracy"][2]
    assert turned == pytest.approx(1 - first["accuracy"][2], abs=0.05) and turned < 0.2
    shuffled = test.sample(frac=1, random_state=0)
    assert U.utility(train, shuffled, "y", seeds=(2,), grid=ONE).equals(first)


def test_strange_values_are_tolerated():
    train, test = classes(400, 0), classes(300, 1)
    odd = train.assign(x=train["x"].astype(object))
    odd.loc[:9, "x"] = "not a number"
    odd.loc[10:14, "x"] = math.inf
    odd.loc[15:19, "z"] = "a category of its own"
    odd.loc[20:39, "y"] = "perhaps"  # no class of the test table
    odd.loc[40:44, "y"] = None
    test = test.copy()
    test.loc[:5, "z"] = "unseen"
    test.loc[6:9, ["x", "z"]] = np.nan
    assert U.utility(odd, test, "y", seeds=(0,), grid=ONE)["auc"][0] > 0.93
    many = train.assign(name=[f"n{i}" for i in range(len(train))], none=np.nan)
    wide = test.assign(name="n3", none=np.nan)
    assert U.utility(many, wide, "y", seeds=(0,), grid=ONE)["auc"][0] > 0.9


@pytest.mark.parametrize("label", ["no", "perhaps"])
def test_a_table_of_one_class_or_of_none_teaches_nothing(label):
    found = U.utility(classes(100, 0).assign(y=label), classes(100, 1), "y", seeds=(0, 1))
    assert (found["auc"] == 0.5).all() and len(found) == 2


def test_more_than_two_classes():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=900), "c": rng.choice(list("ab"), 900)})
    frame["y"] = pd.cut(frame["x"], [-9, -0.5, 0.5, 9], labels=False)
    found = U.utility(frame[:600], frame[600:], "y", seeds=(0,), grid=ONE)
    assert found["auc"][0] > 0.98 and found["f1"][0] > 0.95
    two_of_three = frame[:600][frame["y"][:600] > 0]
    assert 0.5 < U.utility(two_of_three, frame[600:], "y", seeds=(0,), grid=ONE)["auc"][0] < 0.98


def test_regression():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=900), "c": rng.choice(list("ab"), 900)})
    frame["y"] = 3 * frame["x"] + 5 * (frame["c"] == "a")
    train, test = frame[:600].copy(), frame[600:]
    found = U.utility(train, test, "y", seeds=(0, 1), grid=ONE)
    assert list(found) == ["rmse", "r2"] and (found["r2"] > 0.95).all()
    spread = test["y"].std(ddof=0)
    assert np.allclose(found["r2"], 1 - (found["rmse"] / spread) ** 2)
    train.loc[:99, "y"] = np.nan
    assert (U.utility(train, test, "y", seeds=(0,), grid=ONE)["r2"] > 0.9).all()
    alone = U.utility(T.independent_columns(train), test, "y", seeds=(0,), grid=ONE)
    assert alone["r2"][0] < 0.1
    nothing = U.utility(train.assign(y=np.nan), test, "y", seeds=(0,))
    assert nothing["rmse"][0] == pytest.approx(np.sqrt(np.mean(test["y"] ** 2)))
    codes = U.utility(frame.assign(y=frame["y"] > 0), test.assign(y=test["y"] > 0), "y", seeds=(0,))
    assert "auc" in codes


def test_the_task_is_what_the_target_says():
    frame = pd.DataFrame(
        {"x": range(100), "few": [0, 1] * 50, "many": range(100), "c": ["a", "b"] * 50}
    )
    assert "auc" in U.utility(frame, frame, "few", seeds=(0,), grid=ONE)
    assert "rmse" in U.utility(frame, frame, "many", seeds=(0,), grid=ONE)
    with pytest.raises(ValueError, match="no target 'none'"):
        U.utility(frame, frame, "none")
    with pytest.raises(ValueError, match=r"has 1 value\(s\) in the test table"):
        U.utility(frame, frame.assign(few=1), "few")
    for report in (U.utility, lambda a, b, c, s: T.reference_rows(a, b, c, seeds=s)):
        with pytest.raises(ValueError, match="at least one seed"):
            report(frame, frame, "few", ())
    with pytest.raises(ValueError, match="beside other columns"):
        U.utility(frame[["few"]], frame[["few"]], "few")


def test_c2st_knows_the_same_from_the_different():
    real, fresh = WORLD.frame(600, 0), WORLD.frame(600, 1)
    assert abs(U.c2st(real, fresh) - 0.5) < 0.08
    assert U.c2st(real, T.independent_columns(fresh)) > 0.8
    assert U.c2st(real, fresh.assign(commute=fresh["commute"] + 0.25)) > 0.85
    assert U.c2st(real, fresh.assign(region="Moon")) == 1
    few = real[:100], fresh[:100]
    assert U.c2st(*few, seed=1) == U.c2st(*few, seed=1) != U.c2st(*few, seed=2)


def test_c2st_takes_equally_many_rows_and_says_what_it_needs():
    real = classes(50, 0)
    assert 0 <= U.c2st(real, real[:3]) <= 1
    assert U.c2st(real, real.assign(x=np.nan)) == 1
    with pytest.raises(ValueError, match="3 folds need 3 rows a table, got 2"):
        U.c2st(real, real[:2])


def test_a_class_of_few_rows_is_no_obstacle():
    train, test = classes(60, 0), classes(100, 1)
    few = pd.concat([train[train["y"] == "no"], train[train["y"] == "yes"][:2]])
    assert 0 <= U.utility(few, test, "y", seeds=(0,))["auc"][0] <= 1
    assert len(U.utility(train[:3], test, "y", seeds=(0,))) == 1


def test_a_class_that_only_the_training_table_has_teaches_nothing():
    train, test = classes(300, 0), classes(200, 1)
    levels = ["no", "perhaps", "yes"]
    plain = U.utility(train, test, "y", seeds=(0,), grid=ONE)
    train, test = (each.assign(y=pd.Categorical(each["y"], levels)) for each in (train, test))
    more = pd.concat([train, train[:40].assign(y=pd.Categorical(["perhaps"] * 40, levels))])
    assert U.utility(more, test, "y", seeds=(0,), grid=ONE).equals(plain)
