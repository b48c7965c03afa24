"""The SoftSRV experiment and its report, at a size that proves the path and decides nothing."""

from dataclasses import replace

import numpy as np
import pytest

from synthkit.lm.finetune import FinetunePreset
from synthkit.softsrv.synthesizer import SoftSRVPreset
from synthkit.studies.measurements import Log, caveats, difference, values
from synthkit.studies.results import Result
from synthkit.studies.softsrv import experiment as E
from synthkit.studies.softsrv import report as R
from synthkit.studies.softsrv.scoring import grade, score_texts
from synthkit.worlds import load_target

SMALL = replace(
    E.PRESETS["fast"],
    arms=(E.REAL, E.ENGINEERED, "SSNP", "SSMC, small context"),
    students=(E.REAL,),
    n_target=40,
    n_held_out=16,
    n_student=12,
    n_test=8,
    student=FinetunePreset(rank=4, epochs=1),
    method=SoftSRVPreset(steps=3, batch_size=4, length=2, max_new_tokens=8),
)


def result(rows, seeds=(0, 1, 2)):
    full = [{"world": w, "measure": m, "arm": a, "seed": s, "value": v} for w, m, a, s, v in rows]
    return Result("softsrv", "", {}, "study", {}, list(seeds), full, "", "2026-01-01", None, None,
                  {}, 2)  # fmt: skip


def over_seeds(world, measure, arm, *numbers):
    return [(world, measure, arm, seed, number) for seed, number in enumerate(numbers)]


# --- the log --------------------------------------------------------------------------------------


def test_a_log_tells_its_labels_apart_and_keeps_the_first(tmp_path):
    log = Log(tmp_path / "m.jsonl")
    math, code = log.labelled(world="math"), log.labelled(world="code")
    math.add("loss", "SSNP", 0, 0.5)
    assert math.found("loss", "SSNP", 0) == 0.5 and code.found("loss", "SSNP", 0) is None
    math.add("loss", "SSNP", 0, 0.7)
    math.add("loss", "SSNP", 1, float("nan"))
    wanted = [0.5, None]  # that there is no value is said
    assert [row["value"] for row in Log(log.path).rows] == wanted == [r["value"] for r in code.rows]


def test_values_are_in_the_order_of_the_seeds_and_of_one_world():
    found = result(
        [
            ("math", "loss", "a", 1, 2.0),
            ("math", "loss", "a", 0, 1.0),
            ("code", "loss", "a", 2, 9.0),
        ]
    )
    numbers = values(found, "loss", "a", world="math")
    assert numbers[:2].tolist() == [1.0, 2.0] and np.isnan(numbers[2])
    with pytest.raises(ValueError, match="0 seeds have both"):
        difference(found, "loss", "a", "b", world="math")


# --- scores ---------------------------------------------------------------------------------------


def test_real_texts_score_as_real_ones_and_nonsense_does_not():
    target = load_target("code")
    train, reference, other = (target.texts(300, seed) for seed in (1, 2, 3))
    good = score_texts(target, other, reference, train, own=other)
    assert good["well formed"] == good["in the target"] == 1.0 and good["near copies, own"] == 1.0
    bad = score_texts(target, [f"word {i} of none" for i in range(300)], reference, train)
    assert bad["well formed"] == bad["near copies, train"] == 0.0 and bad["TV, joint"] == 1.0
    assert good["MAUVE"] > 0.9 > 0.1 > bad["MAUVE"] and "near copies, own" not in bad


@pytest.mark.parametrize("world", ["math", "code", "facts"])
def test_right_answers_are_graded_right_and_wrong_ones_wrong(world):
    rows = load_target(world).rows(6, seed=4)
    right = [row["answer"] for row in rows]
    wrong = {"math": "#### -1", "code": "def f():\n    return None", "facts": "maybe"}[world]
    assert grade(world, rows, right).all() and not grade(world, rows, [wrong] * 6).any()


# --- the run --------------------------------------------------------------------------------------


def test_the_samples_of_a_run_do_not_meet(embedded_lm, tmp_path):
    run = E.draw(embedded_lm, SMALL, load_target("facts"), 0, Log(tmp_path / "m.jsonl"))
    parts = (run.train, run.stop + run.tested, run.reference, run.second)
    assert [len(part) for part in parts] == [40, 16, 250, 250]
    assert len({tuple(part[:10]) for part in parts}) == 4
    again = E.draw(embedded_lm, SMALL, load_target("facts"), 0, Log(tmp_path / "m.jsonl"))
    assert again.train == run.train and again.test == run.test


@pytest.mark.slow
def test_a_run_measures_every_arm_and_resumes(embedded_lm, tmp_path, monkeypatch):
    log = Log(tmp_path / "m.jsonl")
    E.run_world(embedded_lm, SMALL, "math", 0, log)
    here = {(row["measure"], row["arm"]) for row in log.rows}
    assert {arm for measure, arm in here if measure == "MAUVE"} == set(SMALL.arms)
    assert ("student loss", E.REAL) in here and ("entropy", "target") in here
    assert {arm for measure, arm in here if measure == "loss"} == {"SSNP", "SSMC, small context"}
    assert {row["world"] for row in log.rows} == {"math"}
    made = []
    real = E.make_texts
    monkeypatch.setattr(E, "make_texts", lambda arm, run: made.append(arm) or real(arm, run))
    E.run_world(embedded_lm, SMALL, "math", 0, Log(log.path))
    assert not made  # nothing is left to run
    lines = log.path.read_text().splitlines(True)
    cut_off = next(i for i, line in enumerate(lines) if '"SSMC, small context"' in line)
    path = tmp_path / "again.jsonl"
    path.write_text("".join(lines[:cut_off]))
    again = Log(path)
    E.run_world(embedded_lm, SMALL, "math", 0, again)
    assert made == ["SSMC, small context"]
    values = {(r["measure"], r["arm"]): r["value"] for r in again.rows}
    assert values == {(r["measure"], r["arm"]): r["value"] for r in log.rows}


def test_a_scale_without_an_experiment_is_named(tmp_path):
    with pytest.raises(ValueError, match="fast or study, not 'paper'"):
        E.reproduce("paper", out=tmp_path)


# --- the report -----------------------------------------------------------------------------------


def test_claims_are_read_off_the_right_arms():
    rows = [
        *over_seeds("math", "loss", "SSNP", 0.60, 0.61, 0.62),
        *over_seeds("math", "loss", "SSMP8", 0.45, 0.46, 0.47),
        *over_seeds("math", "loss", "SSMC", 0.55, 0.56, 0.57),
        *over_seeds("math", "entropy", "target", 0.5, 0.5, 0.5),
    ]
    found = {claim.text: claim for claim in R.claims(result(rows))}
    assert found["SSNP above SSMP8 in loss"].verdict == "supported"
    assert found["SSNP above SSMC in loss"].verdict == "refuted"
    assert found["SSMC below the target's entropy"].verdict == "refuted"
    assert found["SSNP not below the target's entropy"].verdict == "supported"
    assert found["SSNP above SSMP8 in loss"].found.mean == pytest.approx(0.15)


def test_a_claim_of_use_needs_the_whole_interval():
    rows = [
        *over_seeds("code", "student accuracy", "SSMC", 0.9, 0.2, 0.6),
        *over_seeds("code", "student accuracy", "SSNP", 0.1, 0.3, 0.2),
        *over_seeds("code", "student accuracy", E.ENGINEERED, 0.1, 0.1, 0.1),
        *over_seeds("code", "student accuracy", "SSMP8", 0.5, 0.51, 0.52),
    ]
    rows += over_seeds("code", "student accuracy", "SSMC, small context", 0.1, 0.1, 0.1)
    found = {claim.text: claim for claim in R.claims(result(rows))}
    on_average, equal = "student of SSMC better than of SSNP", f"student of {R.SMALL} better than"
    assert found[on_average].verdict == "undecided"
    assert found[f"{equal} of {E.ENGINEERED}"].verdict == "undecided"
    assert found[f"student of SSMP8 better than of {E.ENGINEERED}"].verdict == "supported"


def test_two_seeds_support_no_claim_and_tables_show_what_there_is():
    rows = over_seeds("math", "MAUVE", "SSNP", 0.5, 0.6)
    found = result(rows, seeds=(0, 1))
    assert set(R.verdicts(found)["verdict"]) == {"not run"}
    table = R.table(found, "math")
    assert table.loc["SSNP", "MAUVE"] == 0.55 and list(table.index) == ["SSNP"]


def test_a_run_of_few_seeds_says_that_it_decides_nothing():
    (said,) = caveats(result([], seeds=(0, 1)))
    assert "decide nothing" in said and caveats(result([])) == ()


def test_the_dial_counts_the_nats_that_pass():
    rows = [
        *over_seeds("math", "entropy", "target", 0.5, 0.5, 0.5),
        *over_seeds("math", "entropy per text", "target", 10.0, 10.0, 10.0),
        *over_seeds("math", "loss", "SSNP", 0.6, 0.6, 0.6),
        *over_seeds("math", "loss", R.SMALL, 0.4, 0.4, 0.4),
    ]
    frame = R.dial(result(rows), "math")
    assert frame.loc["none (SSNP)", "nats passed"] == pytest.approx(-2.0)
    assert frame.loc["8", "nats passed"] == pytest.approx(2.0)


def test_figures_and_tables_of_a_run_are_written(tmp_path, capsys):
    rows = [
        *over_seeds("math", "MAUVE", E.REAL, 0.98, 0.99, 0.97),
        *over_seeds("math", "MAUVE", "SSNP", 0.5, 0.6, 0.55),
        *over_seeds("math", "MAUVE", E.ENGINEERED, 0.2, 0.2, 0.25),
    ]
    R.show(result(rows), tmp_path)
    assert (tmp_path / "match-math.png").stat().st_size > 2000
    printed = capsys.readouterr().out
    assert "SSNP" in printed and "Claims" in printed
