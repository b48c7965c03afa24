"""SPA's experiment and its report, at a size that proves the path and decides nothing."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from synthkit.spa.synthesizer import SPAPreset
from synthkit.studies.measurements import Log
from synthkit.studies.results import Result
from synthkit.studies.spa import experiment as E
from synthkit.studies.spa import report as R
from synthkit.studies.spa.testbeds import GROUNDS, code_ground, records_ground
from synthkit.worlds.records import ORDERS

METHOD = SPAPreset(
    rank=2, reference_updates=2, part_updates=1, batch_size=4, min_size=1, on_small="fill",
    max_new_tokens=4,
)  # fmt: skip
SMALL = replace(E.PRESETS["fast"], n_rows=24, n_asked=2, method=METHOD)


def result(rows, seeds=(0, 1, 2)):
    keys = ("world", "skew", "measure", "arm", "seed", "value")
    full = [dict(zip(keys, ("records", "strong", *row))) for row in rows]
    return Result("spa", "", {}, "study", {}, list(seeds), full, "", "2026-01-01", None, None,
                  {}, 2)  # fmt: skip


def over_seeds(measure, arm, *numbers):
    return [(measure, arm, seed, number) for seed, number in enumerate(numbers)]


# --- grounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [records_ground, code_ground])
def test_queries_and_prompts_are_apart_from_the_rows(make):
    ground = make(120, 10, 3, "strong")
    seen = {row["question"] for row in ground.rows}
    assert len(ground.asked) == 10 and not seen & set(ground.prompts)
    assert not set(ground.prompts) & {row["question"] for row in ground.queries}
    assert len(ground.mode) == len(ground.topic) == len(ground.rows) == 120
    assert make(120, 10, 3, "strong").rows == ground.rows
    assert make(120, 10, 4, "strong").rows != ground.rows


@pytest.mark.parametrize("make", [records_ground, code_ground])
def test_the_queries_are_two_questions_in_every_mode(make):
    ground = make(60, 4, 0, "mild")
    k = ground.n_modes
    for part in (ground.queries[:k], ground.queries[k:]):
        assert len({row["question"] for row in part}) == 1
        assert len({ground.mode_of(row["answer"]) for row in part}) == k == 6
    assert len(ground.others) == k


@pytest.mark.parametrize("make", [records_ground, code_ground])
def test_the_judge_knows_right_from_wrong(make):
    ground = make(30, 3, 0, "strong")
    groups = [[row["answer"], "nothing"] for row in ground.asked]
    assert ground.judge(ground.asked, groups).tolist() == [[True, False]] * 3
    turned = [groups[1], groups[2], groups[0]]
    assert not ground.judge(ground.asked, turned)[:, 0].all()


def test_skew_is_that_of_the_rows_and_real_rows_are_even():
    share = np.mean([m == ORDERS[0] for m in records_ground(2000, 1, 0, "strong").mode])
    assert abs(share - 0.5) < 0.04
    mixed = records_ground(2000, 1, 0, "strong", real=0.5).mode
    assert abs(np.mean([m == ORDERS[0] for m in mixed]) - (0.25 + 1 / 12)) < 0.04


# --- answers and parts ----------------------------------------------------------------------------


def test_working_modes_count_right_answers_of_different_kinds():
    ground = records_ground(20, 2, 0, "even")
    row = ground.asked[0]
    from synthkit.worlds import load_world

    two = [found["answer"] for found in load_world("records").solutions(row)[:2]]
    groups = [[two[0], two[1], two[0]], ["wrong", "wrong", "wrong"]]
    found = E.measure_answers(ground, groups)
    assert found["pass@1"] == 0.5 and found["pass@3"] == 0.5
    assert found["working modes"] == 1.0 and found["working answers"] == 1.0
    assert found["diversity"] == pytest.approx((2 / 3 + 0) / 2)


@pytest.fixture
def study(tmp_path):
    """A study whose scores are known: each row helps the query of its own mode most."""
    ground = records_ground(120, 2, 0, "even")
    study = E.Study(None, SMALL, ground, 0, Log(tmp_path / "m.jsonl"))
    own = np.array([[ORDERS.index(mode) == k for mode in ground.mode] for k in range(6)], float)
    noise = np.random.default_rng(0).normal(size=(12, 120)) * 0.01
    study.scores = np.concatenate([own, own]) + noise
    study.lexical = np.random.default_rng(1).normal(size=(6, 120))
    return study


@pytest.mark.parametrize("arm", E.PARTS)
def test_every_rule_cuts_as_many_parts_as_there_are_modes(study, arm):
    partition = study.cut(arm)
    assert partition.n_parts == 6 and partition.sizes.min() > 0
    whole = (partition.sizes.sum() == 120) != (arm == E.OTHER_SEEDS)
    assert whole


def test_the_right_sign_finds_the_modes_and_the_wrong_one_does_not(study):
    orders = [ORDERS.index(mode) for mode in study.ground.mode]
    assert (study.cut(E.INFLUENCE).labels == orders).all()
    assert not (study.cut(E.WRONG).labels == orders).any()
    assert (
        study.cut(E.ORACLE).labels == E.make_partition("oracle", factor=study.ground.mode).labels
    ).all()


@pytest.mark.parametrize("count", E.COUNTS.values())
def test_other_numbers_of_parts(study, count):
    assert study.cut(E.COVER, count).n_parts == count


# --- the run --------------------------------------------------------------------------------------


def test_a_run_keeps_what_it_measured(embedded_lm, tmp_path, monkeypatch):
    preset = replace(SMALL, arms=(E.GREEDY, E.HOT, E.BEAM, E.RANDOM, E.INFLUENCE, E.OTHER_SEEDS))
    log = Log(tmp_path / "m.jsonl")
    E.run_ground(embedded_lm, preset, "records", "strong", 0, log)
    arms = {row["arm"] for row in log.rows if row["measure"] == "diversity"}
    assert arms == set(preset.arms)
    assert {row["world"] for row in log.rows} == {"records"}
    before = list(log.rows)
    monkeypatch.setattr(E, "SPA", None)  # nothing is fitted again
    monkeypatch.setattr(E, "single_adapter", None)
    E.run_ground(embedded_lm, preset, "records", "strong", 0, Log(log.path))
    assert Log(log.path).rows == before


def test_sweeps_and_retraining_belong_to_the_first_ground(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(E, "run_arm", lambda study, arm, *how: done.append((arm, len(how))))
    monkeypatch.setattr(E, "hold_against_retraining", lambda study: done.append(("held", 0)))
    monkeypatch.setattr(E, "records_base", lambda lm: lm)
    log = Log(tmp_path / "m.jsonl")
    preset = replace(E.PRESETS["study"], arms=(E.GREEDY,), n_rows=60, n_asked=2)
    E.run_ground(None, preset, "records", "strong", 0, log)
    assert [arm for arm, _ in done] == [E.GREEDY, *E.COUNTS, *E.MIXED, "held"]
    done.clear()
    E.run_ground(None, preset, "code", "strong", 0, log)
    assert [arm for arm, _ in done] == list(E.CORE) and E.CORE != E.ARMS


def test_retraining_is_measured_and_not_done_twice(tmp_path, monkeypatch):
    calls = []

    def fidelity(lm, rows, queries, *, methods, **options):
        calls.append((len(rows), len(queries)))
        some = {name: np.full(6, 0.5) for name in methods}
        return SimpleNamespace(lds=some, rises=some, random_rises=np.zeros((2, 6)))

    monkeypatch.setattr(E, "fidelity", fidelity)
    log = Log(tmp_path / "m.jsonl")
    preset = replace(SMALL, n_fidelity=20)
    study = E.Study(None, preset, records_ground(40, 2, 0, "even"), 0, log)
    E.hold_against_retraining(study)
    E.hold_against_retraining(study)
    assert calls == [(20, 6)] and len(log.rows) == 2 * len(E.METHODS) + 1


def test_a_scale_without_an_experiment_is_named(tmp_path):
    with pytest.raises(ValueError, match="fast or study, not 'paper'"):
        E.reproduce("paper", out=tmp_path)


def test_a_preset_is_recorded_as_plain_values():
    found = E.flat(E.PRESETS["study"])
    assert found["grounds"][0] == "records, strong skew" and found["n_rows"] > 0
    assert set(E.PRESETS["study"].grounds) <= {(w, s) for w in GROUNDS for s in R.LEAST_GAIN}


# --- the report -----------------------------------------------------------------------------------


def test_claims_are_read_off_the_right_arms():
    rows = [
        *over_seeds("diversity", E.INFLUENCE, 0.9, 0.92, 0.91),
        *over_seeds("diversity", E.RANDOM, 0.1, 0.2, 0.15),
        *over_seeds("diversity", E.BM25, 0.5, 0.52, 0.51),
        *over_seeds("diversity", E.GREEDY, 0.0, 0.0, 0.0),
        *over_seeds("pass@1", E.INFLUENCE, 0.9, 0.91, 0.92),
        *over_seeds("pass@1", E.GREEDY, 1.0, 1.0, 1.0),
        *over_seeds("LDS", "datainf", 0.5, 0.4, 0.6),
        *over_seeds("LDS", "ekfac", 0.1, 0.2, 0.1),
    ]
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["more diverse than random parts"] == "supported"
    assert found["more diverse than BM25+ parts"] == "refuted"
    assert found["one adapter, greedy, is never diverse"] == "supported"
    assert found["as right as one adapter, greedy"] == "refuted"
    assert found["LDS of datainf"] == "undecided" and found["LDS of ekfac"] == "refuted"


def test_two_seeds_support_no_claim_and_tables_show_what_there_is():
    found = result(over_seeds("diversity", E.RANDOM, 0.5, 0.6), seeds=(0, 1))
    assert set(R.verdicts(found)["verdict"]) == {"not run"}
    (ground,) = R.grounds(found)
    assert R.table(found, ground).loc[E.RANDOM, "diversity"] == 0.55
    assert R.fidelity_table(found).empty


def test_figures_and_tables_of_a_run_are_written(tmp_path, capsys):
    rows = []
    for arm, level in ((E.GREEDY, 0.0), (E.RANDOM, 0.2), (E.INFLUENCE, 0.9)):
        for measure in ("diversity", "pass@1", "working modes"):
            rows += over_seeds(measure, arm, level, level, level)
    R.show(result(rows), tmp_path)
    assert (tmp_path / "diversity-records-strong.png").stat().st_size > 2000
    printed = capsys.readouterr().out
    assert E.INFLUENCE in printed and "Claims" in printed
