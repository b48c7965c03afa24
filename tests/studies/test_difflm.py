"""DiffLM's experiment and its report, with a stand-in for the method: the path, not the numbers."""

import sys
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from synthkit.core.files import write_json
from synthkit.difflm.synthesizer import TriesUsedUp
from synthkit.evaluation.tables import independent_columns
from synthkit.lm.training import Schedule, train
from synthkit.studies.difflm import experiment as E
from synthkit.studies.difflm import experiment_real as R2
from synthkit.studies.difflm import report as R
from synthkit.studies.measurements import Log
from synthkit.studies.results import Result, load_result
from synthkit.worlds import load_world

SMALL = replace(E.PRESETS["fast"], n_train=300, n_test=300, n_free=20)


class StandIn:
    """Draws columns independently, and keeps what it was asked."""

    made: tuple = ()
    learned = fits = 0
    first = last = None
    saved: ClassVar[dict] = {}

    def __init__(self, preset="fast", seed=0, **changes):
        self.changes, self.report, self.preset = changes, Counter(), (preset, changes)
        StandIn.made += (changes,)
        self.decoder = f"the decoder of fit {len(StandIn.made)}"
        StandIn.first = StandIn.first or self
        self.collapse = SimpleNamespace(active=2, latent=4, kl=1.5, collapsed=False, rise=0.75)

    def fit(self, data, decoder=None, **options):
        self.data, StandIn.learned = data, len(data)
        self.decoder = decoder or self.decoder
        StandIn.fits, StandIn.last = StandIn.fits + 1, self
        return self

    def table(self, n, seed, legal=True, progress=False, max_tries=20, **how):
        if not legal:
            wrong = int(4 * how["temperature"])
            self.report = Counter({"kept": n - wrong, "unknown token": wrong})
            raise TriesUsedUp(wrong, n, max_tries, self.report)
        return independent_columns(self.data, seed).sample(n, replace=True, random_state=seed)

    def save(self, folder):
        StandIn.saved = {**StandIn.saved, folder: self}
        write_json(folder / "manifest.json", {})

    @classmethod
    def load(cls, folder, lm=None):
        return cls.saved[folder]


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(E, "DiffLM", StandIn)
    StandIn.made, StandIn.fits, StandIn.first = (), 0, None
    return StandIn


def rows_of(log, arm):
    return {row["measure"]: row["value"] for row in log.rows if row["arm"] == arm}


def test_a_run_measures_reference_tables_and_arms_and_resumes(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl")
    E.run_seed(None, SMALL, 0, log)
    assert {row["arm"] for row in log.rows} == {
        E.BAYES, E.REAL, E.WITHIN, E.INDEPENDENT, E.DIFFUSION, E.NORMAL, *E.FREELY,
    }  # fmt: skip
    assert {row["table"] for row in log.rows} == {E.CENSUS}
    real, drawn = rows_of(log, E.REAL), rows_of(log, E.DIFFUSION)
    assert rows_of(log, E.WITHIN)["joint, triples"] > real["joint, triples"]
    assert real["auc"] > drawn["auc"] + 0.1
    assert drawn["pair_error_real_bins"] > real["pair_error_real_bins"]
    assert drawn["joint, triples"] > 1.2 * drawn["joint, triples, floor"]
    assert drawn["rise of a wrong latent"] == 0.75 and drawn["active dimensions"] == 0.5
    assert (rows_of(log, E.FREE), rows_of(log, E.FREE_SHARP)) == ({"valid": 0.8}, {"valid": 0.9})
    assert drawn["seconds"] >= 0 and drawn["sampling seconds"] >= 0
    assert "sampling seconds" not in rows_of(log, E.NORMAL)
    before = len(log.rows)
    again = Log(tmp_path / "m.jsonl")
    stand_in.made = ()
    E.run_seed(None, SMALL, 0, again)
    assert len(again.rows) == before and stand_in.made == ()


def test_the_exact_law_predicts_best_on_the_same_test_rows(stand_in, tmp_path):
    world = load_world("census")
    test = pd.DataFrame(world.rows(5000, "test 0"))
    log = Log(tmp_path / "m.jsonl")
    E.add_exact(E.Trial("x", test, test, "income", SMALL, 0, log, {}, world=world))
    found = rows_of(log, E.BAYES)
    assert found["auc"] == pytest.approx(world.bayes_auc, abs=0.015)
    guess, truth = world.bayes_score(test) > 0.5, (test["income"] == ">50K").to_numpy()
    both = (guess & truth).sum()
    assert found["f1"] == pytest.approx(2 * both / (guess.sum() + truth.sum()), abs=1e-5)


def test_the_ablation_forces_a_collapse_and_mixes_add_rows(stand_in, tmp_path, monkeypatch):
    log, sizes = Log(tmp_path / "m.jsonl"), []

    def utility(train, test, target, seeds):
        sizes.append(len(train))
        return pd.DataFrame({"auc": [0.7, 0.8]})

    monkeypatch.setattr(E, "utility", utility)
    preset = replace(SMALL, ablations=True, mixes=True, ways=(E.DIFFUSION,), n_free=0)
    E.run_seed(None, preset, 1, log)
    assert stand_in.made[1] == {"beta": 10, "floor": 10, "diffusion_steps": E.COLLAPSED_STEPS}
    assert stand_in.last.decoder == stand_in.first.decoder, "it is not trained again"
    assert rows_of(log, E.COLLAPSED)["collapsed"] == 0
    assert sizes == [375, 450, 525, 600]
    assert rows_of(log, "real and 50% synthetic") == {"auc": 0.75}


def test_an_experiment_that_was_cut_off_does_not_fit_again(stand_in, tmp_path, monkeypatch):
    log, preset = Log(tmp_path / "m.jsonl"), replace(SMALL, n_free=0)
    whole = E.score

    def cut_off(trial, arm, table):
        if arm == E.NORMAL:
            raise KeyboardInterrupt
        whole(trial, arm, table)

    monkeypatch.setattr(E, "score", cut_off)
    with pytest.raises(KeyboardInterrupt):
        E.run_seed(None, preset, 0, log)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["fit-census-0"]
    monkeypatch.setattr(E, "score", whole)
    E.run_seed(None, preset, 0, Log(tmp_path / "m.jsonl"))
    fits = [made for made in stand_in.made if made == {}]
    assert len(fits) == len(stand_in.made) and not any(path.is_dir() for path in tmp_path.iterdir())
    assert stand_in.fits == 1


def test_a_fit_with_other_settings_is_not_taken_over(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl").labelled(table="mine")
    frame = pd.DataFrame(load_world("census").rows(200, 0))
    preset = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)
    trials = [
        E.Trial("mine", frame[:100], frame[100:], "income", preset, 0, log, options)
        for options in ({}, {"latent": 4})
    ]
    assert trials[0].method is not None
    with pytest.raises(ValueError, match="fit-mine-0 holds a fit with other settings"):
        _ = trials[1].method


def test_a_fit_is_taken_over_only_for_the_same_rows_target_and_seed(stand_in, tmp_path):
    frame = pd.DataFrame(load_world("census").rows(200, 0))
    facts = {"seed": 0, "target": "income", "rows": E.rows_hash(frame)}
    method = stand_in()
    E.keep_fit(tmp_path / "fit", method, {**facts, "seconds": 3.5})
    assert E.kept_fit(tmp_path / "fit", stand_in(), facts) == (method, 3.5)
    others = {"seed": 1, "target": "age", "rows": E.rows_hash(frame[::-1])}
    for name, value in others.items():
        with pytest.raises(ValueError, match=f"fit holds a fit with other {name}; remove it"):
            E.kept_fit(tmp_path / "fit", stand_in(), {**facts, name: value})
    (tmp_path / "fit" / "facts.json").unlink()  # cut off before all was there
    assert E.kept_fit(tmp_path / "fit", stand_in(), facts) is None


def test_rows_have_one_hash_whatever_their_index():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert E.rows_hash(frame) == E.rows_hash(frame.set_index(pd.Index([7, 7])))
    others = (frame[::-1], frame.rename(columns={"a": "c"}), frame.assign(a=[1.5, 2]), frame[:1])
    assert E.rows_hash(frame) not in [E.rows_hash(other) for other in others]


def test_another_library_needs_to_know_its_time(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl").labelled(table="mine")
    frame = pd.DataFrame(load_world("census").rows(60, 0))
    trial = E.Trial("mine", frame, frame, "income", SMALL, 0, log, {})
    with pytest.raises(ValueError, match=r"TVAE gets the time that DiffLM took, which m\.jsonl"):
        E.add_other(trial, "TVAE")


def test_injections_and_other_libraries_stand_beside_it(stand_in, tmp_path, monkeypatch):
    asked = {}

    def other(train, *, seconds, seed):
        asked.update(seconds=seconds, seed=seed)
        table = train.sample(150, random_state=seed)
        table.attrs = {"epochs": 7, "seconds": 2.5}
        return table

    monkeypatch.setitem(E.OTHERS, "TVAE", other)
    monkeypatch.setitem(E.OTHERS, "GReaT", lambda train, **how: other(train, **how)[:3])
    memory = "DiffLM, memory"
    preset = replace(SMALL, ways=(E.DIFFUSION,), injected=(memory,), others=("TVAE", "GReaT"),
                     n_free=0)  # fmt: skip
    log = Log(tmp_path / "m.jsonl")
    E.run_seed(None, preset, 2, log)
    assert stand_in.made == ({}, {"kind": "memory"})
    assert asked == {"seconds": rows_of(log, E.DIFFUSION)["seconds"], "seed": 2}
    assert {"auc", "rise of a wrong latent"} <= set(rows_of(log, memory))
    found = rows_of(log, "TVAE")
    assert (found["epochs"], found["seconds"], found["rows"]) == (7, 2.5, 0.5)
    assert found["auc"] > rows_of(log, E.INDEPENDENT)["auc"]
    few = rows_of(log, "GReaT")  # too few to be judged, which is said
    assert few["auc"] is None and few["rows"] == 0.01


def test_any_table_can_be_tried_and_its_joint_law_is_not_asked_for(stand_in, tmp_path):
    frame = pd.DataFrame(load_world("census").rows(200, 0))
    log = Log(tmp_path / "m.jsonl").labelled(table="mine")
    preset = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)
    trial = E.Trial("mine", frame[:100], frame[100:], "income", preset, 0, log, {"piece": 2})
    E.run_table(trial)
    assert stand_in.made == ({"piece": 2},)
    assert not any(name.startswith("joint") for name in rows_of(log, E.DIFFUSION))


def test_real_tables_are_split_tried_and_recorded(stand_in, tmp_path):
    frame = pd.DataFrame(load_world("census").rows(150, 0))
    train, test = R2.split_table(frame, 0.2, seed=1)
    assert (len(train), len(test)) == (120, 30)
    assert len(pd.concat([train, test]).merge(frame.drop_duplicates())) == 150
    with pytest.raises(ValueError, match="nothing and all"):
        R2.split_table(frame[:2], 0.1)
    preset = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)
    found = R2.reproduce(
        {"mine": (frame, "income")}, preset, test_share=0.4, most=80, out=tmp_path,
        options={"mine": {"latent": 8}},
    )  # fmt: skip
    assert {row["table"] for row in found.measurements} == {"mine"}
    assert found.preset["most"] == 80 and found.preset["options"] == {"mine": {"latent": 8}}
    assert stand_in.fits == 1 and stand_in.learned == 80
    assert found.seeds == [0] and (tmp_path / "result.json").exists()
    with pytest.raises(ValueError, match="no preset 'huge'"):
        R2.reproduce({}, "huge", out=tmp_path)


def one_measurement(trial):
    """In place of `run_table`, where only what stands around it is asked for."""
    trial.add(E.REAL, {"auc": 0.9})


def test_other_settings_need_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(R2, "run_table", one_measurement)
    monkeypatch.setattr(R2, "expected", lambda *a, **k: [])
    frame = pd.DataFrame(load_world("census").rows(150, 0))
    preset = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)
    how = {"preset": preset, "test_share": 0.4, "seeds": [0], "out": tmp_path}
    first = R2.reproduce({"mine": (frame, "income")}, **how)
    mine = {"mine": (frame, "income")}
    for tables, change in (
        (mine, {"test_share": 0.2}),
        (mine, {"most": 50}),
        (mine, {"preset": replace(preset, n_free=9)}),
        (mine, {"options": {"mine": {"latent": 8}}}),
        ({"mine": (frame[::-1], "income")}, {}),
        ({"mine": (frame, "sex")}, {}),
    ):
        with pytest.raises(ValueError, match=r"mine\.jsonl holds .* with other data, settings"):
            R2.reproduce(tables, **{**how, **change})
    more = {"mine": (frame, "income"), "yours": (frame[:120], "income")}
    later = replace(preset, seeds=(0, 1), others=("TVAE",))
    found = R2.reproduce(more, **{**how, "seeds": [0, 1], "preset": later})
    assert [(row["table"], row["seed"]) for row in found.measurements] == [
        ("mine", 0), ("yours", 0), ("mine", 1), ("yours", 1),
    ]  # fmt: skip
    assert [row for row in first.measurements if row not in found.measurements] == []


def test_a_split_of_a_table_with_repeated_labels_keeps_every_row():
    frame = pd.DataFrame({"a": range(100)}, index=[0] * 50 + [1] * 50)
    train, test = R2.split_table(frame, 0.2, seed=1)
    assert sorted([*train["a"], *test["a"]]) == list(range(100)) and len(test) == 20


def test_a_real_table_may_be_named_census(stand_in, tmp_path):
    frame = pd.DataFrame({"a": range(60), "b": ["x", "y"] * 30})
    preset = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)
    found = R2.reproduce({E.CENSUS: (frame, "b")}, preset, out=tmp_path)
    assert not any(row["measure"].startswith("joint") for row in found.measurements)
    assert E.BAYES not in {row["arm"] for row in found.measurements}


@pytest.mark.parametrize("name", ["a/b", "a\\b", "", " ", "a\0", 3, "x" * 101])
def test_a_name_that_no_file_can_have_is_refused_first(stand_in, name, tmp_path):
    frame = pd.DataFrame({"a": range(60), "b": ["x", "y"] * 30})
    with pytest.raises(ValueError, match="name of a table becomes part of a file's name"):
        R2.reproduce({"fine": (frame, "b"), name: (frame, "b")}, SMALL, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_table_with_a_numeric_target_dates_and_gaps_is_judged_by_its_error(stand_in, tmp_path):
    n, rng = 300, np.random.default_rng(0)
    rooms, income = rng.integers(1, 9, n), rng.gamma(4.0, 1.0, n)
    frame = pd.DataFrame({
        "sold": pd.date_range("2020-01-01", periods=n),
        "rooms": rooms,
        "income": np.where(rng.random(n) < 0.1, np.nan, income),
        "coast": rng.choice(["near", "inland"], n),
        "country": "one",
        "price": 20 * income + 9 * rooms + rng.normal(0, 5, n),
    })  # fmt: skip
    preset = replace(SMALL, ways=(E.DIFFUSION,), mixes=True, n_free=0)
    found = R2.reproduce({"houses": (frame, "price")}, preset, out=tmp_path)
    table = R.table(found, "houses")
    assert "AUC" not in table and table.loc[E.REAL, "R²"] > 0.6 > table.loc[E.INDEPENDENT, "R²"]
    assert table.loc[E.REAL, "RMSE"] < table.loc[E.DIFFUSION, "RMSE"]
    assert R.teaches(found, "houses") == "r2" and "+ 100%" in R.mixes(found)


def test_a_scale_without_an_experiment_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"fast or study, not 'paper'; with a real model"):
        E.reproduce("paper", out=tmp_path)


# --- speed ---------------------------------------------------------------------------------------


def test_sampling_at_study_size_reaches_its_bars(repo, monkeypatch):
    monkeypatch.syspath_prepend(repo / "tests" / "benchmarks")
    import bench_difflm_sampling as bench

    monkeypatch.delitem(sys.modules, "bench_difflm_sampling")
    found = bench.compare(rows=48, singles=3, rounds=1)
    assert not bench.missed(found), found
    assert bench.missed({name: 0.0 for name in bench.BARS}) and found["tokens a row"] >= 10


def test_the_bar_of_a_training_says_what_is_trained(capsys):
    module = torch.nn.Linear(1, 1)

    def loss_at(step):
        return module(torch.ones(1)).sum() ** 2

    for label in ({}, {"label": "diffusion"}):
        train(module, loss_at, Schedule(steps=2, lr=0.1), progress=True, **label)
    shown = capsys.readouterr().err
    assert "training:" in shown and "diffusion:" in shown


# --- the report -----------------------------------------------------------------------------------


def result(rows, seeds=(0, 1, 2)):
    keys = ("table", "measure", "arm", "seed", "value")
    full = [dict(zip(keys, (E.CENSUS, *row))) for row in rows]
    return Result("difflm", "", {}, "study", {}, list(seeds), full, "", "2026-01-01", None, None,
                  {}, 2)  # fmt: skip


def over_seeds(measure, arm, *numbers):
    return [(measure, arm, seed, number) for seed, number in enumerate(numbers)]


def test_claims_are_read_off_the_right_arms():
    rows = over_seeds("auc", E.DIFFUSION, 0.90, 0.90, 0.90)
    rows += over_seeds("auc", E.NORMAL, 0.80, 0.80, 0.80)
    rows += over_seeds("auc", E.WITHIN, 0.95, 0.95, 0.94)
    rows += over_seeds("invalid", E.DIFFUSION, 0, 0, 0.001)
    rows += over_seeds("collapsed", E.COLLAPSED, 1, 1, 1)
    rows += over_seeds("c2st", E.DIFFUSION, 0.85, 0.88, 0.86)
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["latents from the diffusion teach more than from N(0, I)"] == "supported"
    within = "teaches more than columns independent within classes"
    assert found[within] == "refuted"
    assert found["every row is valid with the trie"] == "undecided"
    assert found["a forced collapse raises the alarm"] == "supported"
    assert found["C2ST at most .90 (its sign turned)"] == "undecided"


def test_rivals_that_were_not_run_are_said_so():
    rows = over_seeds("auc", E.DIFFUSION, 0.90, 0.91, 0.90)
    rows += over_seeds("auc", "DiffLM, memory", 0.88, 0.89, 0.88)
    rows += over_seeds("auc", "CTGAN", 0.93, 0.93, 0.94)
    rows += over_seeds("auc", E.REAL, 0.92, 0.92, 0.92)
    rows += over_seeds("auc", E.mixed_arm(0.5), 0.91, 0.93, 0.92)
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["soft tokens teach more than memory"] == "supported"
    assert found["teaches more than CTGAN in at most its time"] == "refuted"
    assert found["real and 50% synthetic rows teach more than the real ones"] == "undecided"
    assert found["teaches more than all real rows"] == "refuted"
    assert set(found[found.index.str.contains("TVAE|embedding")]) == {"not run"}


def test_mixes_are_changes_against_the_real_rows():
    rows = over_seeds("auc", E.REAL, 0.90, 0.92, 0.94)
    rows += over_seeds("auc", E.mixed_arm(0.25), 0.91, 0.93, 0.95)
    found = R.mixes(result(rows)).loc[E.CENSUS]
    assert found["real alone"] == "0.920" and found["+ 25%"].startswith("0.01 [0.01, 0.01]")
    assert "+ 50%" not in found.index
    rows = over_seeds("r2", E.REAL, 0.5) + over_seeds("r2", E.mixed_arm(1.0), 0.4)
    assert R.mixes(result(rows, seeds=(0,))).loc[E.CENSUS, "+ 100%"] == "-0.100"


def test_times_stand_beside_each_other():
    rows = over_seeds("seconds", E.DIFFUSION, 100, 110, 120)
    rows += over_seeds("sampling seconds", E.DIFFUSION, 11, 12, 13)
    rows += over_seeds("seconds", "TVAE", 99) + over_seeds("epochs", "TVAE", 41)
    rows += over_seeds("rows", "TVAE", 0.96)
    found = R.times(result(rows))
    assert found.loc[(E.CENSUS, E.DIFFUSION), "CPU seconds"] == 110
    assert found.loc[(E.CENSUS, E.DIFFUSION), "CPU seconds of sampling"] == 12
    assert found.loc[(E.CENSUS, "TVAE"), "epochs"] == 41 and len(found) == 2
    assert found.loc[(E.CENSUS, "TVAE"), "rows made / asked for"] == 0.96


def test_the_report_prints_tables_and_draws(tmp_path, capsys):
    rows = over_seeds("valid", E.FREE, 0.97, 0.96, 0.98)
    rows += over_seeds("auc", E.REAL, 0.95, 0.95, 0.95)
    rows += over_seeds("auc", E.mixed_arm(1.0), 0.95, 0.95, 0.94)
    rows += over_seeds("seconds", E.DIFFUSION, 9, 9, 9) + over_seeds("seconds", "TVAE", 9, 9, 9)
    for arm, error in ((E.DIFFUSION, 4.0), (E.INDEPENDENT, 9.0)):
        rows += over_seeds("pair_error_real_bins", arm, error, error, error + 0.1)
        rows += over_seeds("auc", arm, 0.9, 0.9, 0.9)
    found = result(rows)
    table = R.table(found, E.CENSUS)
    assert list(table.columns) == ["AUC", "pair error, %"] and E.FREE not in table.index
    assert E.mixed_arm(1.0) not in table.index
    assert R.latents(found, E.CENSUS).loc[E.FREE, "valid"] == 0.97
    R.show(found, tmp_path)
    assert (tmp_path / "pairs-census.png").stat().st_size > 1000
    printed = capsys.readouterr().out
    assert all(told in printed for told in ("DiffLM, census", "+ 100%", "CPU seconds"))
    printed = " ".join(printed.split())  # lines are broken
    assert "Pair error: with the bins of the real table" in printed and "claims: " in printed


def test_the_exact_law_stands_first_and_what_is_missing_to_it_is_told(tmp_path, capsys):
    rows = over_seeds("auc", E.REAL, 0.91, 0.92, 0.93)
    rows += over_seeds("auc", E.DIFFUSION, 0.85, 0.86, 0.87)
    rows += over_seeds("auc", E.BAYES, 0.95, 0.96, 0.97)
    rows += over_seeds("pair_error_real_bins", E.DIFFUSION, 4, 4, 4)
    found = result(rows)
    table = R.table(found, E.CENSUS)
    assert list(table.index) == [E.BAYES, E.REAL, E.DIFFUSION]
    below = R.below_exact(found, E.CENSUS)["AUC below the exact law"]
    assert below[E.DIFFUSION].startswith("0.10 [") and list(below.index) == [E.REAL, E.DIFFUSION]
    R.show(found, tmp_path)
    assert "What the exact law knows" in capsys.readouterr().out
    one = R.below_exact(result(rows, seeds=(0,)), E.CENSUS)
    assert one.loc[E.DIFFUSION, "AUC below the exact law"] == "+0.100"
    assert R.below_exact(result(over_seeds("auc", E.REAL, 0.9)), E.CENSUS).empty


def test_both_pair_errors_are_shown_where_they_differ_and_copies_beside_those_of_chance():
    rows = over_seeds("pair_error_real_bins", E.DIFFUSION, 4, 4, 4)
    rows += over_seeds("copies", E.DIFFUSION, 0.1) + over_seeds("natural_copies", E.DIFFUSION, 0.2)
    same = R.table(result(rows + over_seeds("pair_error", E.DIFFUSION, 4, 4.5, 4)), E.CENSUS)
    assert list(same.columns) == ["pair error, %", "copies", "real rows copied by chance"]
    other = R.table(result(rows + over_seeds("pair_error", E.DIFFUSION, 4, 17, 4)), E.CENSUS)
    assert other.loc[E.DIFFUSION, R.OWN_BINS] == pytest.approx(25 / 3, abs=1e-3)


@pytest.mark.parametrize("name", ["difflm-study", "difflm-real-tables"])
def test_stored_runs_are_shown(name, tmp_path):
    found = load_result(name)
    for table in R.tables(found):
        shown = R.table(found, table)
        assert {"AUC", "pair error, %", "copies"} <= set(shown)
        assert "share of active dimensions" in R.latents(found, table)
    assert len(R.verdicts(found)) > 10
    assert list(R.times(found).index.unique("table")) == R.tables(found)
    R.show(found, tmp_path)
