"""DiffLM's experiment and its report, with a stand-in for the method: the path, not the numbers."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from synthkit.difflm import experiment as E
from synthkit.difflm import experiment_real as R2
from synthkit.difflm import report as R
from synthkit.difflm.synthesizer import TriesUsedUp
from synthkit.lab.measurements import Log
from synthkit.lab.results import Result
from synthkit.storage import write_json
from synthkit.table_metrics import independent_columns
from synthkit.worlds import load_world

SMALL = replace(E.PRESETS["fast"], n_train=300, n_test=300, n_free=20)


class StandIn:
    """Draws columns independently, and keeps what it was asked."""

    made: tuple = ()
    learned = fits = 0
    saved: ClassVar[dict] = {}

    def __init__(self, preset="fast", seed=0, **changes):
        self.changes, self.report, self.preset = changes, Counter(), (preset, changes)
        StandIn.made += (changes,)
        self.collapse = SimpleNamespace(active=2, latent=4, kl=1.5, collapsed=False, rise=0.75)

    def fit(self, data, **options):
        self.data, StandIn.learned = data, len(data)
        StandIn.fits += 1
        return self

    def table(self, n, seed, legal=True, progress=False, max_tries=20, **how):
        if not legal:
            self.report = Counter({"kept": n - 4, "unknown token": 4})
            raise TriesUsedUp(4, n, max_tries, self.report)
        return independent_columns(self.data, seed).sample(n, replace=True, random_state=seed)

    def save(self, folder):
        StandIn.saved = {**StandIn.saved, folder: self}
        write_json(folder / "difflm.json", {})

    @classmethod
    def load(cls, folder, lm=None):
        return cls.saved[folder]


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(E, "DiffLM", StandIn)
    StandIn.made, StandIn.fits = (), 0
    return StandIn


def rows_of(log, arm):
    return {row["measure"]: row["value"] for row in log.rows if row["arm"] == arm}


def test_a_run_measures_reference_tables_and_arms_and_resumes(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl")
    E.run_seed(None, SMALL, 0, log)
    assert {row["arm"] for row in log.rows} == {
        E.REAL, E.WITHIN, E.INDEPENDENT, E.DIFFUSION, E.NORMAL, E.FREE,
    }  # fmt: skip
    assert {row["table"] for row in log.rows} == {E.CENSUS}
    real, drawn = rows_of(log, E.REAL), rows_of(log, E.DIFFUSION)
    assert rows_of(log, E.WITHIN)["joint, triples"] > real["joint, triples"]
    assert real["auc"] > drawn["auc"] + 0.1
    assert drawn["pair_error_real_bins"] > real["pair_error_real_bins"]
    assert drawn["joint, triples"] > 1.2 * drawn["joint, triples, floor"]
    assert drawn["rise of a wrong latent"] == 0.75 and drawn["active dimensions"] == 0.5
    assert rows_of(log, E.FREE) == {"valid": 0.8}
    before = len(log.rows)
    again = Log(tmp_path / "m.jsonl")
    stand_in.made = ()
    E.run_seed(None, SMALL, 0, again)
    assert len(again.rows) == before and stand_in.made == ()


def test_the_ablation_forces_a_collapse_and_mixes_add_rows(stand_in, tmp_path, monkeypatch):
    log, sizes = Log(tmp_path / "m.jsonl"), []

    def utility(train, test, target, seeds):
        sizes.append(len(train))
        return pd.DataFrame({"auc": [0.7, 0.8]})

    monkeypatch.setattr(E, "utility", utility)
    preset = replace(SMALL, ablations=True, mixes=True, ways=(E.DIFFUSION,), n_free=0)
    E.run_seed(None, preset, 1, log)
    assert stand_in.made[1] == {"beta": 10, "floor": 10}
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
    assert "auc" not in rows_of(log, "GReaT") and rows_of(log, "GReaT")["rows"] == 0.01


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
    assert found["latents from the diffusion teach more than from N(0, I)"] == "holds"
    within = "teaches more than columns independent within classes"
    assert found[within] == "does not hold"
    assert found["every row is valid with the trie"] == "does not hold"
    assert found["a forced collapse raises the alarm"] == "holds"
    assert found["minus C2ST"] == "holds"


def test_rivals_are_asked_for_where_they_were_run():
    rows = over_seeds("auc", E.DIFFUSION, 0.90, 0.91, 0.90)
    rows += over_seeds("auc", "DiffLM, memory", 0.88, 0.89, 0.88)
    rows += over_seeds("auc", "CTGAN", 0.93, 0.93, 0.94)
    rows += over_seeds("auc", E.REAL, 0.92, 0.92, 0.92)
    rows += over_seeds("auc", E.mixed_arm(0.5), 0.91, 0.93, 0.92)
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["soft tokens teach more than memory"] == "holds"
    assert found["teaches more than CTGAN in the same time"] == "does not hold"
    more = "real and 50% synthetic rows teach more than the real ones"
    assert found[more] == "does not hold" and not found.index.str.contains("TVAE|embedding").any()


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
    rows += over_seeds("seconds", "TVAE", 99) + over_seeds("epochs", "TVAE", 41)
    rows += over_seeds("rows", "TVAE", 0.96)
    found = R.times(result(rows))
    assert found.loc[(E.CENSUS, E.DIFFUSION), "CPU seconds"] == 110
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
