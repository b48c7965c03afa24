"""SynAlign's experiment and its report, at a size that proves the path and decides nothing."""

from dataclasses import replace

import numpy as np
import pytest

from synthkit.lm.finetune import FinetunePreset
from synthkit.studies.measurements import Log
from synthkit.studies.results import Result
from synthkit.studies.synalign import experiment as E
from synthkit.studies.synalign import report as R

SMALL = replace(
    E.PRESETS["fast"], n_real=60, n_pool=80, n_held_out=40, n_drawn=40, draws=1, picks=8,
    n_habits=4, n_written=8, per_record=2, n_tested=10,
)  # fmt: skip


def trial(tmp_path, lm=None, **changes):
    return E.Trial(lm, replace(SMALL, **changes), 0, Log(tmp_path / "m.jsonl"))


def result(rows, seeds=(0, 1, 2)):
    keys = ("part", "measure", "arm", "seed", "value")
    full = [dict(zip(keys, row)) for row in rows]
    return Result("synalign", "", {}, "study", {}, list(seeds), full, "", "2026-01-01", None, None,
                  {}, 2)  # fmt: skip


def over_seeds(part, measure, arm, *numbers):
    return [(part, measure, arm, seed, number) for seed, number in enumerate(numbers)]


# --- the experiment -------------------------------------------------------------------------------


def test_exploration_measures_every_rule_on_texts_that_were_no_candidates(tmp_path):
    one = trial(tmp_path)
    E.run_exploration(one)
    found = {(row["arm"], row["measure"]): row["value"] for row in one.log.rows}
    assert {arm for arm, _ in found} == set(E.SELECTIONS)
    for arm in E.SELECTIONS:
        assert 0 < found[arm, "distance"] <= found[arm, "farthest"] < 2
        assert 1 <= found[arm, "combinations"] <= SMALL.picks
        assert 0 <= found[arm, "combinations seen"] <= 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_arm_is_a_law_over_the_pool_within_the_labels(tmp_path):
    one = trial(tmp_path, n_real=120)
    rows = E.load_world("reviews", distribution="llm").rows(200, "pool")
    pool, real, _ = one.placed(rows, one.real)
    shares = {
        label: np.mean(np.array(real.of(E.LABEL)) == label) for label in set(real.of(E.LABEL))
    }
    for arm in (*E.WEIGHTS, *E.SKEWED_ONLY):
        weights = E.weigh(arm, pool, real)
        assert weights.shape == (200,) and weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
        if arm in (E.TILTING, E.EXACT, E.ADAM, E.DENSITY, E.NARROW):
            for label, share in shares.items():
                of_label = np.array(pool.of(E.LABEL)) == label
                assert weights[of_label].sum() == pytest.approx(share)


def test_tilting_brings_a_skewed_pool_nearer(tmp_path):
    one = trial(tmp_path, n_real=200, n_pool=600, n_held_out=200)
    E.run_pool(one, E.SKEWED, (E.UNWEIGHTED, E.TILTING))
    found = {(row["arm"], row["measure"]): row["value"] for row in one.log.rows}
    assert found[E.UNWEIGHTED, "MMD2 ratio"] == 1
    assert found[E.TILTING, "MMD2 ratio"] < 0.5
    assert found[E.TILTING, "TV tone"] < found[E.UNWEIGHTED, "TV tone"]
    assert found[E.UNWEIGHTED, "effective size"] == 600 > found[E.TILTING, "effective size"]
    assert 0 < found[E.REAL, "accuracy, tone"] <= 1


def test_written_texts_are_read_back_and_counted(tmp_path):
    good = E.load_world("reviews").rows(2, 0)
    rows = [{"text": row["text"], "label": "positive"} for row in good]
    rows.append({"text": "Nothing that the world could write.", "label": "negative"})
    found = E.read_back(rows)
    assert [row["tone"] for row in found] == [*(row["tone"] for row in good), E.UNREADABLE]
    assert [row[E.LABEL] for row in found] == ["positive", "positive", "negative"]
    measured = E.measure_texts(E.Texts(found, np.zeros((3, 1))), rows)
    shown = sum(row["sentiment"] == "positive" for row in good)
    assert measured["readable"] == pytest.approx(2 / 3)
    assert measured["label shown"] == pytest.approx(shown / 3)
    assert measured["different texts"] == 1


def test_a_run_measures_every_part_and_resumes(embedded_lm, tmp_path, monkeypatch):
    preset = replace(SMALL, student=FinetunePreset(epochs=1), retrieval=True, seeds=(0,))
    monkeypatch.setattr(E, "habitual_writer", lambda lm, n, seed: lm)
    log = Log(tmp_path / "m.jsonl")
    E.run_seed(embedded_lm, preset, 0, log)
    parts = {row["part"] for row in log.rows}
    assert parts == {E.EXPLORATION, *E.POOLS, E.FEW, E.WRITTEN, E.STUDENT, E.RETRIEVER}
    arms = {row["arm"] for row in log.rows if row["part"] == E.WRITTEN}
    assert arms == {*E.WRITERS, E.ALIGNED}
    count = len(log.rows)
    for name in ("tuned_accuracy", "SynAlign", "weigh", "Retriever"):
        monkeypatch.setattr(E, name, None)  # nothing is made again
    E.run_seed(embedded_lm, preset, 0, Log(tmp_path / "m.jsonl"))
    assert len(Log(tmp_path / "m.jsonl").rows) == count


def test_the_writer_is_trained_on_the_wrong_law_and_asked_in_two_ways(monkeypatch):
    seen = []
    monkeypatch.setattr(E, "finetune", lambda lm, rows, preset, seed: seen.extend(rows) or lm)
    assert E.habitual_writer("lm", 6) == "lm"
    prompts = [row["prompt"] for row in seen]
    assert len(prompts) == 6
    assert ["style:" in prompt for prompt in prompts] == [False, True] * 3
    assert all("sentiment:" in prompt for prompt in prompts)


def test_a_scale_without_an_experiment_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"fast or study, not 'paper'; with a real model"):
        E.reproduce("paper", out=tmp_path)


# --- the report -----------------------------------------------------------------------------------


def test_bars_are_held_against_the_default_weights():
    rows = over_seeds(E.SKEWED, "MMD2 ratio", E.TILTING, 0.04, 0.05, 0.045)
    rows += over_seeds(E.SKEWED, "TV tone", E.TILTING, 0.04, 0.05, 0.045)
    rows += over_seeds(E.SKEWED, "effective size", E.TILTING, 100, 110, 120)
    rows += over_seeds(E.SKEWED, "MMD2 ratio", E.EXACT, 0.9, 0.9, 0.9)
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["minus MMD2 ratio"] == found["minus TV tone"] == "supported"
    assert found["effective size"] == "refuted"


def test_a_balanced_pool_is_expected_to_gain_nothing():
    rows = over_seeds(E.BALANCED, "accuracy, tone", E.TILTING, 0.9, 0.91, 0.9)
    rows += over_seeds(E.BALANCED, "accuracy, tone", E.UNWEIGHTED, 0.8, 0.8, 0.8)
    found = R.verdicts(result(rows)).set_index("claim")["verdict"]
    assert found["weights do not help a student of the tone"] == "refuted"
    assert set(R.verdicts(result(rows[:3]))["verdict"]) == {"not run"}


def test_distances_are_claimed_the_right_way_round():
    rows = over_seeds(E.EXPLORATION, "distance", E.GP, 0.5, 0.5, 0.51)
    rows += over_seeds(E.EXPLORATION, "distance", E.RANDOM, 0.6, 0.61, 0.6)
    assert R.verdicts(result(rows))["verdict"][0] == "supported"
    swapped = [(p, m, E.GP if a == E.RANDOM else E.RANDOM, s, v) for p, m, a, s, v in rows]
    assert R.verdicts(result(swapped))["verdict"][0] == "refuted"


def test_the_report_prints_its_parts_and_draws(tmp_path, capsys):
    rows = []
    for arm, tv in ((E.UNWEIGHTED, 0.4), (E.TILTING, 0.1)):
        for measure in R.WEIGHTED.values():
            rows += over_seeds(E.SKEWED, measure, arm, tv, tv, tv)
    found = result(rows)
    assert R.parts(found) == [E.SKEWED]
    assert R.table(found, E.SKEWED).loc[E.TILTING, "TV tone"] == 0.1
    R.show(found, tmp_path)
    assert (tmp_path / "attributes-skewed.png").stat().st_size > 1000
    assert "SynAlign, skewed pool" in capsys.readouterr().out
