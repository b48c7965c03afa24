"""The census world: its joint distribution is exact, and what breaks it is seen."""

import itertools
import math
import random

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import bayes_auc
from sklearn.metrics import roc_auc_score

from synthkit.worlds.census import CensusWorld, joint_distance
from synthkit.worlds.census_tables import BANDS, PARENTS, VALUES, conditional_tables

WORLD = CensusWorld()
FRAME = WORLD.frame(20_000, seed=0)
ROW = {
    "age": 44, "sex": "Female", "region": "East", "education": "Master", "marital": "Married",
    "occupation": "Manager", "hours": 45, "commute": 3.5, "capital": 0, "income": ">50K",
}  # fmt: skip
IDLE = {**ROW, "occupation": None, "hours": 0, "commute": 0.0, "income": "<=50K"}
IMPOSSIBLE = [  # each breaks one rule of the network
    {**ROW, "age": 22, "occupation": "Office"},  # a master of 22
    {**ROW, "age": 25, "education": "Doctorate"},
    {**ROW, "age": 23},  # a manager of 23
    {**ROW, "age": 75},  # nobody works at 75
    {**ROW, "age": 29, "marital": "Widowed"},
    {**ROW, "education": "College", "occupation": "Specialist"},
    {**ROW, "hours": 20},  # a manager works 30 hours or more
    {**ROW, "hours": 0, "commute": 0.0},  # an occupation without hours
    {**ROW, "occupation": None, "income": "<=50K"},  # hours without an occupation
    {**IDLE, "commute": 3.5},  # a way to no work
    {**IDLE, "income": ">50K"},  # no work, no capital
    {**ROW, "age": 29, "capital": 99999},
]
UNKNOWN = [
    {**ROW, "age": 44.5}, {**ROW, "age": 17}, {**ROW, "age": "44"}, {**ROW, "age": None},
    {**ROW, "hours": True}, {**ROW, "sex": "female"}, {**ROW, "sex": float("nan")},
    {**ROW, "commute": 3.4}, {**ROW, "capital": 1}, {**ROW, "income": " >50K"},
    {**ROW, "region": ["East"]}, {**ROW, "occupation": ""},
]  # fmt: skip


# --- drawing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_the_ends_of_the_unit_interval_give_possible_rows(uniform):
    class Fixed(random.Random):
        def random(self):
            return uniform

    assert WORLD.check(WORLD.example(Fixed()))


def test_columns_have_their_types():
    dataset = WORLD.sample(200, seed=0)
    assert tuple(dataset.column_names) == WORLD.columns == tuple(FRAME.columns) == tuple(VALUES)
    assert dataset[:3]["occupation"] == [row["occupation"] for row in WORLD.rows(3)]
    kinds = {name: str(FRAME[name].dtype) for name in ("age", "hours", "capital", "commute")}
    assert kinds == {"age": "int64", "hours": "int64", "capital": "int64", "commute": "float64"}
    assert FRAME["occupation"].isna().any() and not FRAME.drop(columns="occupation").isna().any(
        axis=None
    )
    assert WORLD.rows(1)[0]["occupation"] is None or isinstance(WORLD.rows(1)[0]["occupation"], str)


def test_the_shares_drawn_are_the_marginals():
    for name, codes in zip(VALUES, WORLD.codes(FRAME).T):
        distribution = WORLD.marginal(name)
        found = np.bincount(codes, minlength=len(distribution))
        sd = np.sqrt(distribution * (1 - distribution) / len(FRAME))
        assert (np.abs(found / len(FRAME) - distribution) <= 5 * sd + 1e-4).all(), name


# --- the tables -----------------------------------------------------------------------------------


def test_tables_are_conditional_distributions():
    tables = conditional_tables()
    assert list(tables) == list(VALUES) == list(PARENTS)
    for name, table in tables.items():
        assert table.shape == tuple(len(VALUES[other]) for other in (*PARENTS[name], name))
        assert (table >= 0).all() and np.allclose(table.sum(axis=-1), 1, atol=1e-12)


# --- the exact joint ------------------------------------------------------------------------------


def test_a_marginal_is_the_sum_over_all_that_is_left_out():
    t = WORLD.tables
    found = np.zeros((5, 13, 50))  # education, hours, commute
    for age, sex, region, job in itertools.product(range(60), range(2), range(4), range(7)):
        weight = t["age"][age] * t["sex"][sex] * t["region"][region]
        schooling = t["education"][age, region] * t["occupation"][age, sex, :, job]
        way = t["hours"][sex, job][:, None] * t["commute"][region]
        found += weight * schooling[:, None, None] * way
    assert np.allclose(found, WORLD.marginal("education", "hours", "commute"), atol=1e-13)


@pytest.mark.parametrize("names", [(), ("age", "age"), ("age", "wage")])
def test_a_marginal_names_columns_once(names):
    with pytest.raises(ValueError, match="name one or more different columns"):
        WORLD.marginal(*names)


def test_the_probability_of_a_row_is_the_product_of_its_terms():
    place = {name: VALUES[name].index(ROW[name]) for name in VALUES}
    terms = [
        table[tuple(place[other] for other in (*PARENTS[name], name))]
        for name, table in WORLD.tables.items()
    ]
    assert math.isclose(WORLD.log_probability([ROW])[0], sum(map(math.log, terms)))


def test_entropy_is_the_mean_surprise_of_real_rows():
    surprise = -WORLD.log_probability(FRAME)
    error = surprise.std() / math.sqrt(len(FRAME))
    assert abs(surprise.mean() - WORLD.entropy) < 5 * error < 0.2


def test_the_bayes_score_is_the_posterior():
    few = FRAME[:300]
    high, low = (
        np.exp(WORLD.log_probability(few.assign(income=value))) for value in (">50K", "<=50K")
    )
    assert np.allclose(WORLD.bayes_score(few), high / (high + low))
    assert np.allclose(WORLD.bayes_score(few.drop(columns="income")), WORLD.bayes_score(few))
    assert WORLD.bayes_score([IDLE])[0] == 0
    assert np.isnan(WORLD.bayes_score([{**ROW, "age": 300}])[0])


def test_the_bayes_score_reaches_the_exact_auc():
    found = roc_auc_score(FRAME["income"] == ">50K", WORLD.bayes_score(FRAME))
    assert abs(found - bayes_auc()) < 0.01


# --- rows that are right and wrong ----------------------------------------------------------------


def test_right_rows_pass():
    assert WORLD.check(ROW) and WORLD.check(IDLE)
    assert all(WORLD.check(row) for row in WORLD.rows(200, seed=9))
    assert WORLD.check({**ROW, "age": 44.0, "hours": np.int64(45), "commute": np.float32(3.5)})
    for missing in (float("nan"), pd.NA, np.nan):
        assert WORLD.check({**IDLE, "occupation": missing})
    assert WORLD.check({**ROW, "note": "another column is not read"})


@pytest.mark.parametrize("row", IMPOSSIBLE + UNKNOWN)
def test_wrong_rows_fail(row):
    assert not WORLD.check(row)
    assert WORLD.log_probability([ROW, row, ROW])[1] == -math.inf


def test_tables_of_every_kind_read_alike():
    rows = WORLD.rows(30, seed=2)
    lists, frame, dataset = rows, WORLD.frame(30, seed=2), WORLD.sample(30, seed=2)
    assert (WORLD.codes(lists) == WORLD.codes(frame)).all()
    assert (WORLD.codes(lists) == WORLD.codes(dataset)).all()
    assert WORLD.codes(lists).shape == (30, 10) and WORLD.codes([]).shape == (0, 10)


def test_a_missing_column_is_named():
    less = {name: value for name, value in ROW.items() if name != "hours"}
    with pytest.raises(KeyError, match="hours"):
        WORLD.check(less)
    with pytest.raises(KeyError, match="row 1 lacks 'hours'"):
        WORLD.log_probability([ROW, less])
    with pytest.raises(KeyError, match="needs the column 'hours'; found age, sex"):
        WORLD.log_probability(FRAME.drop(columns="hours"))
    with pytest.raises(TypeError, match="found int"):
        WORLD.codes(3)


# --- distance of a sample from the exact joint ----------------------------------------------------


@pytest.fixture(scope="module")
def distances():
    rng = np.random.default_rng(0)
    few = FRAME[:3000].reset_index(drop=True)
    alone = few.apply(lambda column: rng.permutation(column.to_numpy()))
    return {name: joint_distance(WORLD, f) for name, f in (("real", few), ("independent", alone))}


def test_a_real_sample_lies_at_the_floor(distances):
    real = distances["real"]
    assert list(real.index) == [
        "single columns", "pairs", "triples", "impossible rows", "cross entropy",
    ]  # fmt: skip
    for name in ("single columns", "pairs", "triples"):
        assert 0.5 * real.floor[name] < real.found[name] < 1.5 * real.floor[name]
    assert real.found["impossible rows"] == real.floor["impossible rows"] == 0
    assert abs(real.found["cross entropy"] - WORLD.entropy) < 0.4


def test_independent_columns_keep_the_columns_and_lose_the_pairs(distances):
    real, alone = distances["real"], distances["independent"]
    assert alone.found["single columns"] == pytest.approx(real.found["single columns"])
    assert alone.found["pairs"] > 3 * real.floor["pairs"]
    assert alone.found["triples"] > 3 * real.floor["triples"]
    assert alone.found["impossible rows"] > 0.1


def band(name, value):
    return np.searchsorted(BANDS[name], value, side="right") if name in BANDS else value


def test_the_distance_of_one_row_repeated_is_known():
    found = joint_distance(WORLD, [ROW] * 5, floor_draws=2)["found"]
    shares = [WORLD.marginal(name)[VALUES[name].index(ROW[name])] for name in VALUES]
    assert found["single columns"] == pytest.approx(1 - np.mean(shares))
    assert found["cross entropy"] == pytest.approx(-WORLD.log_probability([ROW])[0])
    pairs = []
    for names in itertools.combinations(VALUES, 2):
        distribution = WORLD.marginal(*names)
        for axis, name in enumerate(names):
            same = [band(name, value) == band(name, ROW[name]) for value in VALUES[name]]
            distribution = np.compress(same, distribution, axis=axis)
        pairs.append(1 - distribution.sum())
    assert found["pairs"] == pytest.approx(np.mean(pairs))


def test_values_off_the_grid_count_in_full():
    strange = [{name: "?" for name in VALUES}] * 4
    found = joint_distance(WORLD, strange, floor_draws=2)["found"]
    assert found[["single columns", "pairs", "triples"]].tolist() == pytest.approx([1, 1, 1])
    assert found["impossible rows"] == 1 and math.isnan(found["cross entropy"])


def test_the_floor_repeats_and_its_needs_are_stated():
    first, again = (joint_distance(WORLD, FRAME[:40], floor_draws=2, seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    for rows, draws in (([], 3), ([ROW], 1)):
        with pytest.raises(ValueError, match="at least one row and two floor draws"):
            joint_distance(WORLD, rows, floor_draws=draws)
