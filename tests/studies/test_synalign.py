"""The SynAlign study: its weights, its writer, and what a result says."""

from dataclasses import replace

import numpy as np
import pytest

from synthkit.studies.measurements import Log
from synthkit.studies.synalign import experiment as E
from synthkit.studies.synalign import report as R
from synthkit.studies.synalign import writing as W

SMALL = replace(
    E.PRESETS["fast"], n_real=60, n_pool=80, n_held_out=40, n_drawn=40, draws=1, picks=8
)


def trial(tmp_path, **changes):
    return E.ReviewsTrial(None, replace(SMALL, **changes), 0, Log(tmp_path / "m.jsonl"))


def test_exploration_measures_every_rule_on_texts_that_were_no_candidates(tmp_path):
    one = trial(tmp_path)
    for arm in E.SELECTIONS:
        E.explore(one, E.EXPLORATION, arm)
        found = {row["measure"]: row["value"] for row in one.log.rows if row["arm"] == arm}
        assert 0 < found["distance"] <= found["farthest"] < 2
        assert 1 <= found["combinations"] <= SMALL.picks
        assert 0 <= found["combinations seen"] <= 1


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_arm_is_a_distribution_over_the_pool_within_the_labels(tmp_path):
    one = trial(tmp_path, n_real=120, n_pool=200)
    pool, real, _ = one.pool()
    labels = np.array(real.of(E.LABEL))
    for arm in (*E.WEIGHTS, *E.SKEWED_ONLY):
        weights = E.weigh(arm, pool, real)
        assert weights.shape == (200,) and weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
        if arm in (E.TILTING, E.EXACT, E.ADAM, E.DENSITY, E.NARROW):
            for label in set(labels):
                of_label = np.array(pool.of(E.LABEL)) == label
                assert weights[of_label].sum() == pytest.approx(np.mean(labels == label))


def test_tilting_brings_a_skewed_pool_nearer(tmp_path):
    one = trial(tmp_path, n_real=200, n_pool=600, n_held_out=200)
    for arm in (E.UNWEIGHTED, E.TILTING, E.REAL):
        E.run_pool(one, E.SKEWED, arm, None)
    found = {(row["arm"], row["measure"]): row["value"] for row in one.log.rows}
    assert found[E.UNWEIGHTED, "MMD2 ratio"] == 1
    assert found[E.TILTING, "MMD2 ratio"] < 0.5
    assert found[E.TILTING, "TV tone"] < found[E.UNWEIGHTED, "TV tone"]
    assert found[E.UNWEIGHTED, "effective size"] == 600 > found[E.TILTING, "effective size"]
    assert 0 < found[E.REAL, "accuracy, tone"] <= 1


def test_pools_are_those_of_their_part_and_rows_are_drawn_from_the_skewed_one(tmp_path):
    one = trial(tmp_path)
    skewed, balanced = one.pool(E.SKEWED), one.pool(E.BALANCED)
    assert skewed[0].rows != balanced[0].rows and one.pool(E.FEW)[0].rows == skewed[0].rows
    assert len(one.pool(E.FEW, 9)[1].rows) == 9
    half = one.drawn(E.MIXED, 60)
    assert half[:30] == one.real[:30] and len(half) == 60
    assert all(row in one.pool()[0].rows for row in half[30:])


def test_written_texts_are_read_back_and_counted(tmp_path):
    good = E.load_world("reviews").rows(2, 0)
    rows = [{"text": row["text"], "label": "positive"} for row in good]
    rows.append({"text": "Nothing that the world could write.", "label": "negative"})
    found = E.read_back(rows)
    assert [row["tone"] for row in found] == [*(row["tone"] for row in good), W.UNREADABLE]
    assert [row[E.LABEL] for row in found] == ["positive", "positive", "negative"]
    measured = E.measure_texts(E.Texts(found, np.zeros((3, 1))), rows)
    shown = sum(row["sentiment"] == "positive" for row in good)
    assert measured["readable"] == pytest.approx(2 / 3)
    assert measured["label shown"] == pytest.approx(shown / 3)
    assert measured["different texts"] == 1


def test_the_writer_is_trained_on_another_distribution_and_asked_in_two_ways(monkeypatch):
    seen = []
    monkeypatch.setattr(W, "finetune", lambda lm, rows, preset, seed: seen.extend(rows) or lm)
    assert W.habitual_writer("lm", 6) == "lm"
    prompts = [row["prompt"] for row in seen]
    assert len(prompts) == 6
    assert ["style:" in prompt for prompt in prompts] == [False, True] * 3
    assert all("sentiment:" in prompt for prompt in prompts)


# --- the report -----------------------------------------------------------------------------------


def test_bars_are_held_against_the_default_weights(recorded):
    found = R.verdicts(recorded({
        ("MMD2 ratio", E.TILTING): (0.04, 0.05, 0.045),
        ("TV tone", E.TILTING): (0.04, 0.05, 0.045),
        ("effective size", E.TILTING): (100, 110, 120),
        ("MMD2 ratio", E.EXACT): (0.9, 0.9, 0.9),
    }, part=E.SKEWED)).set_index("claim")["verdict"]  # fmt: skip
    assert found["small MMD2 ratio"] == found["small TV tone"] == "supported"
    assert found["effective size"] == "refuted"


def test_a_balanced_pool_is_expected_to_gain_nothing(recorded):
    accuracy = {E.TILTING: (0.9, 0.91, 0.9), E.UNWEIGHTED: (0.8, 0.8, 0.8)}
    numbers = {("accuracy, tone", arm): found for arm, found in accuracy.items()}
    found = R.verdicts(recorded(numbers, part=E.BALANCED)).set_index("claim")["verdict"]
    assert found["weights do not help a student of the tone"] == "refuted"
    assert set(found.drop("weights do not help a student of the tone")) == {"not run"}


def test_distances_are_claimed_the_right_way_round(recorded):
    near, far = (0.5, 0.5, 0.51), (0.6, 0.61, 0.6)
    for picked, chance, verdict in ((near, far, "supported"), (far, near, "refuted")):
        numbers = {("distance", E.GP): picked, ("distance", E.RANDOM): chance}
        assert R.verdicts(recorded(numbers, part=E.EXPLORATION))["verdict"][0] == verdict
