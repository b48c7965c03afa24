"""SynAlign's measures on labelled texts of any kind: invented ones, and real ones by path."""

import warnings
from dataclasses import replace
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest

from synthkit.datasets import load_sentiment
from synthkit.studies.measurements import Log
from synthkit.studies.runner import run
from synthkit.studies.synalign import experiment_real as E
from synthkit.synalign.schemas import SURFACE

SMALL = E.RealTextPreset(skews=("kind",), draws=1, clusters=3, keep=0.15)
GOOD, BAD = "good fine lovely superb nice".split(), "bad poor awful weak dull".split()
ENDS = (".", "!", " in 2020.", ", and I say so once again to every one of you here.")


def invented(n=400, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(2, size=n)
    kind = rng.integers(4, size=n)
    texts = [
        f"The {rng.choice(['soup', 'phone', 'film'])} of day {i} was {rng.choice((BAD, GOOD)[y])}"
        + ENDS[k]
        for i, (y, k) in enumerate(zip(label, kind))
    ]
    return pd.DataFrame({"text": texts, "label": label, "kind": kind})


def measured(rows, seed=0, preset=SMALL, **how):
    """(measure, arm, value) of every skew of the preset."""
    with TemporaryDirectory() as folder:
        trial = E.RealTrial(None, preset, seed, Log(f"{folder}/m.jsonl"), rows=rows, **how)
        for skew in preset.skews:
            E.measure_pool(trial, skew)
        return [(row["measure"], row["arm"], row["value"]) for row in trial.log.rows]


@pytest.fixture(scope="module")
def found():
    return measured(invented(), preset=replace(SMALL, skews=("length", E.CLUSTER, "kind", E.NONE)))


def value(found, measure, arm):
    (only,) = [v for m, a, v in found if (m, a) == (measure, arm)]
    return only


def test_every_arm_has_every_measure_once(found):
    keys = [(measure, arm) for measure, arm, _ in found]
    assert len(keys) == len(set(keys)) and np.isfinite([v for *_, v in found]).all()
    names = {measure.split(": ")[1] for measure, _, _ in found}
    wanted = {"TV, thinned", "TV, cluster", "TV, mean of attributes", "accuracy, subset"}
    assert wanted | {f"TV, {name}" for name in SURFACE.names} <= names
    arms = {E.UNWEIGHTED, E.ALIGNED, E.SHOWN, E.DENSITY, E.ORACLE}
    for skew in ("length", E.CLUSTER, "kind", E.NONE):
        for name in names:
            there = {arm for measure, arm in keys if measure == f"{skew} skew: {name}"}
            assert arms <= there <= {*arms, E.REAL}


def test_what_is_shown_is_matched(found):
    for skew in ("length", E.CLUSTER):
        name = f"{skew} skew: TV, {skew}"
        before, after = (value(found, name, arm) for arm in (E.UNWEIGHTED, E.SHOWN))
        assert before > 0.2 and after < before / 2
        assert value(found, name, E.REAL) < before / 2
        assert value(found, f"{skew} skew: TV, thinned", E.ORACLE) < before / 2
    assert value(found, "length skew: TV, thinned", E.UNWEIGHTED) == value(
        found, "length skew: TV, length", E.UNWEIGHTED
    )


def test_a_pool_that_is_not_skewed_keeps_its_weights(found):
    assert value(found, f"{E.NONE} skew: TV, thinned", E.UNWEIGHTED) < 1e-9
    assert value(found, f"{E.NONE} skew: effective share", E.ALIGNED) > 0.7
    ratio = value(found, f"{E.NONE} skew: MMD^2 over unweighted", E.UNWEIGHTED)
    assert ratio == pytest.approx(1)
    assert value(found, "kind skew: TV, thinned", E.UNWEIGHTED) > 0.2


def test_the_same_seed_gives_the_same_numbers():
    runs = [measured(invented(240), seed) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


def test_an_embedder_and_other_columns_may_be_given():
    rows = invented(200).rename(columns={"text": "review", "label": "stars"})

    def embed(texts):
        return [[1.0, len(t) / 40, "!" in t, any(w in t for w in GOOD)] for t in texts]

    columns = {"embedder": embed, "label": "stars", "text": "review"}
    found = measured(rows, **columns)
    assert value(found, "kind skew: accuracy, all", E.REAL) > 0.9
    with pytest.raises(ValueError, match="colour"):
        measured(rows, preset=replace(SMALL, skews=("colour",)), **columns)


def test_attributes_become_columns():
    columns = {"a": (["x", "y"], ["z"], ["x"]), "b": ([1, 1], [1], [2])}
    assert E.one_hot(columns, 0).tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 1, 0]]
    assert E.one_hot(columns, 1).tolist() == [[0, 0, 1, 1, 0]]


def test_retrievers_are_compared(tmp_path):
    trial = E.RealTrial(None, SMALL, 0, Log(tmp_path / "m.jsonl"), rows=invented())
    E.measure_retrievers(trial, "kind")
    found = [(row["measure"], row["arm"], row["value"]) for row in trial.log.rows]
    arms = {E.UNTUNED, E.REAL, E.UNWEIGHTED, E.ALIGNED, E.SHOWN}
    for measure in ("MRR", "nDCG@10", "recall@50"):
        assert {arm for m, arm, _ in found if m == measure} == arms
    assert value(found, "nDCG@10", E.REAL) > value(found, "nDCG@10", E.UNTUNED)
    won = {arm: v for m, arm, v in found if m == "clicks won from random"}
    assert set(won) == arms - {E.UNWEIGHTED} and all(0 <= v <= 1 for v in won.values())


def test_real_sentences_are_matched(shared_data):
    path = shared_data / "sentiment_sentences" / "amazon_cells_labelled.txt"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = measured(load_sentiment(path), preset=replace(SMALL, skews=("length",), draws=2))
    before, after = (
        value(found, "length skew: TV, length", arm) for arm in (E.UNWEIGHTED, E.SHOWN)
    )
    assert before > 0.3 and after < before / 2


def test_a_run_over_sets_and_seeds_is_recorded_and_resumes(tmp_path, monkeypatch):
    calls = []

    def stand_in(trial, measure, **how):
        calls.append((trial.rows, trial.seed))
        for arm in (E.UNTUNED, E.UNWEIGHTED, E.ALIGNED, E.SHOWN, E.DENSITY, E.ORACLE, E.REAL):
            trial.add(arm, {measure: 0.5 + trial.seed / 10})

    skew = "kind skew: accuracy, all"
    monkeypatch.setattr(
        E, "measure_pool", lambda t, skew: stand_in(t, f"{skew} skew: accuracy, all")
    )
    monkeypatch.setattr(E, "measure_retrievers", lambda t: stand_in(t, "MRR"))
    sets, how = {"one": "rows", "two": "others"}, {"seeds": (3, 4)}
    result = run(E.study(sets), SMALL, out=tmp_path, **how)
    assert calls == [
        (name, seed) for seed in (3, 4) for name in ("rows", "rows", "others", "others")
    ]
    assert result.seeds == [3, 4]
    assert E.table(result).loc[("one", "TF-IDF", skew), E.ALIGNED] == 0.85
    run(E.study(sets), SMALL, out=tmp_path, **how)
    assert len(calls) == 8
    index = [(name, "TF-IDF", "MRR") for name in sets]
    assert list(E.table(result, "MRR").index) == index
    with pytest.raises(ValueError, match="none of recall"):
        E.table(result, "recall")
