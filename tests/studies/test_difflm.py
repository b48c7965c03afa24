"""The DiffLM study of tables, with a stand-in for the method: the path, not the numbers."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from evaluation.samples import bayes_auc

from synthkit.evaluation.tables import independent_columns
from synthkit.studies.difflm import experiment as E
from synthkit.studies.difflm import experiment_real as R2
from synthkit.studies.difflm import report as R
from synthkit.studies.measurements import Log
from synthkit.studies.results import load_result
from synthkit.studies.runner import measure, run
from synthkit.worlds import load_world

SMALL = replace(E.PRESETS["fast"], n_train=300, n_test=300, n_free=20)
ONE = replace(SMALL, ways=(E.DIFFUSION,), n_free=0)


class StandIn:
    """Draws columns independently, and keeps what it was asked."""

    made: tuple = ()
    learned = fits = 0
    resumed = False
    first = last = None

    def __init__(self, preset="fast", seed=0, **changes):
        self.changes, self.preset = changes, (preset, changes)
        StandIn.made += (changes,)
        StandIn.first = StandIn.first or self
        told = SimpleNamespace(active=2, latent=4, kl=1.5, collapsed=False, shuffled_gap=0.75)
        own = f"the decoder of fit {len(StandIn.made)}"
        self.fitted = SimpleNamespace(collapse=told, decoder=own)

    def fit(self, data, decoder=None, checkpoint=None, **options):
        if checkpoint is not None:
            StandIn.resumed = checkpoint.is_dir()
            checkpoint.mkdir(exist_ok=True)
        self.data, StandIn.learned = data, len(data)
        self.fitted.decoder = decoder or self.fitted.decoder
        StandIn.fits, StandIn.last = StandIn.fits + 1, self
        return self

    def table(self, n, seed, constrained=True, progress=False, max_tries=20, **how):
        if not constrained:
            n -= int(4 * how["temperature"])
        return independent_columns(self.data, seed).sample(n, replace=True, random_state=seed)


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(E, "DiffLM", StandIn)
    StandIn.made, StandIn.fits, StandIn.first = (), 0, None
    return StandIn


def run_census(log, preset, seed=0):
    (case,) = E.cases(preset)
    measure(case, None, preset, seed, log)


def trial_of(log, frame, preset=ONE, test=None, **how):
    """A trial on a table of one's own."""
    draw = {"draw": lambda preset, seed: (frame, frame if test is None else test)}
    return E.TableTrial(None, preset, 0, log, name="mine", target="income", **draw, **how)


@pytest.fixture
def unjudged(monkeypatch):
    """Tables are not measured, which takes most of the time."""
    found = pd.DataFrame({"auc": [0.9] * 3}, index=[E.REAL, E.CLASS_CONDITIONAL, E.INDEPENDENT])
    monkeypatch.setattr(E, "evaluate_table", lambda *a, **k: found)
    monkeypatch.setattr(E, "reference_rows", lambda *a, **k: found)
    monkeypatch.setattr(E, "add_joint", lambda *a: None)


def rows_of(log, arm):
    return {row["measure"]: row["value"] for row in log.rows if row["arm"] == arm}


def test_a_run_measures_reference_tables_and_arms_and_resumes(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl")
    run_census(log, SMALL)
    assert {row["arm"] for row in log.rows} == {
        E.BAYES_OPTIMAL, E.REAL, E.CLASS_CONDITIONAL, E.INDEPENDENT, E.DIFFUSION, E.NORMAL,
        *E.WITHOUT_TRIE,
    }  # fmt: skip
    assert {row["table"] for row in log.rows} == {E.CENSUS}
    real, drawn = rows_of(log, E.REAL), rows_of(log, E.DIFFUSION)
    assert rows_of(log, E.CLASS_CONDITIONAL)["joint, triples"] > real["joint, triples"]
    assert real["auc"] > drawn["auc"] + 0.1
    assert drawn["pair_error_real_bins"] > real["pair_error_real_bins"]
    assert drawn["joint, triples"] > 1.2 * drawn["joint, triples, floor"]
    assert drawn["shuffled-latent gap"] == 0.75 and drawn["active dimensions"] == 0.5
    assert (rows_of(log, E.UNCONSTRAINED), rows_of(log, E.UNCONSTRAINED_SHARP)) == (
        {"valid": 0.8},
        {"valid": 0.9},
    )
    assert drawn["seconds"] >= 0 and drawn["sampling seconds"] >= 0
    assert "sampling seconds" not in rows_of(log, E.NORMAL)
    before = len(log.rows)
    again = Log(tmp_path / "m.jsonl")
    stand_in.made = ()
    run_census(again, SMALL)
    assert len(again.rows) == before and stand_in.made == ()


def test_the_exact_law_predicts_best_on_the_same_test_rows(stand_in, tmp_path):
    world = load_world("census")
    test = pd.DataFrame(world.rows(5000, "test 0"))
    log = Log(tmp_path / "m.jsonl")
    E.add_exact(trial_of(log, test, world=world))
    found = rows_of(log, E.BAYES_OPTIMAL)
    assert found["auc"] == pytest.approx(bayes_auc(), abs=0.015)
    guess, truth = world.bayes_score(test) > 0.5, (test["income"] == ">50K").to_numpy()
    both = (guess & truth).sum()
    assert found["f1"] == pytest.approx(2 * both / (guess.sum() + truth.sum()), abs=1e-5)


def test_the_ablation_forces_a_collapse_and_mixes_add_rows(
    stand_in, unjudged, tmp_path, monkeypatch
):
    log, sizes = Log(tmp_path / "m.jsonl"), []

    def utility(train, test, target, seeds):
        sizes.append(len(train))
        return pd.DataFrame({"auc": [0.7, 0.8]})

    monkeypatch.setattr(E, "utility", utility)
    preset = replace(SMALL, ablations=True, mixes=True, ways=(E.DIFFUSION,), n_free=0)
    run_census(log, preset, 1)
    assert stand_in.made[1] == {"beta": 10, "floor": 10, "diffusion_steps": E.COLLAPSED_STEPS}
    assert stand_in.last.fitted.decoder == stand_in.first.fitted.decoder, "it is not trained again"
    assert rows_of(log, E.COLLAPSED)["collapsed"] == 0
    assert sizes == [375, 450, 525, 600]
    assert rows_of(log, "real and 50% synthetic") == {"auc": 0.75}


@pytest.mark.parametrize("others", [(), ("TVAE",)])
def test_a_study_that_was_cut_off_goes_on_from_its_checkpoint(
    others, stand_in, unjudged, tmp_path, monkeypatch
):
    log, preset = Log(tmp_path / "m.jsonl"), replace(ONE, others=others)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stand_in, "table", None)  # the fit is whole, and no table is drawn
        with pytest.raises(TypeError):
            run_census(log, preset)
    assert (tmp_path / "fit-census-0").is_dir() and not stand_in.resumed
    assert log.labelled(table=E.CENSUS).found("seconds", E.DIFFUSION, 0) is not None
    monkeypatch.setitem(E.OTHERS, "TVAE", lambda train, **how: train)
    run_census(Log(log.path), preset)
    assert stand_in.resumed and stand_in.fits == 2
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_rows_have_one_hash_whatever_their_index():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert E.rows_hash(frame) == E.rows_hash(frame.set_index(pd.Index([7, 7])))
    others = (frame[::-1], frame.rename(columns={"a": "c"}), frame.assign(a=[1.5, 2]), frame[:1])
    assert E.rows_hash(frame) not in [E.rows_hash(other) for other in others]


def test_another_library_needs_to_know_its_time(stand_in, tmp_path):
    log = Log(tmp_path / "m.jsonl").labelled(table="mine")
    frame = pd.DataFrame(load_world("census").rows(60, 0))
    trial = trial_of(log, frame)
    with pytest.raises(ValueError, match=r"TVAE gets the time that DiffLM took, which m\.jsonl"):
        E.add_other(trial, "TVAE")


def test_injections_and_other_libraries_stand_beside_it(stand_in, unjudged, tmp_path, monkeypatch):
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
    run_census(log, preset, 2)
    assert stand_in.made == ({}, {"kind": "memory"})
    assert asked == {"seconds": rows_of(log, E.DIFFUSION)["seconds"], "seed": 2}
    assert {"auc", "shuffled-latent gap"} <= set(rows_of(log, memory))
    found = rows_of(log, "TVAE")
    assert (found["epochs"], found["seconds"], found["rows"]) == (7, 2.5, 0.5)
    assert found["auc"] == 0.9
    few = rows_of(log, "GReaT")  # too few to be judged, which is said
    assert few["auc"] is None and few["rows"] == 0.01


def census_rows(n=150):
    return pd.DataFrame(load_world("census").rows(n, 0))


def test_real_tables_are_split_tried_and_recorded(stand_in, unjudged, tmp_path):
    frame = census_rows()
    train, test = R2.split_table(frame, 0.2, seed=1)
    assert (len(train), len(test)) == (120, 30)
    assert len(pd.concat([train, test]).merge(frame.drop_duplicates())) == 150
    with pytest.raises(ValueError, match="nothing and all"):
        R2.split_table(frame[:2], 0.1)
    options = {E.CENSUS: {"latent": 8}}
    about = R2.study({E.CENSUS: (frame, "income")}, test_share=0.4, most=80, options=options)
    found = run(about, ONE, out=tmp_path)
    assert {row["table"] for row in found.measurements} == {E.CENSUS}
    assert found.preset["most"] == 80 and found.preset["options"] == options
    assert stand_in.fits == 1 and stand_in.learned == 80 and stand_in.made == ({"latent": 8},)
    assert found.seeds == [0] and (tmp_path / "result.json").exists()
    # a real table may be named census, and its joint distribution is not asked for
    assert not any(row["measure"].startswith("joint") for row in found.measurements)
    assert E.BAYES_OPTIMAL not in {row["arm"] for row in found.measurements}
    with pytest.raises(ValueError, match="not 'huge'"):
        run(about, "huge", out=tmp_path)


def test_other_settings_need_another_folder(tmp_path, monkeypatch):
    unit = R2.report.STUDY.cases(ONE)[0].units[1]
    measure = lambda trial: [trial.add(arm, {"auc": 0.9}) for arm in unit.arms]  # noqa: E731
    monkeypatch.setattr(R2, "table_units", lambda preset: [replace(unit, measure=measure)])
    frame = census_rows()
    mine = {"mine": (frame, "income")}

    def again(tables, preset=ONE, seeds=(0,), **how):
        return run(
            R2.study(tables, **{"test_share": 0.4, **how}), preset, seeds=seeds, out=tmp_path
        )

    first = again(mine)
    for tables, change in (
        (mine, {"test_share": 0.2}),
        (mine, {"most": 50}),
        (mine, {"preset": replace(ONE, n_free=9)}),
        (mine, {"options": {"mine": {"latent": 8}}}),
        ({"mine": (frame[::-1], "income")}, {}),
        ({"mine": (frame, "sex")}, {}),
    ):
        with pytest.raises(ValueError, match=r"mine\.jsonl holds .* with other data, settings"):
            again(tables, **change)
    more = {"mine": (frame, "income"), "yours": (frame[:120], "income")}
    later = replace(ONE, seeds=(0, 1), others=("TVAE",))
    found = again(more, later, (0, 1))
    assert [(row["table"], row["seed"]) for row in found.measurements[::3]] == [
        ("mine", 0), ("yours", 0), ("mine", 1), ("yours", 1),
    ]  # fmt: skip
    assert [row for row in first.measurements if row not in found.measurements] == []


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
    preset = replace(ONE, mixes=True)
    found = run(R2.study({"houses": (frame, "price")}), preset, out=tmp_path)
    table = R.table(found, "houses")
    assert "AUC" not in table and table.loc[E.REAL, "R²"] > 0.6 > table.loc[E.INDEPENDENT, "R²"]
    assert table.loc[E.REAL, "RMSE"] < table.loc[E.DIFFUSION, "RMSE"]
    assert R.utility(found, {"table": "houses"}) == "r2" and "+ 100%" in R.mixes(found)


# --- the report -----------------------------------------------------------------------------------


def of(recorded, numbers, **how):
    return recorded(numbers, table=E.CENSUS, **how)


def test_claims_are_read_off_the_right_arms(recorded):
    found = R.verdicts(of(recorded, {
        ("auc", E.DIFFUSION): (0.90, 0.90, 0.90),
        ("auc", E.NORMAL): (0.80, 0.80, 0.80),
        ("auc", E.CLASS_CONDITIONAL): (0.95, 0.95, 0.94),
        ("invalid", E.DIFFUSION): (0, 0, 0.001),
        ("collapsed", E.COLLAPSED): (1, 1, 1),
        ("c2st", E.DIFFUSION): (0.85, 0.88, 0.86),
    })).set_index("claim")["verdict"]  # fmt: skip
    assert found["more utility with latents from the diffusion than from N(0, I)"] == "supported"
    assert found["more utility than columns independent within classes"] == "refuted"
    assert found["every row is valid with the trie"] == "undecided"
    assert found["a forced collapse raises the alarm"] == "supported"
    assert found["C2ST at most .90"] == "undecided"


def test_baselines_that_were_not_run_are_said_so(recorded):
    found = R.verdicts(of(recorded, {
        ("auc", E.DIFFUSION): (0.90, 0.91, 0.90),
        ("auc", "DiffLM, memory"): (0.88, 0.89, 0.88),
        ("auc", "CTGAN"): (0.93, 0.93, 0.94),
        ("auc", E.REAL): (0.92, 0.92, 0.92),
        ("auc", E.mixed_arm(0.5)): (0.91, 0.93, 0.92),
    })).set_index("claim")["verdict"]  # fmt: skip
    assert found["more utility with soft tokens than with memory"] == "supported"
    assert found["more utility than CTGAN in at most its time"] == "refuted"
    assert found["more utility with 50% synthetic rows beside the real ones"] == "undecided"
    assert found["more utility than all real rows"] == "refuted"
    assert set(found[found.index.str.contains("TVAE|embedding")]) == {"not run"}


def test_mixes_are_changes_against_the_real_rows(recorded):
    mixed = ("auc", E.mixed_arm(0.25))
    numbers = {("auc", E.REAL): (0.90, 0.92, 0.94), mixed: (0.91, 0.93, 0.95)}
    found = R.mixes(of(recorded, numbers)).loc[E.CENSUS]
    assert found["real alone"] == "0.920" and found["+ 25%"].startswith("0.01 [0.01, 0.01]")
    assert "+ 50%" not in found.index
    one = of(recorded, {("r2", E.REAL): (0.5,), ("r2", E.mixed_arm(1.0)): (0.4,)}, seeds=(0,))
    assert R.mixes(one).loc[E.CENSUS, "+ 100%"] == "-0.100"
    assert R.mixes(of(recorded, {("auc", E.REAL): (0.9,) * 3})).empty


def test_times_stand_beside_each_other(recorded):
    found = R.times(of(recorded, {
        ("seconds", E.DIFFUSION): (100, 110, 120),
        ("sampling seconds", E.DIFFUSION): (11, 12, 13),
        ("seconds", "TVAE"): (99,), ("epochs", "TVAE"): (41,), ("rows", "TVAE"): (0.96,),
    }))  # fmt: skip
    assert found.loc[(E.CENSUS, E.DIFFUSION), "CPU seconds"] == 110
    assert found.loc[(E.CENSUS, E.DIFFUSION), "CPU seconds of sampling"] == 12
    assert found.loc[(E.CENSUS, "TVAE"), "epochs"] == 41 and len(found) == 2
    assert found.loc[(E.CENSUS, "TVAE"), "rows made / asked for"] == 0.96


def test_the_exact_distribution_stands_first_and_what_is_missing_to_it_is_told(recorded):
    numbers = {("auc", E.REAL): (0.91, 0.92, 0.93), ("auc", E.DIFFUSION): (0.85, 0.86, 0.87),
               ("auc", E.BAYES_OPTIMAL): (0.95, 0.96, 0.97)}  # fmt: skip
    found = of(recorded, numbers)
    assert list(R.table(found, E.CENSUS).index) == [E.BAYES_OPTIMAL, E.REAL, E.DIFFUSION]
    below = R.below_exact(found, E.CENSUS)["AUC below the Bayes-optimal one"]
    assert below[E.DIFFUSION].startswith("0.10 [") and list(below.index) == [E.REAL, E.DIFFUSION]
    one = R.below_exact(of(recorded, numbers, seeds=(0,)), E.CENSUS)
    assert one.loc[E.DIFFUSION, "AUC below the Bayes-optimal one"] == "+0.100"
    assert R.below_exact(of(recorded, {("auc", E.REAL): (0.9,)}), E.CENSUS).empty


def test_both_pair_errors_are_shown_where_they_differ(recorded):
    numbers = {("pair_error_real_bins", E.DIFFUSION): (4, 4, 4), ("copies", E.DIFFUSION): (0.1,),
               ("natural_copies", E.DIFFUSION): (0.2,)}  # fmt: skip
    own = ("pair_error", E.DIFFUSION)
    same = R.table(of(recorded, numbers | {own: (4, 4.5, 4)}), E.CENSUS)
    assert list(same.columns) == ["pair error, %", "copies", "real rows copied by chance"]
    other = R.table(of(recorded, numbers | {own: (4, 17, 4)}), E.CENSUS)
    assert other.loc[E.DIFFUSION, R.OWN_BINS] == pytest.approx(25 / 3, abs=1e-3)


@pytest.mark.parametrize("name", ["difflm-study", "difflm-real-tables"])
def test_stored_runs_are_shown(name):
    found = load_result(name)
    for table in R.tables(found):
        assert {"AUC", "pair error, %", "copies"} <= set(R.table(found, table))
        assert "share of active dimensions" in R.latents(found, table)
    assert list(R.times(found).index.unique("table")) == R.tables(found)
