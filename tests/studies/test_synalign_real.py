"""SynAlign's measures on labelled texts of any kind: invented ones, and real ones by path."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from synthkit.datasets import load_sentiment
from synthkit.studies.synalign import experiment_real as E
from synthkit.synalign.attributes import SURFACE

SMALL = E.RealTextPreset(draws=1, clusters=3, keep=0.15)
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


@pytest.fixture(scope="module")
def found():
    skews = ("length", E.CLUSTER, "kind", E.NONE)
    return E.real_text_study(invented(), "tfidf", 0, skews=skews, preset=SMALL)


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
    runs = [
        E.real_text_study(invented(), "tfidf", seed, skews=("length",), preset=SMALL)
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_an_embedder_and_other_columns_may_be_given():
    rows = invented(200).rename(columns={"text": "review", "label": "stars"})

    def embed(texts):
        return [[1.0, len(t) / 40, "!" in t, any(w in t for w in GOOD)] for t in texts]

    columns = {"label": "stars", "text": "review"}
    found = E.real_text_study(rows, embed, skews=("kind",), preset=SMALL, **columns)
    assert value(found, "kind skew: accuracy, all", E.REAL) > 0.9
    with pytest.raises(ValueError, match="colour"):
        E.real_text_study(rows, embed, skews=("colour",), preset=SMALL, **columns)


def test_attributes_become_columns():
    columns = {"a": (["x", "y"], ["z"], ["x"]), "b": ([1, 1], [1], [2])}
    assert E.one_hot(columns, 0).tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 1, 0]]
    assert E.one_hot(columns, 1).tolist() == [[0, 0, 1, 1, 0]]


def test_retrievers_are_compared():
    found = E.retriever_study(invented(), seed=0, skew="kind", preset=SMALL)
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
        found = E.real_text_study(
            load_sentiment(path), seed=0, skews=("length",), preset=replace(SMALL, draws=2)
        )
    before, after = (
        value(found, "length skew: TV, length", arm) for arm in (E.UNWEIGHTED, E.SHOWN)
    )
    assert before > 0.3 and after < before / 2


# --- recorded -------------------------------------------------------------------------------------


def test_a_run_over_sets_and_seeds_is_recorded_and_resumes(tmp_path, monkeypatch):
    calls = []

    def study(rows, embedder, seed, label):
        calls.append((rows, seed))
        return [("cluster skew: accuracy", E.ALIGNED, 0.5 + seed / 10)]

    def other(rows, embedder, seed, label):
        return [("MRR", E.ALIGNED, 0.25)]

    study.__name__, other.__name__ = "real_text_study", "retriever_study"
    monkeypatch.setattr(E, "real_text_study", study)
    monkeypatch.setattr(E, "retriever_study", other)
    result = E.reproduce({"one": "rows", "two": "others"}, seeds=(3, 4), out=tmp_path)
    assert calls == [("rows", 3), ("others", 3), ("rows", 4), ("others", 4)]
    assert len(result.measurements) == 8 and result.seeds == [3, 4]
    assert E.table(result).loc[("one", "TF-IDF", "cluster skew: accuracy"), E.ALIGNED] == 0.85
    E.reproduce({"one": "rows", "two": "others"}, seeds=(3, 4), out=tmp_path)
    assert len(calls) == 4
    assert list(E.table(result, "MRR").index) == [
        ("one", "TF-IDF", "MRR"),
        ("two", "TF-IDF", "MRR"),
    ]
    with pytest.raises(ValueError, match="none of recall"):
        E.table(result, "recall")
