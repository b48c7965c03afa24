"""SynAlign's study on a real model: its arms and measures, run from end to end on a tiny one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from synthkit import load_lm
from synthkit.core.files import sha256_text
from synthkit.embed.tfidf import TfidfEmbedder
from synthkit.studies.claims import NOT_RUN
from synthkit.studies.real_claims import REAL_CLAIMS
from synthkit.studies.real_data import RealData
from synthkit.studies.runner import run
from synthkit.studies.synalign import real as study_of
from synthkit.studies.synalign import real_trial as R
from synthkit.studies.synalign.sides import Sides, rightness
from synthkit.synalign.alignment import mmd2
from synthkit.synalign.judging import noise_floor
from synthkit.synalign.kernels import width
from synthkit.synalign.schemas import SURFACE
from synthkit.teacher import FunctionTeacher
from tests.tiny import tiny_chat_lm

GOOD, BAD = "good fine lovely superb nice".split(), "bad poor awful weak dull".split()


def invented(n, seed=0, habit=0.0):
    """Short sentences with a sentiment; `habit` is the share that is long and asks."""
    rng = np.random.default_rng(seed)
    label = rng.integers(2, size=n)
    ends = ["", " , and is it not so for all of us who came to see it here ?"]
    return [
        {"text": f"the {rng.choice(['film', 'plot', 'cast'])} of day {i} was "
                 f"{rng.choice((BAD, GOOD)[y])}{ends[int(rng.random() < habit)]}",
         "label": int(y)}
        for i, y in enumerate(label)
    ]  # fmt: skip


def sides(n=120):
    parts = [invented(n, 1, 0.8), invented(80, 2, 0.2), invented(80, 3, 0.2)]
    texts = tuple([row["text"] for row in part] for part in parts)
    encoder = TfidfEmbedder(16).fit([row["text"] for row in invented(200, 4, 0.5)])
    labels = tuple([row["label"] for row in part] for part in parts)
    return Sides(texts, labels, tuple(encoder(part) for part in texts))


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_chat_lm(tmp_path_factory.mktemp("models") / "tiny"))


def scripted(prompt, repeat=0):
    """A teacher that describes rightly, and writes by the sentiment that it is asked for."""
    if "JSON" in prompt:
        text = prompt.split("Text:\n")[1].split("\n\nJSON")[0]
        return json.dumps(SURFACE.read(text))
    good, number = "positive" in prompt, int(sha256_text(f"{prompt} {repeat}")[:6], 16)
    word, end = (GOOD if good else BAD)[number % 5], (".", " , is it not ?")[number % 2]
    return f"The film of year {number % 1000} is a {word} one for all who see it{end}"


def test_the_study_runs_whole_on_a_tiny_model(lm, tmp_path):
    preset = replace(
        study_of.PRESETS["study"], n_train=40, n_test=30, n_sample=16, n_described=4, n_asked=8,
        fitted=(25,), max_new_tokens=16, changes={"picks": 4, "retries": 0}, seeds=(0,),
    )  # fmt: skip
    data = RealData("sst2/train.tsv", invented(90), {"text": "text", "label": "label"})
    study = replace(
        study_of.study(data, teacher=FunctionTeacher(scripted, "scripted")),
        claims=REAL_CLAIMS["synalign"],
    )
    result = run(study, preset, lm=lm, out=tmp_path)
    found = {(row["arm"], row["measure"]): row["value"] for row in result.measurements}
    assert found[R.HELD, "valid records"] == 1 and found[R.FREE, "valid records"] == 0
    assert found[R.HELD, "right: sentiment"] is not None
    for arm in (R.UNWEIGHTED, R.TILTING, R.EXACT, R.SUBSET, R.BEST):
        assert found[arm, "MMD^2, held out"] >= 0 and found[arm, "accuracy, alone"] is not None
    assert found[R.BEST, "over unweighted"] <= found[R.EXACT, "over unweighted"] + 1e-6
    for way in R.WAYS:
        assert found[way, "MMD^2, asked"] >= 0 and found[way, "accuracy, asked, tilted"] is not None
    assert found[R.few(R.REAL, 25), "accuracy, beside real"] > 0.4
    assert found["TF-IDF of the same texts", "real to real, over chance"] > 0
    widths = (R.OWN_ENCODER, "0.5 of the width", "2.0 of the width")
    assert len({found[arm, "real to real, over chance"] for arm in widths}) == 3
    asked = study.findings(result)
    assert {each.claim.id for each in asked} == {each.id for each in REAL_CLAIMS["synalign"]}
    assert all(each.verdict != NOT_RUN for each in asked)


def test_weights_repair_a_habit_and_a_subset_does_not():
    one = sides()
    unweighted, tilting, exact = one.equal(), one.weights(R.TILTING, 0), one.weights(R.EXACT, 0)
    assert one.attributes(tilting) < one.attributes(unweighted) / 2
    for weights in (tilting, exact, one.best()):
        assert one.distances(weights)["over unweighted"] < 0.5
    best = one.distances(one.best())["over unweighted"]
    assert best <= one.distances(exact)["over unweighted"]
    assert one.accuracy(unweighted) > 0.9 and one.accuracy(None, 40) > 0.7
    assert one.told_apart(unweighted, 30, 0) > one.told_apart(exact, 30, 0)
    assert len(one.take(10).equal()) == 10
    assert one.real_to_real() < 2
    assert replace(one, labels=None).accuracy(unweighted) is None


def test_real_to_real_is_measured_at_the_width_that_is_asked_for():
    one = sides()
    _, y, z = one.vectors
    for factor in (0.5, 1.0, 2.0):
        sigma = factor * width(None, y)
        floor = noise_floor(z, len(y), len(z), sigma)
        assert one.real_to_real(factor) == pytest.approx(mmd2(y, z, bandwidth=sigma) / floor)
    assert one.real_to_real() == one.real_to_real(1.0) != one.real_to_real(2.0)


def test_an_encoder_that_learned_from_the_fitted_texts_sets_them_apart():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)]
    texts = [[" ".join(rng.choice(words, 12)) for _ in range(200)] for _ in range(3)]
    one = Sides(tuple(texts), None, (np.zeros((200, 2)),) * 3)
    same = one.seen_by(TfidfEmbedder().fit(texts[1])).real_to_real()
    other = one.seen_by(TfidfEmbedder().fit(texts[0])).real_to_real()
    assert same > 3 and other < 2


def test_rightness_counts_only_records_that_are_there():
    said, truth = [{"a": "x", "b": "y"}, None], [{"a": "x", "b": "z"}, {"a": "x", "b": "y"}]
    assert rightness(said, truth, ["a", "b"]) == {"right: a": 1, "right: b": 0, "right": 0.5}
    assert rightness([None], truth[:1], ["a"])["right"] is None


def test_classes_are_asked_for_in_words():
    assert R.classes_of_set("sst2/train.tsv") == ("sentiment", {0: "negative", 1: "positive"})
    assert R.classes_of_set("mine.csv") == ("label", {})
