"""The SPA study: testbeds whose modes are known, how they are cut, and what a result says."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from synthkit.studies.measurements import Log
from synthkit.studies.spa import experiment as E
from synthkit.studies.spa import report as R
from synthkit.studies.spa.testbeds import TESTBEDS, code_testbed, records_testbed
from synthkit.worlds import load_world
from synthkit.worlds.records import ORDERS

STRONG = "records, strong skew"


# --- testbeds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [records_testbed, code_testbed])
def test_queries_and_prompts_are_apart_from_the_rows(make):
    testbed = make(120, 10, 3, "strong")
    seen = {row["question"] for row in testbed.rows}
    assert len(testbed.asked) == 10 and not seen & set(testbed.prompts)
    assert not set(testbed.prompts) & {row["question"] for row in testbed.queries}
    assert len(testbed.mode) == len(testbed.topic) == len(testbed.rows) == 120
    assert make(120, 10, 3, "strong").rows == testbed.rows
    assert make(120, 10, 4, "strong").rows != testbed.rows


@pytest.mark.parametrize("make", [records_testbed, code_testbed])
def test_the_queries_are_two_questions_in_every_mode(make):
    testbed = make(60, 4, 0, "mild")
    k = testbed.n_modes
    for part in (testbed.queries[:k], testbed.queries[k:]):
        assert len({row["question"] for row in part}) == 1
        assert len({testbed.mode_of(row["answer"]) for row in part}) == k == 6
    assert len(testbed.others) == k


@pytest.mark.parametrize("make", [records_testbed, code_testbed])
def test_the_judge_knows_right_from_wrong(make):
    testbed = make(30, 3, 0, "strong")
    groups = [[row["answer"], "nothing"] for row in testbed.asked]
    assert testbed.judge(testbed.asked, groups).tolist() == [[True, False]] * 3
    turned = [groups[1], groups[2], groups[0]]
    assert not testbed.judge(testbed.asked, turned)[:, 0].all()


def test_skew_is_that_of_the_rows_and_real_rows_are_even():
    share = np.mean([m == ORDERS[0] for m in records_testbed(2000, 1, 0, "strong").mode])
    assert abs(share - 0.5) < 0.04
    mixed = records_testbed(2000, 1, 0, "strong", real=0.5).mode
    assert abs(np.mean([m == ORDERS[0] for m in mixed]) - (0.25 + 1 / 12)) < 0.04


# --- answers and parts ----------------------------------------------------------------------------


def test_working_modes_count_right_answers_of_different_kinds():
    testbed = records_testbed(20, 2, 0, "even")
    row = testbed.asked[0]
    two = [found["answer"] for found in load_world("records").solutions(row)[:2]]
    groups = [[two[0], two[1], two[0]], ["wrong", "wrong", "wrong"]]
    right = np.array([[True] * 3, [False] * 3])
    found = E.measure_answers(testbed, groups, right)
    assert found["pass@1"] == 0.5 and found["pass@3"] == 0.5
    assert found["working modes"] == 1.0 and found["working answers"] == 1.0
    assert found["diversity"] == pytest.approx((2 / 3 + 0) / 2)


@pytest.fixture
def trial(tmp_path):
    """A trial whose scores are known: each row helps the query of its own mode most."""
    testbed = records_testbed(120, 2, 0, "even")
    trial = E.PartsTrial(None, E.PRESETS["fast"], 0, Log(tmp_path / "m.jsonl"), name=STRONG)
    trial.testbed = testbed
    own = np.array([[ORDERS.index(mode) == k for mode in testbed.mode] for k in range(6)], float)
    noise = np.random.default_rng(0).normal(size=(12, 120)) * 0.01
    trial.scores = np.concatenate([own, own]) + noise
    trial.lexical = np.random.default_rng(1).normal(size=(6, 120))
    return trial


@pytest.mark.parametrize("arm", E.PARTS)
def test_every_rule_cuts_as_many_parts_as_there_are_modes(trial, arm):
    trial.preset = replace(trial.preset, method=replace(trial.preset.method, min_size=1))
    partition = trial.cut(arm)
    assert partition.n_parts == 6 and partition.sizes.min() > 0
    whole = (partition.sizes.sum() == 120) != (arm == E.OTHER_SEEDS)
    assert whole


def test_the_right_sign_finds_the_modes_and_the_wrong_one_does_not(trial):
    orders = [ORDERS.index(mode) for mode in trial.testbed.mode]
    assert (trial.cut(E.INFLUENCE).labels == orders).all()
    assert not (trial.cut(E.WRONG).labels == orders).any()
    oracle = E.make_partition("oracle", factor=trial.testbed.mode)
    assert (trial.cut(E.ORACLE).labels == oracle.labels).all()


def test_sweeps_and_retraining_belong_to_the_first_testbed():
    preset = replace(E.PRESETS["study"], arms=(E.GREEDY,))
    first, *others = E.cases(preset)
    names = [unit.name for unit in first.units]
    assert names == [E.GREEDY, *E.COUNTS, *E.MIXED, E.RETRAINING]
    assert all([unit.name for unit in case.units] == list(E.CORE) for case in others)
    assert [case.labels for case in (first, *others)] == [TESTBEDS[n] for n in preset.testbeds]


def test_retraining_is_measured(trial, monkeypatch):
    def fidelity(lm, rows, queries, *, methods, **options):
        assert (len(rows), len(queries)) == (20, 6)
        some = {name: np.full(6, 0.5) for name in methods}
        return SimpleNamespace(lds=some, rises=some, random_rises=np.zeros((2, 6)))

    monkeypatch.setattr(E, "fidelity", fidelity)
    trial.preset, trial.base = replace(trial.preset, n_fidelity=20), None
    E.hold_against_retraining(trial)
    assert len(trial.log.rows) == 2 * len(E.METHODS) + 1


# --- the report -----------------------------------------------------------------------------------


def test_claims_are_read_off_the_right_arms(recorded):
    found = R.verdicts(recorded({
        ("diversity", E.INFLUENCE): (0.9, 0.92, 0.91),
        ("diversity", E.RANDOM): (0.1, 0.2, 0.15),
        ("diversity", E.BM25): (0.5, 0.52, 0.51),
        ("diversity", E.GREEDY): (0.0, 0.0, 0.0),
        ("pass@1", E.INFLUENCE): (0.9, 0.91, 0.92),
        ("pass@1", E.GREEDY): (1.0, 1.0, 1.0),
        ("LDS", "datainf"): (0.5, 0.4, 0.6),
        ("LDS", "ekfac"): (0.1, 0.2, 0.1),
    }, **TESTBEDS[STRONG])).set_index("claim")["verdict"]  # fmt: skip
    assert found["more diverse than random parts"] == "supported"
    assert found["more diverse than BM25+ parts"] == "refuted"
    assert found["one adapter, greedy, is never diverse"] == "supported"
    assert found["as right as one adapter, greedy"] == "refuted"
    assert found["LDS of datainf"] == "undecided" and found["LDS of ekfac"] == "refuted"


def test_what_is_needed_depends_on_the_skew(recorded):
    gain = {("diversity", E.INFLUENCE): (0.5, 0.5, 0.5), ("diversity", E.RANDOM): (0.2, 0.2, 0.2)}
    for place, verdict in ((STRONG, "refuted"), ("records, mild skew", "supported")):
        found = R.verdicts(recorded(gain, **TESTBEDS[place])).set_index("claim")["verdict"]
        assert found["more diverse than random parts"] == verdict
        assert ("LDS of ekfac" in found) == (place == STRONG)
