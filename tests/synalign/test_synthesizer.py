"""SynAlign as a whole, and the baselines it is held against."""

import json
import warnings
from collections import Counter
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_lm

from synthkit import load_lm, load_world
from synthkit.synalign import baselines
from synthkit.synalign.alignment import effective_size
from synthkit.synalign.attributes import REVIEWS, SURFACE, Attribute, Schema, oracle
from synthkit.synalign.synthesizer import (
    COLUMNS,
    PRESETS,
    RealTexts,
    SynAlign,
    SynAlignPreset,
    class_column,
    default_schema,
    demonstrations,
    hold_out,
    read_real,
    with_class,
)
from synthkit.teacher import FunctionTeacher, LMTeacher, TeacherError

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


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "one", **SMALL), device="cpu")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return load_lm(tiny_lm(tmp_path_factory.mktemp("tiny") / "two", seed=1, **SMALL), device="cpu")


def make(teacher=None, **changes):
    """A quick one whose teacher is the oracle of the reviews world."""
    return SynAlign(teacher=teacher or oracle(WORLD), **{"picks": 10, "pool": 3.0, **changes})


@pytest.fixture(scope="module")
def fitted():
    """One fitted SynAlign; tests read it, and write and weigh with it as they like."""
    return make().fit(REAL)


def writer(text=lambda prompt: "pay the tea now?", name="stand-in"):
    """A teacher that describes nothing and writes `text(prompt)`."""
    return FunctionTeacher(text, name)


# --- presets -------------------------------------------------------------------------------------


def test_presets_and_what_the_released_code_says():
    assert set(PRESETS) == {"fast", "study", "paper"}
    paper = PRESETS["paper"]
    assert (paper.picks, paper.neighbours, paper.per_record) == (4 * 600, 2, 10)
    assert (paper.split, paper.select, paper.describe) == ("average", "gp", "teacher")
    assert PRESETS["fast"].picks < PRESETS["study"].picks < paper.picks


def test_a_change_replaces_one_value_and_a_preset_survives_json():
    assert asdict(make(preset="study").preset) == {
        **asdict(PRESETS["study"]), "picks": 10, "pool": 3.0,
    }  # fmt: skip
    preset = SynAlignPreset(ridge=0.1, bandwidth=2.0)
    assert SynAlignPreset(**json.loads(json.dumps(asdict(preset)))) == preset
    assert SynAlign(preset=preset).preset == preset


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"select": "magic"}, "select must be one of gp, random, k_centre, medoids; got 'magic'"),
        ({"split": "x"}, "split must be one of average, proportion"),
        ({"describe": "x"}, "describe must be one of teacher, read"),
        ({"method": "x"}, "method must be one of tilting, exact"),
        ({"picks": 0}, "picks must be at least 1, got 0"),
        ({"neighbours": 0}, "neighbours must be at least 1"),
        ({"per_record": 0}, "per_record must be at least 1"),
        ({"pool": 0.5}, "pool must be at least 1"),
        ({"pool": float("nan")}, "pool must be at least 1, got nan"),
        ({"retries": -1}, "retries must be at least 0"),
        ({"temperature": -0.1}, "temperature must be at least 0"),
        ({"least": 1.5}, "least is a share"),
        ({"held_out": 1.0}, "held_out one below 1"),
        ({"ridge": 0.1, "method": "exact"}, "ridge belongs to 'tilting'; 'exact'"),
        ({"colour": 1}, "SynAlign has no option colour"),
        ({"preset": "huge"}, "no preset 'huge'; choose one of fast, study, paper"),
    ],
)
def test_impossible_choices_are_refused_at_once(change, message):
    with pytest.raises(ValueError, match=message):
        SynAlign(**change)


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "label", "found"),
    [
        (["text", "label"], "label", "label"),
        (["text", "intent"], "intent", "intent"),
        (["text", *REVIEWS.names], "label", "sentiment"),
        (["text", *REVIEWS.names], "tone", "tone"),
        (["text", *REVIEWS.names, "label"], "label", "label"),
        (["text"], None, None),
    ],
)
def test_the_class_column(columns, label, found):
    assert class_column(columns, label) == found


def test_rows_come_from_a_list_a_frame_or_a_dataset():
    for data in (REAL, pd.DataFrame(REAL), WORLD.sample(60, seed=0)):
        texts, labels, column = read_real(data, "label")
        assert texts == [row["text"] for row in REAL] and column == "sentiment"
        assert labels == [row["sentiment"] for row in REAL]
    assert read_real([{"text": "a"}], None) == (["a"], None, None)
    assert read_real([{"text": "a", "label": 0}], "label")[1] == [0]


@pytest.mark.parametrize(
    ("rows", "label", "error", "message"),
    [
        ([], "label", ValueError, "row"),
        ([{"words": "a"}], None, ValueError, "text"),
        ([{"text": " ", "label": "x"}], "label", ValueError, "0"),
        ([{"text": "a", "topic": "x"}], "label", ValueError, "no column 'label'.*text, topic"),
        ([{"text": "a", "label": "x"}, {"text": "b", "label": None}], "label", ValueError,
         r"column 'label': row 1 has no class \(None\)"),
        ([{"text": "a", "label": ""}], "label", ValueError, "row 0 has no class"),
        ("one text", "label", TypeError, "str"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_read_say_why(rows, label, error, message):
    with pytest.raises(error, match=message):
        read_real(rows, label)


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
    again = hold_out(len(labels), share, labels, seed)
    assert again[1].tolist() == held.tolist()


def test_classes_are_held_out_in_equal_shares():
    labels = ["a"] * 80 + ["b"] * 20
    held = hold_out(100, 0.25, labels, seed=3)[1]
    counts = Counter(labels[i] for i in held)
    assert abs(counts["a"] - 20) <= 1 and abs(counts["b"] - 5) <= 1
    assert hold_out(100, 0.25, labels, 3)[1].tolist() != hold_out(100, 0.25, labels, 4)[1].tolist()
    assert len(hold_out(100, 0.0)[1]) == 0


# --- schemas -------------------------------------------------------------------------------------


def test_the_schema_follows_the_shape_of_the_rows():
    assert default_schema(["text", *REVIEWS.names]) is REVIEWS
    assert default_schema(["text", "label"]) is SURFACE
    assert with_class(REVIEWS, "sentiment", ["positive"]) is REVIEWS
    assert with_class(SURFACE, None, None) is SURFACE


def test_a_class_without_an_attribute_is_put_in_front():
    schema = with_class(SURFACE, "intent", [3, 1, 3])
    assert schema.names == ("intent", *SURFACE.names)
    assert schema.attributes[0].values == ("3", "1")
    assert "intent: 3" in schema.write_prompt({"intent": "3", "question": "yes"})


def test_a_class_that_the_schema_does_not_know_is_named():
    with pytest.raises(
        ValueError, match=r"'sentiment' holds the class 'mixed'.*positive, negative"
    ):
        with_class(REVIEWS, "sentiment", ["positive", "mixed"])
    with pytest.raises(ValueError, match="different values"):
        with_class(SURFACE, "label", ["a b", "a_b"])


# --- fitting -------------------------------------------------------------------------------------


def test_a_fit_picks_among_the_texts_to_fit_and_keeps_the_known_class(fitted):
    assert len(fitted.plan.picks) == 10 == len(fitted.records) == len(fitted.demonstrations)
    assert set(fitted.demonstrations) <= set(fitted.real.fit.tolist())
    assert not set(fitted.real.fit) & set(fitted.real.held_out)
    assert len(fitted.real.held_out) == 15 and fitted.real_vectors.shape[0] == 60
    for i, record in zip(fitted.demonstrations, fitted.records):
        assert record == WORLD.attributes(REAL[i])
    classes = Counter(REAL[i]["sentiment"] for i in fitted.demonstrations)
    assert set(classes.values()) == {5}  # an equal share a class
    assert fitted.counts["describe"]["calls"] == 10


def test_the_class_is_that_of_the_real_text_whatever_the_teacher_says():
    def liar(prompt):
        return json.dumps(dict(zip(REVIEWS.names, ("film", "positive", "neutral", "long", "list"))))

    method = make(writer(liar)).fit(REAL)
    for i, record in zip(method.demonstrations, method.records):
        assert record["sentiment"] == REAL[i]["sentiment"] and record["topic"] == "film"


def test_the_same_seed_gives_the_same_fit_and_another_seed_another_one(fitted):
    again, different = make().fit(REAL), make(seed=1).fit(REAL)
    assert again.plan.picks.tolist() == fitted.plan.picks.tolist()
    assert again.records == fitted.records
    assert different.plan.picks.tolist() != fitted.plan.picks.tolist()


def test_the_encoder_does_not_learn_from_the_texts_that_judge():
    rows = [*REAL[:20], *({**row, "text": f"zebra{i} " * 3} for i, row in enumerate(REAL[:5]))]
    method = make().fit(rows[:20], held_out=rows[20:])
    assert method.real.fit.tolist() == list(range(20))
    assert method.real.held_out.tolist() == list(range(20, 25))
    assert not any("zebra" in word for word in method.embedder._vectoriser.vocabulary_)


def test_an_embedder_that_is_fitted_is_taken_as_it_is():
    first = make().fit(REAL)
    second = make(embedder=first.embedder).fit(REAL[:30])
    assert second.embedder is first.embedder
    np.testing.assert_array_equal(second.real_vectors, first.real_vectors[:30])
    fresh = make()
    assert fresh.fit(REAL).embedder is not fresh.fit(REAL[:30]).embedder


def test_fewer_texts_than_picks_are_all_taken_with_a_warning():
    with pytest.warns(UserWarning, match="40 picks, but 9 real texts"):
        method = make(picks=40, held_out=0.25).fit(REAL[:12])
    assert sorted(method.demonstrations) == method.real.fit.tolist()


def test_fewer_picks_than_classes_are_an_error():
    with pytest.raises(ValueError, match="1 picks cannot serve 2 labels"):
        make(picks=1).fit(REAL)


def test_demonstrations_can_be_named_but_not_among_the_judges(fitted):
    rows = fitted.real.fit[:3].tolist()
    method = make().fit(REAL, demonstrations=rows)
    assert method.demonstrations == rows and method.plan.picks.tolist() == rows
    held = int(fitted.real.held_out[0])
    with pytest.raises(ValueError, match=f"row {held} is held out"):
        make().fit(REAL, demonstrations=[held])
    with pytest.raises(ValueError, match="row 60 is not there"):
        make().fit(REAL, demonstrations=[60])
    with pytest.raises(ValueError, match="name one row at least"):
        make().fit(REAL, demonstrations=[])


def test_texts_that_are_all_equal_are_picked_by_chance():
    rows = [{"text": "pay the tea", "label": "x"}] * 12
    method = make(writer(), describe="read", picks=4).fit(rows)
    assert method.plan.by_chance == ("x",) and method.bandwidth is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="synthetic points are the same"):
            method.sample(4)
    turn = iter(range(99))
    varied = make(
        writer(lambda prompt: f"pay {next(turn)}"), describe="read", picks=4,
        embedder=lambda texts: [[len(text), 1] for text in texts],
    ).fit(rows)  # fmt: skip
    assert len(varied.sample(4)) == 4


@pytest.mark.parametrize(
    ("embedder", "message"),
    [
        (lambda texts: [[np.nan, 1.0]] * len(texts), "not finite for 60 of 60 texts"),
        (lambda texts: np.ones((3, 2)), r"shape \(3, 2\) for 60 texts"),
        (lambda texts: np.zeros((len(texts), 2)), "only zeros for text 0"),
    ],
)
def test_vectors_that_are_none_are_named(embedder, message):
    with pytest.raises(ValueError, match=message):
        make(embedder=embedder).fit(REAL)


def test_an_embedder_of_another_width_for_the_pool_is_found_out():
    def moody(texts):
        return np.random.default_rng(0).normal(size=(len(texts), 3 if len(texts) == 60 else 4))

    with pytest.raises(ValueError, match="3 columns before and 4 now"):
        make(embedder=moody).fit(REAL).sample(5)


def test_descriptions_that_do_not_parse_are_counted_retried_and_not_lost():
    method = make(oracle(WORLD, error_rate=0.5, seed=3), retries=3).fit(REAL)
    counts = method.counts["describe"]
    assert counts["calls"] > 10 and len(method.records) == 10
    assert sum(counts.get(kind, 0) for kind in ("answer", "read", "none")) == 10


def test_a_text_without_a_record_is_left_out_and_counted():
    schema = Schema("text", [Attribute("mood")], "Mood of {text}", "Write with {record}")
    answers = iter(["mood: calm", "", "mood: wild"])
    teacher = writer(lambda prompt: next(answers, "pay"))
    method = make(teacher, schema=schema, retries=0, held_out=0.0, picks=3)
    method.fit(PLAIN[:3], label=None)
    assert [record["mood"] for record in method.records] == ["calm", "wild"]
    assert method.counts["describe"]["none"] == 1
    assert method.demonstrations == [method.plan.picks[0], method.plan.picks[2]]


def test_no_record_at_all_is_an_error():
    schema = Schema("text", [Attribute("mood")], "Mood of {text}", "Write with {record}")
    with pytest.raises(ValueError, match=r"none of 10 real texts could be described.*no known key"):
        make(writer(lambda prompt: "no idea"), schema=schema).fit(PLAIN, label=None)


def test_reading_costs_no_call():
    method = make(writer(lambda prompt: 1 / 0), describe="read").fit(REAL)
    assert method.counts["describe"]["calls"] == 0
    assert all(
        r == WORLD.attributes(REAL[i]) for i, r in zip(method.demonstrations, method.records)
    )


def test_nobody_to_ask():
    with pytest.raises(ValueError, match=r"give a model .* or a teacher"):
        SynAlign().fit(REAL)


@pytest.mark.parametrize("name", ["real", "plan", "records", "demonstrations", "real_vectors"])
def test_not_fitted(name):
    with pytest.raises(ValueError, match="not fitted yet"):
        getattr(make(), name)


def test_nothing_works_before_the_fit(tmp_path):
    acts = {
        "pool": lambda: make().pool(3),
        "weigh": lambda: make().weigh(REAL),
        "fit_more": lambda: make().fit_more([1]),
        "save": lambda: make().save(tmp_path),
    }
    for act in acts.values():
        with pytest.raises(ValueError, match="not fitted yet"):
            act()
    assert not list(tmp_path.iterdir())


# --- the pool ------------------------------------------------------------------------------------


def test_every_row_says_where_it_comes_from(fitted):
    pool = fitted.pool(25, seed=2)
    assert tuple(pool.column_names) == COLUMNS and len(pool) == 25
    for i, row in enumerate(pool):
        place = i % 10
        assert row["call"] == i and row["demonstration"] == fitted.demonstrations[place]
        assert json.loads(row["record"]) == fitted.records[place]
        assert row["label"] == REAL[row["demonstration"]]["sentiment"]
        assert row["follows"] == 1.0 and row["tries"] == 1  # the oracle writes what is asked
        assert row["weight"] == pytest.approx(1 / 25)
    assert fitted.counts["write"]["texts"] == 25


def test_without_a_number_every_record_is_written_from_equally_often():
    method = make(per_record=3).fit(REAL)
    assert Counter(method.pool()["demonstration"]) == dict.fromkeys(method.demonstrations, 3)


def test_a_pool_is_written_once_and_anew_for_another_seed_or_size():
    teacher = oracle(WORLD)
    asked = []
    counted = writer(lambda prompt: asked.append(prompt) or teacher.fn(prompt))
    method = make(counted, describe="read").fit(REAL)
    method.sample(5, seed=1)
    method.sample(5, seed=1, aligned=False)
    assert len(asked) == 15
    method.sample(5, seed=2)
    assert len(asked) == 30


def test_other_labelled_texts_take_the_class_into_the_prompt():
    prompts = []
    method = make(writer(lambda prompt: prompts.append(prompt) or f"pay {len(prompts)}?"),
                  describe="read", picks=4).fit(PLAIN, label="intent")  # fmt: skip
    pool = method.pool(8)
    assert all(f"intent: {row['label']}" in prompt for row, prompt in zip(pool, prompts))
    assert {*pool["label"]} == {"pay", "book"}
    assert all(json.loads(row["record"])["intent"] == row["label"] for row in pool)


def test_classes_that_are_numbers_stay_numbers():
    rows = [{"text": row["text"], "label": len(row["intent"])} for row in PLAIN]
    pool = make(writer(), describe="read", picks=4).fit(rows).pool(6)
    assert {*pool["label"]} == {3, 4}


def test_texts_without_classes():
    method = make(describe="read").fit(REAL, label=None)
    sample = method.sample(6)
    assert sample["label"][:] == [None] * 6 and method.report.n == 18


def test_repeats_and_copies_are_counted():
    copy = REAL[0]["text"]
    method = make(writer(lambda prompt: copy), describe="read").fit(REAL)
    method.pool(12)
    found = method.counts["write"]
    assert (found["repeated"], found["copies of real texts"], found["texts"]) == (11, 12, 12)


def test_empty_texts_are_left_out_and_the_rest_keeps_its_origin():
    answers = iter(["one", "", "three", "four"] + [""] * 9)
    method = make(writer(lambda prompt: next(answers)), describe="read", retries=0)
    method.fit(REAL)
    with pytest.warns(UserWarning, match=r"1 of 4 texts cannot be used \(1 empty\)"):
        pool = method.pool(4)
    assert pool["call"][:] == [0, 2, 3]
    assert pool["demonstration"][:] == [method.demonstrations[i] for i in (0, 2, 3)]


@pytest.mark.parametrize("n", [0, -3])
def test_a_count_below_one(fitted, n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        fitted.pool(n)
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        fitted.sample(n)


# --- weights and samples -------------------------------------------------------------------------


def test_a_sample_is_drawn_from_the_pool_by_its_weights(fitted):
    sample = fitted.sample(20, seed=5)
    assert tuple(sample.column_names) == COLUMNS and len(sample) == 20
    pool = fitted.pool(60, seed=5)
    weights = fitted.weigh(pool)
    copies = Counter(sample["call"])
    assert all(abs(copies[i] - 20 * w) < 1 + 1e-9 for i, w in enumerate(weights))
    for row in sample:
        assert row["text"] == pool[row["call"]]["text"]
        assert row["weight"] == pytest.approx(weights[row["call"]])
    assert fitted.sample(20, seed=5)["text"][:] == sample["text"][:]


def test_unaligned_samples_are_a_random_part_of_the_same_pool(fitted):
    sample = fitted.sample(20, seed=5, aligned=False)
    assert max(Counter(sample["call"]).values()) == 1
    assert set(sample["weight"]) == {1 / 60}
    assert fitted.report.mmd2 == pytest.approx(fitted.report.unweighted)


def test_each_class_gets_its_share_of_the_real_texts(fitted):
    pool = fitted.pool(60)
    weights = fitted.weigh(pool)
    real = Counter(fitted.real.labels_of(fitted.real.fit))
    for label, count in real.items():
        mass = weights[np.array(pool["label"]) == label].sum()
        assert mass == pytest.approx(count / len(fitted.real.fit))
    assert weights.sum() == pytest.approx(1) and (weights >= 0).all()


def test_a_class_of_which_little_was_written_is_not_pushed_to_zero(fitted):
    frame = fitted.pool(60).to_pandas()
    keep = (frame["label"] == "positive") | (frame.groupby("label").cumcount() < 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = fitted.weigh(frame[keep])
    mass = weights[(frame[keep]["label"] == "negative").to_numpy()].sum()
    share = np.mean([x == "negative" for x in fitted.real.labels_of(fitted.real.fit)])
    assert mass == pytest.approx(share)


def test_a_class_that_is_missing_is_named(fitted):
    frame = fitted.pool(60).to_pandas()
    with pytest.raises(ValueError, match=r"no synthetic text has the label\(s\) \['negative'\]"):
        fitted.weigh(frame[frame["label"] == "positive"])


def test_weights_bring_a_skewed_pool_nearer_to_texts_that_were_not_fitted():
    method = make(describe="read").fit(WORLD.rows(150, 1), held_out=WORLD.rows(300, 2))
    skewed = load_world("reviews", distribution="llm").rows(300, 3)
    weights = method.weigh(skewed)  # rows of the world: their class is the sentiment
    assert method.report.n == 300 and method.report.ratio < 0.6
    assert method.report.effective == pytest.approx(effective_size(weights))
    assert method.report.floor > 0


def test_rows_to_weigh_come_in_any_shape_and_need_their_class(fitted):
    pool = fitted.pool(30)
    wanted = fitted.weigh(pool)
    np.testing.assert_array_equal(fitted.weigh(pool.to_pandas()), wanted)
    np.testing.assert_array_equal(fitted.weigh(pool.to_list()), wanted)
    renamed = pool.to_pandas().rename(columns={"label": "sentiment"})
    np.testing.assert_array_equal(fitted.weigh(renamed), wanted)
    with pytest.raises(ValueError, match=r"column 'sentiment'.*found text"):
        fitted.weigh([{"text": "a"}, {"text": "b"}])


def test_one_bandwidth_for_every_pool_and_the_presets_if_it_names_one(fitted):
    from synthkit.synalign.exploration import median_distance

    assert fitted.bandwidth == median_distance(fitted.real_vectors[fitted.real.fit])
    assert make(bandwidth=0.7).fit(REAL).bandwidth == 0.7


def test_without_texts_held_out_there_is_no_report():
    method = make(held_out=0.0).fit(REAL)
    method.sample(5)
    assert method.report is None and len(method.real.held_out) == 0


@pytest.mark.parametrize("method", ["exact", "herding"])
def test_other_solvers(method):
    sampler = make(method=method).fit(REAL)
    assert len(sampler.sample(6)) == 6 and sampler.report.n == 18


# --- what is missing -----------------------------------------------------------------------------


def test_a_missing_mode_is_named_and_fed_back():
    rows = load_world("reviews", distribution="llm").rows(120, 0)
    formal = [row["style"] == "formal" for row in rows]
    others = [i for i in range(120) if not formal[i]][:20]
    method = make(describe="read").fit(rows, held_out=rows[:40], demonstrations=others)
    method.weigh(method.pool(120))
    named = method.missing(8)
    assert np.mean([formal[i] for i in named]) > np.mean(formal)
    assert not set(named) & set(others)
    before = method.report.mmd2
    method.fit_more(named)
    assert method.demonstrations == others + named and len(method.records) == 28
    assert method.counts["describe"]["texts"] == 28 and method.report is None
    method.weigh(method.pool(120))
    assert method.report.mmd2 < before


def test_missing_needs_weights_and_a_number_that_can_be(fitted):
    fresh = make().fit(REAL)
    with pytest.raises(ValueError, match="nothing has been weighed yet"):
        fresh.missing(1)
    fresh.sample(5)
    free = len(fresh.real.fit) - 10
    assert len(fresh.missing(free)) == free == len(set(fresh.missing(free)))
    assert fresh.missing(3) == fresh.missing(free)[:3]
    assert len(fresh.missing(free + 10, again=True)) == free + 10
    for k in (0, free + 1):
        with pytest.raises(ValueError, match=f"asked for {k} of {free}"):
            fresh.missing(k)


def test_more_demonstrations_are_never_among_the_judges(fitted):
    with pytest.raises(ValueError, match="is held out"):
        fitted.fit_more([int(fitted.real.held_out[0])])
    assert len(fitted.records) == 10


# --- a teacher that dies -------------------------------------------------------------------------


def mortal(at):
    """A teacher whose line is dead at call `at`, once; and the list of what it was asked."""
    asked, healthy = [], oracle(WORLD)

    def answer(prompt):
        asked.append(prompt)
        if len(asked) == at:
            raise ConnectionError("the line is dead")
        return healthy.fn(prompt)

    return writer(answer), asked


def test_a_teacher_that_dies_while_describing(tmp_path):
    teacher, asked = mortal(at=70)
    method = make(teacher, picks=80, held_out=0.0)
    rows = WORLD.rows(80, 4)
    with pytest.raises(TeacherError, match=r"69 answers are safe in describe-0\.jsonl"):
        method.fit(rows, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="not fitted yet"):
        method.pool(3)
    method.fit(rows, checkpoint=tmp_path)
    assert len(asked) == 70 + 11 and len(method.records) == 80


def test_a_teacher_that_dies_while_writing(tmp_path):
    teacher, asked = mortal(at=100)
    method = make(teacher, describe="read").fit(REAL)
    with pytest.raises(TeacherError, match="99 answers are safe"):
        method.sample(40, checkpoint=tmp_path)
    assert len(method.sample(40, checkpoint=tmp_path)) == 40
    assert len(asked) == 100 + (120 - 99)
    again = make(teacher, describe="read").fit(REAL)
    assert again.sample(40, checkpoint=tmp_path)["text"][:] == method.sample(40)["text"][:]
    assert len(asked) == 121, "nothing is asked any more"


# --- on file -------------------------------------------------------------------------------------


def test_a_saved_one_comes_back_equal(fitted, tmp_path):
    pool = fitted.pool(30)
    weights, report = fitted.weigh(pool), fitted.report
    assert fitted.save(tmp_path) == tmp_path
    again = SynAlign.load(tmp_path, teacher=oracle(WORLD))
    assert again.records == fitted.records and again.demonstrations == fitted.demonstrations
    assert again.preset == fitted.preset and again.bandwidth == fitted.bandwidth
    assert again.plan.picks.tolist() == fitted.plan.picks.tolist()
    assert again.plan.tie_share == fitted.plan.tie_share
    assert again.real.labels == fitted.real.labels and again.full_schema == fitted.full_schema
    np.testing.assert_array_equal(again.real_vectors, fitted.real_vectors)
    np.testing.assert_array_equal(again.weigh(pool), weights)
    assert again.report == report and again.counts["describe"] == fitted.counts["describe"]
    assert again.missing(3) == fitted.missing(3)


def test_texts_without_classes_come_back_without(tmp_path):
    make(describe="read").fit(REAL, label=None).save(tmp_path)
    again = SynAlign.load(tmp_path, teacher=oracle(WORLD))
    assert again.real.labels is None and len(again.sample(4)) == 4


def test_classes_that_are_numbers_come_back_as_numbers(tmp_path):
    rows = [{"text": row["text"], "label": len(row["intent"])} for row in PLAIN]
    make(writer(), describe="read", picks=4).fit(rows).save(tmp_path)
    again = SynAlign.load(tmp_path, teacher=writer())
    assert set(again.real.labels) == {3, 4} == set(again.plan.tie_share)
    assert {*again.pool(6)["label"]} == {3, 4}


def test_another_model_is_refused_with_both_names(lm, other, tmp_path):
    method = SynAlign(lm, describe="read", picks=4, embedder="lm").fit(REAL)
    method.save(tmp_path)
    with pytest.raises(ValueError, match=f"{lm.fingerprint}.*{other.fingerprint}"):
        SynAlign.load(tmp_path, other)
    again = SynAlign.load(tmp_path, lm)
    np.testing.assert_allclose(again.weigh(REAL), method.weigh(REAL), atol=1e-9)


def test_an_embedder_or_a_schema_of_your_own_has_to_be_given_again(tmp_path):
    def letters(texts):
        return [[text.count(c) + 1 for c in "aeiou"] for text in texts]

    own = Schema("review", REVIEWS.attributes[1:3], REVIEWS.describe, REVIEWS.write)
    method = make(embedder=letters, schema=own, describe="read").fit(REAL)
    method.save(tmp_path)
    kept = {"teacher": oracle(WORLD), "schema": own, "embedder": letters}
    again = SynAlign.load(tmp_path, **kept)
    assert again.records == method.records
    np.testing.assert_array_equal(again.weigh(REAL), method.weigh(REAL))
    for missing, message in (
        ("embedder", "'.*letters'.*give it yourself as embedder="),
        ("schema", r"schema 'review' of sentiment, tone: give it with schema="),
    ):
        with pytest.raises(ValueError, match=message):
            SynAlign.load(tmp_path, **{**kept, missing: None})
    with pytest.raises(ValueError, match="puts the first real text elsewhere"):
        SynAlign.load(tmp_path, **{**kept, "embedder": lambda t: [x[::-1] for x in letters(t)]})
    with pytest.raises(ValueError, match="the one given has"):
        SynAlign.load(tmp_path, **{**kept, "schema": SURFACE})


# --- a model as its own teacher ------------------------------------------------------------------


def test_the_model_describes_greedily_and_writes_at_the_temperature(lm):
    method = SynAlign(lm, temperature=0.8, max_new_tokens=5)
    assert isinstance(method.writer(), LMTeacher)
    assert method.writer(greedy=True).options == {"max_new_tokens": 5, "temperature": 0.0}
    assert method.writer().options == {"max_new_tokens": 5, "temperature": 0.8}
    teacher = oracle(WORLD)
    assert SynAlign(lm, teacher=teacher).writer() is teacher


def test_a_random_model_that_describes_nothing_falls_back_to_reading(lm):
    method = SynAlign(lm, picks=4, retries=0, max_new_tokens=6).fit(REAL[:20])
    counts = method.counts["describe"]
    assert counts["read"] == 4 and counts["calls"] == 4
    with pytest.raises(TeacherError, match=r"no text to any of 5 prompts: .'cut': 5"):
        with pytest.warns(UserWarning, match="cannot be used"):
            method.pool(5)


@pytest.mark.slow
def test_the_embedded_model_does_all_of_it(embedded_lm):
    method = SynAlign(embedded_lm, picks=8).fit(REAL)
    sample = method.sample(10)
    assert len(sample) == 10 and method.report.n == 30
    assert np.mean([row["follows"] for row in sample]) > 0.5
    assert SynAlign(embedded_lm, picks=8).fit(REAL).sample(10)["text"][:] == sample["text"][:]


# --- baselines -----------------------------------------------------------------------------------


def test_label_only_prompts_hold_the_class_and_nothing_else():
    asked = []
    rows = baselines.simprompt(writer(lambda prompt: asked.append(prompt) or "fine"), 7)
    assert asked[0] == "Write a review.\nsentiment: positive\nOutput:\n"
    assert tuple(rows.column_names) == COLUMNS and len(rows) == 7
    assert Counter(rows["label"]) == {"positive": 4, "negative": 3}
    assert rows["demonstration"][:] == [-1] * 7 and rows["call"][:] == list(range(7))
    assert set(map(len, map(json.loads, rows["record"]))) == {1}


def test_shares_of_the_classes():
    rows = baselines.simprompt(oracle(WORLD), 20, labels={"positive": 0.7, "negative": 0.3})
    assert Counter(rows["label"]) == {"positive": 14, "negative": 6}
    rows = baselines.simprompt(oracle(WORLD), 5, labels={"positive": 1, "negative": 0})
    assert set(rows["label"]) == {"positive"}


def test_attributes_are_drawn_independently_and_evenly():
    rows = baselines.attrprompt(writer(lambda prompt: "fine"), 1200, seed=1)
    records = pd.DataFrame(map(json.loads, rows["record"]))
    assert set(records.columns) == set(REVIEWS.names)
    for attribute in REVIEWS.attributes[2:]:
        shares = records[attribute.name].value_counts(normalize=True)
        assert len(shares) == len(attribute.values)
        assert np.abs(shares - 1 / len(attribute.values)).max() < 0.07
    both = records.groupby("sentiment")["tone"].value_counts(normalize=True)
    assert np.abs(both - 0.25).max() < 0.09
    again = baselines.attrprompt(writer(lambda prompt: "fine"), 1200, seed=1)
    assert again["record"][:] == rows["record"][:]
    other = baselines.attrprompt(writer(lambda prompt: "fine"), 1200, seed=2)
    assert other["record"][:] != rows["record"][:]


def test_classes_that_the_schema_does_not_have():
    asked = []
    teacher = writer(lambda prompt: asked.append(prompt) or "pay?")
    rows = baselines.attrprompt(teacher, 4, labels=[7, 9], schema=SURFACE, label="intent")
    assert rows["label"][:] == [7, 9, 7, 9] and all("intent: " in prompt for prompt in asked)
    assert json.loads(rows["record"][0]).keys() == {"intent", *SURFACE.names}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"labels": []}, "labels is empty"),
        ({"labels": {"positive": -1.0, "negative": 2.0}}, "shares must not be negative"),
        ({"labels": {"positive": 0.0}}, "nor all 0"),
        ({"label": "intent"}, "no attribute 'intent' with listed values"),
        ({"labels": ["mixed"]}, "holds the class 'mixed'"),
    ],
)
@pytest.mark.parametrize("baseline", [baselines.simprompt, baselines.attrprompt])
def test_baselines_refuse_what_cannot_be(baseline, changes, message):
    with pytest.raises(ValueError, match=message):
        baseline(oracle(WORLD), **{"n": 4, **changes})


def test_a_model_is_a_teacher_too(lm):
    rows = baselines.simprompt(lm, 3, seed=4)
    assert len(rows) == 3 and rows["text"][:] == baselines.simprompt(lm, 3, seed=4)["text"][:]
    assert rows["text"][:] != baselines.simprompt(lm, 3, seed=5)["text"][:]


def test_baselines_go_on_where_a_teacher_died(tmp_path):
    teacher, asked = mortal(at=70)
    file = tmp_path / "answers.jsonl"
    with pytest.raises(TeacherError, match="69 answers are safe"):
        baselines.simprompt(teacher, 80, checkpoint=file)
    assert len(baselines.simprompt(teacher, 80, checkpoint=file)) == 80
    assert len(asked) == 70 + 11


def test_random_demonstrations_are_synalign_with_another_choice():
    rows = baselines.random_demonstrations(
        REAL, 9, teacher=oracle(WORLD), picks=6, pool=2.0, seed=3, label="tone"
    )
    method = make(picks=6, pool=2.0, seed=3, select="random").fit(REAL, label="tone")
    assert rows["text"][:] == method.sample(9, aligned=False)["text"][:]
    assert set(rows["label"]) <= set(REVIEWS.attributes[2].values)


def test_written_rows_can_be_weighed_on_the_same_ground(fitted):
    rows = baselines.simprompt(oracle(load_world("reviews", distribution="llm")), 60)
    weights = fitted.weigh(rows)
    assert len(weights) == 60 and fitted.report.mmd2 < fitted.report.unweighted


def test_a_plan_is_in_row_numbers_of_all_texts():
    vectors = np.eye(6, 3, dtype=np.float32) + 0.1
    fit = np.array([1, 3, 5])
    real = RealTexts(list("abcdef"), None, None, fit, np.array([0, 2, 4]), vectors)
    plan = demonstrations(real, SynAlignPreset(picks=2), seed=0)
    assert set(plan.picks) <= set(fit) and len(plan.picks) == 2
