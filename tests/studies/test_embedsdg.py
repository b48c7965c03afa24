"""The EmbedSDG experiment and its report, at a size that proves the path and decides nothing."""

from dataclasses import replace

import numpy as np
import pytest

from synthkit.embedsdg.prompts import question_key
from synthkit.lm.finetune import FinetunePreset
from synthkit.studies.embedsdg import experiment as E
from synthkit.studies.embedsdg import report as R
from synthkit.studies.measurements import Log
from synthkit.studies.results import Result

SMALL = replace(
    E.PRESETS["fast"],
    n_real=80,
    n_synthetic=12,
    per_family=1,
    n_density=60,
    retrain=FinetunePreset(rank=4, epochs=1),
    proceed=FinetunePreset(rank=4, epochs=1),
)


def result(rows, seeds=(0, 1, 2)):
    full = [{"measure": m, "arm": a, "seed": s, "value": v} for m, a, s, v in rows]
    return Result("embedsdg", "", {}, "study", {}, list(seeds), full, "", "2026-01-01", None, None,
                  {}, 2)  # fmt: skip


def test_tests_are_not_in_the_data():
    data = E.draw(SMALL, seed=1)
    tested = {question_key(row["question"]) for row in (*data.balanced, *data.alike)}
    assert not tested & {question_key(row["question"]) for row in data.real}
    assert len(data.real) == SMALL.n_real and len(data.rare) == len(data.world.families) // 2
    assert E.draw(SMALL, seed=1).real == data.real != E.draw(SMALL, seed=2).real


@pytest.mark.slow
def test_a_run_measures_every_arm_and_resumes(embedded_lm, tmp_path, monkeypatch):
    log = Log(tmp_path / "m.jsonl")
    E.run_seed(embedded_lm, SMALL, 0, log)
    arms = {row["arm"] for row in log.rows if row["measure"] == "accuracy (retrain)"}
    assert arms == {*SMALL.arms, E.CEILING, E.NO_DATA}
    assert {row["arm"] for row in log.rows if row["measure"] == "accuracy (continue)"} == {
        *SMALL.arms,
        E.CEILING,
    }
    assert log.found("per-example Spearman", "student", 0) is not None
    trained = []
    real = E.finetune
    monkeypatch.setattr(E, "finetune", lambda *a, **k: trained.append(1) or real(*a, **k))
    again = Log(tmp_path / "m.jsonl")
    assert E.run_seed(embedded_lm, SMALL, 0, again) is None  # nothing is left to run
    assert not trained and again.rows == log.rows
    log.path.write_text("".join(log.path.read_text().splitlines(keepends=True)[:-1]))
    shown = E.run_seed(embedded_lm, SMALL, 0, Log(log.path))
    assert len(shown["correct"]) == SMALL.n_density
    assert len(trained) == 3  # the student of the map, and the last arm under both protocols


def test_a_scale_without_an_experiment_is_named(tmp_path):
    with pytest.raises(ValueError, match="fast or study, not 'paper'"):
        E.reproduce("paper", out=tmp_path)


def test_differences_are_paired_over_seeds():
    rows = [("accuracy (retrain)", E.BASELINE, s, 0.5 + s / 10) for s in range(3)]
    rows += [("accuracy (retrain)", E.METHOD, s, 0.6 + s / 10) for s in range(3)]
    found = R.difference(result(rows), E.METHOD)
    assert found.mean == pytest.approx(0.1) and found.low == pytest.approx(0.1)
    verdicts = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert verdicts["EmbedSDG teaches more than random single seeds"] == "supported"
    assert verdicts["EmbedSDG teaches more than random pairs"] == "not run"


def test_fewer_than_three_seeds_decide_nothing():
    rows = [("accuracy (retrain)", a, s, 0.5) for a in (E.BASELINE, E.METHOD) for s in (0, 1)]
    with pytest.raises(ValueError, match="2 seeds have both"):
        R.difference(result(rows, seeds=(0, 1)), E.METHOD)


def test_the_table_keeps_the_order_of_the_arms():
    rows = [
        ("accuracy (retrain)", arm, s, 0.5 + i / 100)
        for i, arm in enumerate(reversed(R.ORDER))
        for s in range(3)
    ]
    table = R.table(result(rows))
    assert list(table.index) == list(R.ORDER)
    assert table.loc[E.BASELINE, "against baseline"] == "-"
    assert np.isclose(table.loc[E.CEILING, "accuracy"], 0.5)
