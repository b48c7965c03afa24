"""SynAlign as a whole; the contract holds the rest."""

import json
import re
import warnings
from collections import Counter

import numpy as np
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm, load_world
from synthkit.core.reports import Report
from synthkit.studies.synalign.oracle import oracle
from synthkit.synalign.attributes import Attribute, Schema
from synthkit.synalign.exploration import median_distance
from synthkit.synalign.fitting import draw
from synthkit.synalign.judging import effective_size
from synthkit.synalign.pool import COLUMNS
from synthkit.synalign.schemas import REVIEWS, SURFACE, default_schema, with_class
from synthkit.synalign.state import class_column, read_real
from synthkit.synalign.steps import hold_out
from synthkit.synalign.synthesizer import SynAlign
from synthkit.teacher import FunctionTeacher, LMTeacher

WORLD = load_world("reviews")
REAL = WORLD.rows(60, seed=0)
SMALL = {
    "num_hidden_layers": 2, "hidden_size": 32, "intermediate_size": 64,
    "max_position_embeddings": 512,
}  # fmt: skip
PLAIN = [
    {"text": f"{a} {b} {c}?", "intent": b}
    for a in ("please", "now", "then") for b in ("pay", "book") for c in ("tea", "rail", "sun")
]  # fmt: skip
MOOD = Schema("text", [Attribute("mood")], "Mood of {text}", "Write with {record}")


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "one", **SMALL), device="cpu")


def make(teacher=None, **changes):
    """A quick one whose teacher is the oracle of the reviews world."""
    return SynAlign(teacher=teacher or oracle(WORLD), **{"picks": 10, "pool": 3.0, **changes})


@pytest.fixture(scope="module")
def method():
    """One fitted SynAlign; tests read it, and write and weigh with it as they like."""
    return make().fit(REAL)


def writer(text=lambda prompt: "pay the tea now?", name="stand-in"):
    """A teacher that describes nothing and writes `text(prompt)`."""
    return FunctionTeacher(text, name)


# --- presets and rows -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"select": "magic"}, "select must be one of gp, random, k_centre, medoids; got 'magic'"),
        ({"method": "x"}, "no method is called 'x'; choose one of tilting"),
        ({"picks": 0}, "picks must be at least 1, got 0"),
        ({"pool": float("nan")}, "pool must be at least 1, got nan"),
        ({"temperature": -0.1}, "temperature must be at least 0"),
        ({"least": 1.5}, "least is a share"),
        ({"held_out": 1.0}, "held_out one below 1"),
        ({"ridge": 0.1, "method": "exact"}, "ridge belongs to 'tilting'; 'exact'"),
    ],
)
def test_impossible_choices_are_refused_at_once(change, message):
    with pytest.raises(ValueError, match=message):
        SynAlign(**change)


def test_the_class_column_is_named_and_filled():
    known = ["text", *REVIEWS.names]
    assert class_column(["text", "label"], "label") == class_column([*known, "label"], "label")
    assert (class_column(known, "label"), class_column(known, "tone")) == ("sentiment", "tone")
    assert class_column(["text"], None) is None
    for rows, message in (
        ([{"text": "a", "topic": "x"}], "no column 'label'.*text, topic"),
        ([{"text": "a", "label": "x"}, {"text": "b", "label": None}],
         r"column 'label': row 1 has no class \(None\)"),
        ([{"text": "a", "label": ""}], "row 0 has no class"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            read_real(rows, "label")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=40),
    st.floats(0, 0.95),
    st.integers(0, 5),
)
def test_the_two_parts_share_nothing_and_every_class_stays(labels, share, seed):
    fit, held = hold_out(len(labels), share, labels, seed)
    assert sorted([*fit, *held]) == list(range(len(labels)))
    assert {labels[i] for i in fit} == set(labels)
    assert len(held) == min(round(share * len(labels)), len(labels) - len(set(labels)))
    labels = ["a"] * 80 + ["b"] * 20
    counts = Counter(labels[i] for i in hold_out(100, 0.25, labels, seed)[1])
    assert abs(counts["a"] - 20) <= 1 and abs(counts["b"] - 5) <= 1


def test_the_schema_follows_the_rows_and_takes_the_class_in():
    assert default_schema(["text", *REVIEWS.names]) is REVIEWS
    assert default_schema(["text", "label"]) is SURFACE
    assert with_class(REVIEWS, "sentiment", ["positive"]) is REVIEWS
    assert with_class(SURFACE, None, None) is SURFACE
    schema = with_class(SURFACE, "intent", [3, 1, 3])
    assert schema.names == ("intent", *SURFACE.names)
    assert schema.attributes[0].values == ("3", "1")
    with pytest.raises(
        ValueError, match=r"'sentiment' holds the class 'mixed'.*positive, negative"
    ):
        with_class(REVIEWS, "sentiment", ["positive", "mixed"])
    with pytest.raises(ValueError, match="different values"):
        with_class(SURFACE, "label", ["a b", "a_b"])


# --- fitting --------------------------------------------------------------------------------------


def test_a_fit_picks_among_the_texts_to_fit_and_keeps_the_known_class(method):
    fit = method.fitted
    assert len(fit.plan.picks) == 10 == len(fit.records) == len(fit.demonstrations)
    assert set(fit.demonstrations) <= set(fit.real.fit.tolist())
    assert not set(fit.real.fit) & set(fit.real.held_out)
    assert len(fit.real.held_out) == 15 and fit.real.vectors.shape[0] == 60
    for i, record in zip(fit.demonstrations, fit.records):
        assert record == WORLD.attributes(REAL[i])
    classes = Counter(REAL[i]["sentiment"] for i in fit.demonstrations)
    assert set(classes.values()) == {5}  # an equal share a class
    assert fit.bandwidth == median_distance(fit.real.vectors[fit.real.fit])
    assert make().fit(REAL).report.facts["described"]["calls"] == 10


def test_the_class_is_that_of_the_real_text_whatever_the_teacher_says():
    def liar(prompt):
        return json.dumps(dict(zip(REVIEWS.names, ("film", "positive", "neutral", "long", "list"))))

    fit = make(writer(liar)).fit(REAL).fitted
    for i, record in zip(fit.demonstrations, fit.records):
        assert record["sentiment"] == REAL[i]["sentiment"] and record["topic"] == "film"


def test_the_encoder_does_not_learn_from_the_texts_that_judge():
    rows = [*REAL[:20], *({**row, "text": f"zebra{i} " * 3} for i, row in enumerate(REAL[:5]))]
    fit = make().fit(rows[:20], validation=rows[20:]).fitted
    assert fit.real.fit.tolist() == list(range(20))
    assert fit.real.held_out.tolist() == list(range(20, 25))
    assert not any("zebra" in word for word in fit.encoder._vectoriser.vocabulary_)
    second = make(encoder=fit.encoder).fit(REAL[:10]).fitted  # one that is fitted stays so
    assert second.encoder is fit.encoder
    np.testing.assert_array_equal(second.real.vectors, fit.real.vectors[:10])


def test_fewer_texts_than_picks_are_all_taken_with_a_warning():
    with pytest.warns(UserWarning, match="40 picks, but 9 real texts"):
        found = make(picks=40, held_out=0.25).fit(REAL[:12])
    assert sorted(found.fitted.demonstrations) == found.fitted.real.fit.tolist()
    assert "40 picks" in found.report.warnings[0]


def test_demonstrations_can_be_named_but_not_among_the_judges(method):
    rows = method.fitted.real.fit[:3].tolist()
    fit = make().fit(REAL, demonstrations=rows).fitted
    assert fit.demonstrations == rows and fit.plan.picks.tolist() == rows
    held = int(method.fitted.real.held_out[0])
    for wrong, message in (
        ([held], f"row {held} is held out"), ([60], "row 60 is not there"), ([], "name one row"),
        ([0.7], r"demonstrations\[0\] must be a whole"), ([True], "whole number"), (3, "a list of"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=message):
            make().fit(REAL, demonstrations=wrong)
    with pytest.raises(ValueError, match="is held out"):
        method.fit_more([held])
    assert len(method.fitted.records) == 10


def test_texts_that_are_all_equal_are_picked_by_chance():
    rows = [{"text": "pay the tea", "label": "x"}] * 12
    found = make(writer(), describe="read", picks=4).fit(rows)
    assert found.fitted.plan.by_chance == ("x",) and found.fitted.bandwidth is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="synthetic points are the same"):
            found.sample(4)
    turn = iter(range(99))
    varied = make(
        writer(lambda prompt: f"pay {next(turn)}"), describe="read", picks=4,
        encoder=lambda texts: [[len(text), 1] for text in texts],
    ).fit(rows)  # fmt: skip
    assert len(varied.sample(4)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoder": lambda texts: [[np.nan, 1.0]] * len(texts)}, "not finite for 60 of 60 texts"),
        ({"encoder": lambda texts: np.zeros((len(texts), 2))}, "only zeros for text 0"),
        ({"picks": 1}, "1 picks cannot serve 2 labels"),
        ({"teacher": None}, "give a model .* or a teacher"),
        ({"schema": MOOD, "describe": "read"}, "mood cannot be seen"),
    ],
)
def test_fits_that_cannot_be_say_why(options, message):
    with pytest.raises(ValueError, match=message):
        SynAlign(**{"teacher": oracle(WORLD), **options}).fit(
            REAL, label=None if "schema" in options else "label"
        )


@pytest.mark.parametrize("describe", ["teacher", "read"])
def test_descriptions_that_do_not_parse_are_counted_and_not_lost(describe):
    teacher = oracle(WORLD, error_rate=0.5, seed=3)
    found = make(teacher, retries=3, describe=describe).fit(REAL)
    counts, fit = found.report.facts["described"], found.fitted
    assert (counts["calls"] > 10) if describe == "teacher" else (counts["calls"] == 0)
    assert sum(counts[kind] for kind in ("answer", "read", "none")) == 10
    assert [WORLD.attributes(REAL[i]) for i in fit.demonstrations] == fit.records


def test_a_text_without_a_record_is_left_out_and_counted():
    answers = iter(["mood: calm", "", "mood: wild"])
    teacher = writer(lambda prompt: next(answers, "pay"))
    found = make(teacher, schema=MOOD, retries=0, held_out=0.0, picks=3)
    fit = found.fit(PLAIN[:3], label=None).fitted
    assert [record["mood"] for record in fit.records] == ["calm", "wild"]
    assert found.report.facts["described"]["none"] == 1
    assert fit.demonstrations == [fit.plan.picks[0], fit.plan.picks[2]]
    with pytest.raises(ValueError, match=r"none of 10 real texts could be described.*no known key"):
        make(writer(lambda prompt: "no idea"), schema=MOOD).fit(PLAIN, label=None)


# --- the pool -------------------------------------------------------------------------------------


def test_every_row_says_where_it_comes_from(method):
    pool, fit = method.pool(25, seed=2), method.fitted
    assert tuple(pool.column_names) == COLUMNS and len(pool) == 25
    for i, row in enumerate(pool):
        place = i % 10
        assert row["call"] == i and row["demonstration"] == fit.demonstrations[place]
        assert json.loads(row["record"]) == fit.records[place]
        assert row["label"] == REAL[row["demonstration"]]["sentiment"]
        assert row["follows"] == 1.0 and row["tries"] == 1  # the oracle writes what is asked
        assert row["weight"] == pytest.approx(1 / 25)
    assert method.report.facts["written"]["texts"] == 25
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        method.pool(0)


def test_settings_of_the_weights_and_texts_without_classes():
    for options, n_held_out in (
        ({"held_out": 0.0}, 0), ({"method": "adam"}, 15), ({"bandwidth": 0.7}, 15),
    ):  # fmt: skip
        found = make(per_record=3, describe="read", **options).fit(REAL, label=None)
        sample = found.sample(6)
        assert sample["label"][:] == [None] * 6 and len(found.fitted.real.held_out) == n_held_out
        assert (found.alignment is None) == (n_held_out == 0)
        shown = found.fitted.demonstrations
        assert Counter(found.pool()["demonstration"]) == dict.fromkeys(shown, 3)
    assert found.fitted.bandwidth == 0.7


def test_a_pool_is_written_once_and_anew_for_another_seed_or_fit():
    teacher, asked = oracle(WORLD), []
    counted = writer(lambda prompt: asked.append(prompt) or teacher.fn(prompt))
    found = make(counted, describe="read").fit(REAL)
    found.sample(5, seed=1)
    found.sample(5, seed=1, aligned=False)
    assert len(asked) == 15
    found.sample(5, seed=2)
    found.fit(REAL).sample(5, seed=2)
    assert len(asked) == 45


def test_other_labelled_texts_take_the_class_into_the_prompt():
    prompts = []
    found = make(writer(lambda prompt: prompts.append(prompt) or f"pay {len(prompts)}?"),
                 describe="read", picks=4).fit(PLAIN, label="intent")  # fmt: skip
    pool = found.pool(8)
    assert all(f"intent: {row['label']}" in prompt for row, prompt in zip(pool, prompts))
    assert {*pool["label"]} == {"pay", "book"}
    assert all(json.loads(row["record"])["intent"] == row["label"] for row in pool)


def test_texts_that_cannot_be_used_are_left_out_and_the_rest_keeps_its_origin():
    answers = iter(["one", "", "three", "four", *[""] * 9])
    found = make(writer(lambda prompt: next(answers)), describe="read", retries=0).fit(REAL)
    with pytest.warns(UserWarning, match=r"2 of 4 texts can be used \(1 x "):
        pool = found.pool(4, held_out=["Three"])
    assert pool["call"][:] == [0, 3] and found.report.rejected == {"empty": 1, "held out": 1}
    assert pool["demonstration"][:] == [found.fitted.demonstrations[i] for i in (0, 3)]
    with pytest.warns(UserWarning, match="0 of 2 rows"):
        assert len(found.sample(2)) == 0
    assert found.report.rejected == {"empty": 6}
    copies = make(writer(lambda prompt: REAL[0]["text"]), describe="read").fit(REAL)
    copies.pool(12)
    told = copies.report.facts["written"]
    assert (told["repeated"], told["copies of real texts"], told["texts"]) == (11, 12, 12)


# --- weights and samples --------------------------------------------------------------------------


def test_a_sample_is_drawn_from_the_pool_by_its_weights(method):
    sample = method.sample(20, seed=5)
    assert tuple(sample.column_names[: len(COLUMNS)]) == COLUMNS
    assert method.report.facts["alignment"] == method.alignment
    assert method.report.facts["drawn again"] == 20 - len(set(sample["call"]))
    assert not re.search(r"\.\d{6}", repr(method.report)), "figures that mean nothing"
    pool = method.pool(60, seed=5)
    weights, copies = method.weigh(pool), Counter(sample["call"])
    assert all(abs(copies[i] - 20 * w) < 1 + 1e-9 for i, w in enumerate(weights))
    for row in sample:
        assert row["text"] == pool[row["call"]]["text"]
        assert row["weight"] == pytest.approx(weights[row["call"]])
    plain = method.sample(20, seed=5, aligned=False)
    assert max(Counter(plain["call"]).values()) == 1 and set(plain["weight"]) == {1 / 60}
    assert method.alignment.mmd2 == pytest.approx(method.alignment.unweighted)


def test_each_class_gets_its_share_however_little_was_written_of_it(method):
    frame, real = method.pool(60).to_pandas(), method.fitted.real
    few = (frame["label"] == "positive") | (frame.groupby("label").cumcount() < 2)
    shares = Counter(real.labels_of(real.fit))
    for rows in (frame, frame[few]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weights = method.weigh(rows)
        assert weights.sum() == pytest.approx(1) and (weights >= 0).all()
        for label, count in shares.items():
            mass = weights[(rows["label"] == label).to_numpy()].sum()
            assert mass == pytest.approx(count / len(real.fit))
    with pytest.raises(ValueError, match=r"no synthetic text has the label\(s\) \['negative'\]"):
        method.weigh(frame[frame["label"] == "positive"])


def test_classes_that_take_turns_in_the_pool_all_come():
    """Equal steps of two, of four, ... would always meet the same one."""
    n, report = 96, Report("SynAlign", "sample", 24)
    labels = ["positive", "negative"] * (n // 2)
    rows = Dataset.from_dict({"text": [str(i) for i in range(n)], "label": labels})
    for seed in range(5):
        found = draw(rows, np.full(n, 1 / n), n // 4, seed, report)
        assert Counter(found["label"]) == {"positive": n // 8, "negative": n // 8}
        assert list(found["text"]) == sorted(found["text"], key=int)


@pytest.mark.parametrize("aligned", [True, False])
def test_a_class_whose_texts_are_all_held_out_leaves_its_share_of_the_rows_open(method, aligned):
    lost = [row["text"] for row in method.pool(60) if row["label"] == "negative"]
    with pytest.warns(UserWarning, match="of 20 rows .*no text of its class"):
        rows = method.sample(20, held_out=lost, aligned=aligned)
    labels = method.fitted.real.labels_of(method.fitted.real.fit)
    assert set(rows["label"]) == set(labels) - {"negative"}
    share = 1 - labels.count("negative") / len(labels)
    assert len(rows) == pytest.approx(20 * share, abs=1)


def test_weights_bring_a_skewed_pool_nearer_to_texts_that_were_not_fitted():
    found = make(describe="read").fit(WORLD.rows(150, 1), validation=WORLD.rows(300, 2))
    skewed = load_world("reviews", distribution="llm").rows(300, 3)
    weights = found.weigh(skewed)  # rows of the world: their class is the sentiment
    assert found.alignment.n == 300 and found.alignment.ratio < 0.6
    assert found.alignment.effective == pytest.approx(effective_size(weights))
    assert found.alignment.floor > 0


# --- what is missing ------------------------------------------------------------------------------


def test_a_missing_mode_is_named_and_fed_back():
    rows = load_world("reviews", distribution="llm").rows(120, 0)
    formal = [row["style"] == "formal" for row in rows]
    others = [i for i in range(120) if not formal[i]][:20]
    found = make(describe="read").fit(rows, validation=rows[:40], demonstrations=others)
    found.weigh(found.pool(120))
    named = found.missing(8)
    assert np.mean([formal[i] for i in named]) > np.mean(formal)
    assert not set(named) & set(others)
    before = found.alignment.mmd2
    found.fit_more(named)
    assert found.fitted.demonstrations == others + named and len(found.fitted.records) == 28
    assert found.report.facts["described"]["texts"] == 8 and found.alignment is None
    found.weigh(found.pool(120))
    assert found.alignment.mmd2 < before


def test_missing_needs_weights_and_a_number_that_can_be():
    fresh = make().fit(REAL)
    with pytest.raises(ValueError, match="nothing has been weighed yet"):
        fresh.missing(1)
    fresh.sample(5)
    free = len(fresh.fitted.real.fit) - 10
    assert len(fresh.missing(free)) == free == len(set(fresh.missing(free)))
    assert fresh.missing(3) == fresh.missing(free)[:3]
    assert len(fresh.missing(free + 10, again=True)) == free + 10
    for k in (0, free + 1):
        with pytest.raises(ValueError, match=f"asked for {k} of {free}"):
            fresh.missing(k)


# --- a teacher that dies --------------------------------------------------------------------------


def test_a_fit_on_file_belongs_to_its_teacher_encoder_and_schema(tmp_path):
    make().fit(REAL, checkpoint=tmp_path)
    own = Schema("review", REVIEWS.attributes[1:3], REVIEWS.describe, REVIEWS.write)
    for other in ({"teacher": oracle(WORLD, seed=1)}, {"schema": own}, {"encoder": len}):
        if "teacher" in other:
            other["teacher"].name = "another"
        with pytest.raises(ValueError, match="with other data, settings, model, teacher"):
            make(**other).fit(REAL, checkpoint=tmp_path)


# --- on file --------------------------------------------------------------------------------------


def test_a_saved_one_weighs_and_misses_as_before(method, tmp_path):
    pool = method.pool(30)
    weights, alignment = method.weigh(pool), method.alignment
    method.save(tmp_path)
    again = SynAlign.load(tmp_path, teacher=oracle(WORLD))
    np.testing.assert_array_equal(again.weigh(pool), weights)
    assert again.alignment == alignment and again.missing(3) == method.missing(3)
    assert again.fitted.plan.tie_share == method.fitted.plan.tie_share
    assert again.fitted.full_schema == method.fitted.full_schema


@pytest.mark.parametrize("label", [None, "number"])
def test_no_classes_and_classes_that_are_numbers_come_back(label, tmp_path):
    rows = [{"text": row["text"], "number": len(row["intent"])} for row in PLAIN]
    found = make(writer(), describe="read", picks=4).fit(rows, label=label)
    found.save(tmp_path)
    again = SynAlign.load(tmp_path, teacher=writer())
    assert again.fitted.real.labels == found.fitted.real.labels
    assert {*again.pool(6)["label"]} == ({None} if label is None else {3, 4})
    assert again.fitted.plan.tie_share == found.fitted.plan.tie_share


def test_an_encoder_or_a_schema_of_your_own_has_to_be_given_again(tmp_path):
    def letters(texts):
        return [[text.count(c) + 1 for c in "aeiou"] for text in texts]

    own = Schema("review", REVIEWS.attributes[1:3], REVIEWS.describe, REVIEWS.write)
    found = make(encoder=letters, schema=own, describe="read").fit(REAL)
    found.save(tmp_path)
    kept = {"teacher": oracle(WORLD), "schema": own, "encoder": letters}
    again = SynAlign.load(tmp_path, **kept)
    np.testing.assert_array_equal(again.weigh(REAL), found.weigh(REAL))
    for change, message in (
        ({"encoder": None}, "'.*letters'.*give it yourself as encoder="),
        ({"schema": None}, r"schema 'review' of sentiment, tone: give it with schema="),
        (
            {"encoder": lambda t: [x[::-1] for x in letters(t)]},
            "puts the first real text elsewher",
        ),
        ({"schema": SURFACE}, "the one given has"),
    ):
        with pytest.raises(ValueError, match=message):
            SynAlign.load(tmp_path, **{**kept, **change})


# --- a model as its own teacher -------------------------------------------------------------------


def test_the_model_describes_greedily_and_writes_at_the_temperature(lm):
    found = SynAlign(lm, temperature=0.8, max_new_tokens=5)
    assert isinstance(found.writer(), LMTeacher)
    assert found.writer(greedy=True).options == {"max_new_tokens": 5, "temperature": 0.0}
    assert found.writer().options == {"max_new_tokens": 5, "temperature": 0.8}
    teacher = oracle(WORLD)
    assert SynAlign(lm, teacher=teacher).writer() is teacher


def test_a_random_model_that_describes_nothing_falls_back_to_reading(lm):
    found = SynAlign(lm, picks=4, retries=0, max_new_tokens=6).fit(REAL[:20])
    counts = found.report.facts["described"]
    assert counts["read"] == 4 and counts["calls"] == 4
    with pytest.warns(UserWarning, match=r"0 of 5 texts can be used \(5 x cut\)"):
        assert len(found.pool(5)) == 0
