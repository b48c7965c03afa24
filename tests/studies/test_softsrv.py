"""The SoftSRV study: its units, how texts and students are scored, what a result says."""

from dataclasses import replace

import pytest

from synthkit.studies.measurements import Log
from synthkit.studies.softsrv import experiment as E
from synthkit.studies.softsrv import report as R
from synthkit.studies.softsrv.scoring import grade, score_texts
from synthkit.worlds import load_target


def test_sweeps_belong_to_the_first_world_and_examples_to_prompts_that_show_any():
    math, code, facts = E.cases(E.PRESETS["study"])
    names = [{unit.name for unit in case.units} for case in (math, code, facts)]
    assert "context of 2" in names[0] and not any("context of" in n for n in names[1] | names[2])
    assert [E.EXAMPLES in found for found in names] == [
        load_target(case.labels["world"]).shows_examples for case in (math, code, facts)
    ]
    taught = [unit.name for unit in code.units if "student loss" in unit.measures]
    assert set(taught) == set(E.PRESETS["study"].students) & names[1]


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


def test_the_samples_of_a_run_do_not_meet(tmp_path):
    preset = replace(E.PRESETS["fast"], n_target=40, n_held_out=16)
    one, again = (
        E.TargetTrial(None, preset, 0, Log(tmp_path / "m.jsonl"), world="facts") for _ in range(2)
    )
    second = E.make_texts(one, E.REAL)[0]
    parts = (one.train, [*one.held_out[0], *one.held_out[1]], one.reference, second)
    assert [len(part) for part in parts] == [40, 16, 250, 250]
    assert len({tuple(part[:10]) for part in parts}) == 4
    assert again.train == one.train and again.held_out == one.held_out


# --- the report -----------------------------------------------------------------------------------


def test_claims_are_read_off_the_right_arms(recorded):
    found = R.STUDY.findings(recorded({
        ("loss", "SSNP"): (0.60, 0.61, 0.62),
        ("loss", "SSMP8"): (0.45, 0.46, 0.47),
        ("loss", "SSMC"): (0.55, 0.56, 0.57),
        ("entropy", "target"): (0.5, 0.5, 0.5),
    }, world="math"))  # fmt: skip
    found = {each.text: each for each in found}
    assert found["SSNP above SSMP8 in loss"].verdict == "supported"
    assert found["SSNP above SSMC in loss"].verdict == "refuted"
    assert found["SSMC below the target's entropy"].verdict == "refuted"
    assert found["SSNP not below the target's entropy"].verdict == "supported"
    assert found["SSNP above SSMP8 in loss"].found.mean == pytest.approx(0.15)


def test_a_claim_of_use_needs_the_whole_interval(recorded):
    right = {"SSMC": (0.9, 0.2, 0.6), "SSNP": (0.1, 0.3, 0.2), E.ENGINEERED: (0.1,) * 3,
             "SSMP8": (0.5, 0.51, 0.52), R.SMALL: (0.1,) * 3}  # fmt: skip
    numbers = {("student accuracy", arm): found for arm, found in right.items()}
    found = R.verdicts(recorded(numbers, world="code")).set_index("claim")["verdict"]
    assert found["student of SSMC better than of SSNP"] == "undecided"
    assert found[f"student of {R.SMALL} better than of {E.ENGINEERED}"] == "undecided"
    assert found[f"student of SSMP8 better than of {E.ENGINEERED}"] == "supported"


def test_the_best_variant_is_named(recorded):
    numbers = {("MAUVE", arm): (high,) * 3 for arm, high in (("SSMP8", 0.9), ("SSMC", 0.8))}
    found = recorded({**numbers, ("MAUVE", E.REAL): (0.95,) * 3}, world="math")
    verdicts = R.verdicts(found).set_index("claim")["verdict"]
    assert verdicts["best contextual variant (SSMP8) near real against real"] == "supported"
    assert list(R.table(found, "math").index) == [E.REAL, "SSMP8", "SSMC"]


def test_the_dial_counts_the_nats_that_pass(recorded):
    frame = R.dial(recorded({
        ("entropy", "target"): (0.5,) * 3,
        ("entropy per text", "target"): (10.0,) * 3,
        ("loss", "SSNP"): (0.6,) * 3,
        ("loss", R.SMALL): (0.4,) * 3,
    }, world="math"), "math")  # fmt: skip
    assert frame.loc["none (SSNP)", "nats passed"] == pytest.approx(-2.0)
    assert frame.loc["8", "nats passed"] == pytest.approx(2.0)
