"""The EmbedSDG study: what it draws, and what it reads off a result."""

import numpy as np
import pytest

from synthkit.evaluation.contamination import question_key
from synthkit.studies.embedsdg import experiment as E
from synthkit.studies.embedsdg import report as R
from synthkit.studies.registry import load_study


def test_tests_are_not_in_the_data():
    from dataclasses import replace

    small = replace(load_study("embedsdg").presets["fast"], n_real=80, per_family=1, n_density=60)
    data = E.draw(small, seed=1)
    tested = {question_key(row["question"]) for row in (*data.balanced, *data.alike)}
    assert not tested & {question_key(row["question"]) for row in data.real}
    assert len(data.real) == small.n_real and len(data.rare) == len(data.world.families) // 2
    assert E.draw(small, seed=1).real == data.real != E.draw(small, seed=2).real


def test_differences_are_paired_over_seeds(recorded):
    accuracy = {E.BASELINE: (0.5, 0.6, 0.7), E.METHOD: (0.6, 0.7, 0.8)}
    found = recorded({(R.ACCURACY, arm): numbers for arm, numbers in accuracy.items()})
    gain = R.difference(found, E.METHOD)
    assert gain.mean == pytest.approx(0.1) and gain.low == pytest.approx(0.1)
    verdicts = R.verdicts(found).set_index("claim")["verdict"]
    assert verdicts["EmbedSDG's students beat those of random single seeds"] == "supported"
    assert verdicts["EmbedSDG's students beat those of random pairs"] == "not run"
    table = R.table(found)
    assert list(table.index) == [E.BASELINE, E.METHOD]
    assert table["against baseline"].tolist() == ["-", "+0.100 [+0.100, +0.100]"]


def test_fewer_than_three_seeds_decide_nothing(recorded):
    arms = {(R.ACCURACY, arm): (0.5, 0.5) for arm in (E.BASELINE, E.METHOD)}
    found = recorded(arms, seeds=(0, 1))
    with pytest.raises(ValueError, match="2 seeds have both"):
        R.difference(found, E.METHOD)
    assert R.table(found).loc[E.METHOD, "against baseline"] == "+0.000 (n=2)"


def test_the_table_keeps_the_order_of_the_arms(recorded):
    arms = {(R.ACCURACY, arm): (0.5 + i / 100,) * 3 for i, arm in enumerate(reversed(R.ORDER))}
    table = R.table(recorded(arms))
    assert list(table.index) == list(R.ORDER)
    assert np.isclose(table.loc[E.CEILING, "accuracy"], 0.5)
