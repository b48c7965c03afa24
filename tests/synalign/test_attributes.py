"""SynAlign's records: the schema, the tolerant parser, describing, writing, and what is counted."""

import dataclasses
import json
import math
import re
import warnings
from collections import Counter

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_world
from synthkit.lm.documents import instruction, write_prompt
from synthkit.synalign.attributes import (
    Attribute,
    Schema,
    attribute_table,
    describe,
    follows,
    match,
    variety,
    write,
)
from synthkit.synalign.oracle import oracle, read_prompt
from synthkit.synalign.parsing import REASONS, json_objects, parse_record, plain
from synthkit.synalign.schemas import REVIEWS, SURFACE
from synthkit.synalign.session import TeacherSession
from synthkit.teacher import (
    FunctionTeacher,
    HTTPTeacher,
    LMTeacher,
    RecordedTeacher,
    Reply,
    TeacherError,
)
from synthkit.worlds.reviews_forms import VALUES

TWO = (Attribute("topic", ("food", "film")), Attribute("tone", ("annoyed", "very sad")))
FREE = Schema("note", (Attribute("mood"),), "Describe:\n{text}\nNow:\n", "Write:\n{record}\nNow:\n")
GOOD = {"topic": "food", "tone": "very sad"}


@pytest.fixture(scope="module")
def world():
    return load_world("reviews")


@pytest.fixture(scope="module")
def rows(world):
    return world.rows(40, seed=11)


@pytest.fixture(scope="module")
def texts(rows):
    return [row["text"] for row in rows]


@pytest.fixture(scope="module")
def records(world, rows):
    return [world.attributes(row) for row in rows]


class Scripted:
    """A teacher that gives its answers one after the other; the last one again at the end."""

    name = "scripted"

    def __init__(self, *answers):
        self.answers, self.calls = list(answers), []

    def complete(self, prompts, *, progress=False):
        self.calls.append(list(prompts))
        return [self.answers.pop(0) if len(self.answers) > 1 else self.answers[0] for _ in prompts]


class Dying:
    """Answers `left` prompts by a function, then fails."""

    name = "dying"

    def __init__(self, left, fn=lambda prompt: f"answer to {prompt}"):
        self.left, self.fn, self.asked = left, fn, 0

    def complete(self, prompts, *, progress=False):
        if len(prompts) > self.left:
            raise ConnectionError("the line is dead")
        self.left -= len(prompts)
        self.asked += len(prompts)
        return [self.fn(prompt) for prompt in prompts]


# --- attributes and values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"Sarcastic".', "sarcastic"),
        ("very_long", "very long"),
        ("First-Person", "first person"),
        (" * two   words *", "two words"),
        (True, "true"),
        (3, "3"),
        ("ÄRGER", "ärger"),
    ],
)
def test_plain_takes_away_form_only(value, expected):
    assert plain(value) == expected


def test_canonical_gives_the_spelling_of_the_schema():
    tone = Attribute("tone", ("Very sad", "annoyed"))
    assert tone.canonical(" VERY_sad. ") == "Very sad"
    assert tone.canonical("not annoyed") is None
    assert tone.canonical("") is None


def test_free_text_is_kept_as_it_is():
    mood = Attribute("mood")
    assert mood.canonical("  Quite good, I think. ") == "Quite good, I think."
    assert mood.canonical("  ") is None


@pytest.mark.parametrize("name", ["", " ", "a: b", "a=b", "a{", "a,b", "a\nb"])
def test_a_name_that_no_line_can_hold_is_refused(name):
    with pytest.raises(ValueError, match="needs a name"):
        Attribute(name)


@pytest.mark.parametrize("values", [(), ("a", "A"), ("very sad", "very_sad"), (".", "yes"), ("",)])
def test_values_must_differ_once_they_are_plain(values):
    with pytest.raises(ValueError, match="give different values"):
        Attribute("tone", values)


def test_attributes_and_schemas_are_frozen_and_keep_tuples():
    attribute = Attribute("tone", ["a", "b"])
    assert attribute.values == ("a", "b")
    schema = Schema("note", [attribute], "{text}", "{record}")
    assert schema.attributes == (attribute,)
    with pytest.raises(dataclasses.FrozenInstanceError):
        schema.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        attribute.values = ()


# --- the parser -----------------------------------------------------------------------------------


def test_json_objects_are_the_outermost_ones():
    nested = '{"a": {"b": 1}, "c": "}"}'
    text = "one " + nested + ' } two {"d": "{"} three {"e": 1'
    assert json_objects(text) == [nested, '{"d": "{"}', '{"e": 1']
    assert json_objects("no braces") == []


def test_json_objects_mind_escaped_quotes():
    piece = json.dumps({"a": 'he said "}" to me', "b": "\\"})
    assert json_objects(f"x {piece} y") == [piece]


@given(
    st.recursive(
        st.integers() | st.text(),
        lambda inner: st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_json_objects_find_any_json_again(value):
    piece = json.dumps({"key": value})
    assert json_objects(f"Sure: {piece}. Done.") == [piece]


READABLE = {
    "json": json.dumps(GOOD),
    "prose": f"Of course! {json.dumps(GOOD)} I hope this helps: tell me.",
    "two objects": '{"note": "x"} and ' + json.dumps(GOOD),
    "the first is half": '{"topic": "film"} no, rather ' + json.dumps(GOOD),
    "fence": f"```json\n{json.dumps(GOOD, indent=2)}\n```",
    "thoughts": f'<think>tone: annoyed? {{"tone": 1}}</think>{json.dumps(GOOD)}',
    "trailing comma": '{"topic": "food", "tone": "very sad",}',
    "case": '{"TOPIC": "Food", "Tone": "VERY SAD"}',
    "underscores": '{"topic": "food", "tone": "very_sad"}',
    "single quotes": "{'topic': 'food', 'tone': 'very sad'}",
    "no quotes": "{topic: food, tone: very sad}",
    "a missing quote": '{"topic": "food", "tone": very sad"}',
    "cut short": '{"topic": "food", "tone": "very sad',
    "an extra key, no quotes": "{topic: food, the label: 2, tone: very sad}",
    "no comma": '{"topic": "food"\n "tone": "very sad"}',
    "lines": "topic: food\ntone: very sad",
    "windows lines": "topic: food\r\ntone: very sad\r\n",
    "equals signs": "topic = food\ntone = very sad",
    "bullets": "Here:\n- **Topic:** food\n- **Tone**: very sad.",
    "numbered": "1. Topic: food\n2. Tone: very sad",
    "quoted": '> "topic": "food"\n> "tone": "very sad"',
    "one line": "topic: food, tone: very sad",
    "a table": "| topic: food | tone: very sad |",
    "an extra key": json.dumps({"label": "positive", **GOOD, "text": "long", "score": 3}),
    "the same twice": "topic: food\ntone: very sad\ntone: Very Sad",
    "another order": "tone: very sad\ntopic: food",
    "goes on": "topic: food\ntone: very sad\n\nWrite a review.\nThe end",
}


@pytest.mark.parametrize("name", READABLE)
def test_forms_that_are_read(name):
    reading = parse_record(READABLE[name], TWO)
    assert (reading.record, reading.reason) == (GOOD, None)
    assert list(reading.record) == ["topic", "tone"]


REFUSED = {
    "nothing": ("", "empty"),
    "blanks": (" \n\t ", "empty"),
    "only thoughts": ("<think>topic: food</think>", "empty"),
    "a refusal": ("I cannot help with that.", "refused"),
    "cut off": (Reply('{"topic": "food", "to', "length"), "cut"),
    "no answer": (Reply("", "error"), "failed"),
    "other keys": ('{"mood": "sad"}', "no record"),
    "names in a sentence": ("The topic and the tone are hard to tell.", "no record"),
    "nested": ('{"topic": "food", "manner": {"tone": "annoyed"}}', "nested"),
    "all nested": ('{"review": {"topic": "food", "tone": "annoyed"}}', "nested"),
    "a nested value": ('{"topic": {"main": "food"}, "tone": "annoyed"}', "nested"),
    "a list": ('{"topic": "food", "tone": ["annoyed"]}', "nested"),
    "a broken nested one": ('{topic: food, tone: {"kind": "annoyed"}', "nested"),
    "not valid": ('{"topic": "food", "tone": "ironic"}', "invalid"),
    "denied": ("topic: food\ntone: not annoyed", "invalid"),
    "two in one": ("topic: food\ntone: annoyed or very sad", "invalid"),
    "a number": ('{"topic": "food", "tone": 3}', "invalid"),
    "two values": ("topic: food\ntone: annoyed\ntone: very sad", "two values"),
    "two in json": ('{"topic": "food", "topic": "film", "tone": "annoyed"}', "two values"),
    "half": ('{"topic": "food"}', "missing"),
    "null": ('{"topic": "food", "tone": null}', "missing"),
    "blank": ('{"topic": "food", "tone": " "}', "missing"),
    "n/a": ("topic: food\ntone: n/a", "missing"),
    "cut early": ('{"topic": "food", "to', "missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_forms_that_are_refused_with_a_reason(name):
    answer, reason = REFUSED[name]
    reading = parse_record(answer, TWO)
    assert (reading.record, reading.reason) == (None, reason)
    assert reason in REASONS and reading.detail


def test_every_reason_is_reached():
    assert {reason for _, reason in REFUSED.values()} == set(REASONS)


def test_details_name_what_was_found():
    assert "'ironic'" in parse_record("topic: food\ntone: ironic", TWO).detail
    assert "annoyed, very sad" in parse_record("topic: food\ntone: ironic", TWO).detail
    assert parse_record("topic: food", TWO).detail == "no tone"
    assert "manner" in parse_record('{"topic": "food", "manner": {"tone": "x"}}', TWO).detail


def test_the_published_match_breaks_where_ours_tells_the_reason():
    nested = '{"topic": "food", "manner": {"tone": "annoyed"}, "x": 1}'
    with pytest.raises(json.JSONDecodeError):
        json.loads(re.search(r"\{.*?\}", nested, re.S)[0])
    assert parse_record(nested, TWO).reason == "nested"


def test_a_valid_value_may_look_blank():
    attributes = (Attribute("cons", ("none", "some")),)
    assert parse_record("cons: none", attributes).record == {"cons": "none"}
    assert parse_record('{"cons": null}', (Attribute("cons"),)).reason == "missing"


def test_free_text_may_hold_commas_and_colons():
    attributes = (Attribute("product info"), Attribute("usage"))
    answer = "Product info: a phone, black: 6 inch\nUsage: daily, at work"
    expected = {"product info": "a phone, black: 6 inch", "usage": "daily, at work"}
    assert parse_record(answer, attributes).record == expected
    as_json = '{"product_info": "a phone, black: 6 inch", "usage": "daily, at work"}'
    assert parse_record(as_json, attributes).record == expected
    assert parse_record(as_json.replace('{"', "{'"), attributes).record == expected


def test_a_longer_name_is_not_taken_for_a_shorter_one():
    attributes = (Attribute("length"), Attribute("sentence length"))
    found = parse_record("sentence length: 4\nlength: 9", attributes).record
    assert found == {"length": "9", "sentence length": "4"}


def test_an_answer_must_be_text():
    with pytest.raises(TypeError, match="must be a str, got dict"):
        parse_record({"topic": "food"}, TWO)


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(answer):
    reading = parse_record(answer, TWO)
    assert (reading.record is None) == (reading.reason in REASONS)


def test_deep_nesting_and_long_answers_do_no_harm():
    assert parse_record('{"a":' * 5000, TWO).record is None
    assert parse_record("[" * 20_000 + json.dumps(GOOD), TWO).record == GOOD
    assert parse_record("topic: " * 3000, TWO).record is None


@given(st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in REVIEWS.names}))
@settings(max_examples=60, deadline=None)
def test_a_record_survives_its_own_prompt_and_json(record):
    assert REVIEWS.parse(REVIEWS.write_prompt(record)).record == record
    assert REVIEWS.parse(json.dumps(record)).record == record
    assert read_prompt(REVIEWS, REVIEWS.write_prompt(record)) == ("write", record)


# --- schemas --------------------------------------------------------------------------------------


def test_a_schema_needs_names_and_slots():
    with pytest.raises(ValueError, match="different names"):
        Schema("note", (Attribute("a"), Attribute("A")), "{text}", "{record}")
    with pytest.raises(ValueError, match="different names"):
        Schema("note", (), "{text}", "{record}")
    templates = (("no slot", "{record}"), ("{text}", "none"), ("{text}{text}", "{record}"))
    for describe_, write_ in templates:
        with pytest.raises(ValueError, match="once"):
            Schema("note", (Attribute("a"),), describe_, write_)


def test_reviews_asks_in_the_words_that_the_model_was_trained_on(rows, texts, records):
    for text, record in zip(texts[:5], records):
        expected = instruction("Describe the review.", given=text)
        assert REVIEWS.describe_prompt(text) == expected
        assert REVIEWS.write_prompt(record) == write_prompt("reviews", **record)
    assert REVIEWS.write_prompt({"tone": "annoyed"}) == write_prompt("reviews", tone="annoyed")
    assert REVIEWS.write_prompt({}) == write_prompt("reviews")


def test_reviews_covers_the_world(world):
    assert set(REVIEWS.names) == set(world.factors)
    assert REVIEWS.observable == REVIEWS.names and SURFACE.observable == SURFACE.names
    assert FREE.observable == ()


def test_reviews_reads_what_the_world_wrote(texts, records):
    assert [REVIEWS.read(text) for text in texts] == records
    assert REVIEWS.read(f"  {texts[0]}\n") == records[0]


@pytest.mark.parametrize("text", ["", " ", "Not a review at all.", "Oh great.", "\n\n", "!"])
def test_reviews_reads_nothing_from_other_texts(text):
    assert REVIEWS.read(text) == {}


def test_the_order_of_a_record_does_not_matter(records):
    turned = dict(reversed(records[0].items()))
    assert REVIEWS.write_prompt(turned) == REVIEWS.write_prompt(records[0])


def test_a_record_in_a_prompt_is_put_into_valid_spelling():
    assert REVIEWS.checked({"tone": "ANNOYED."}) == {"tone": "annoyed"}


@pytest.mark.parametrize(
    ("record", "error", "words"),
    [
        ({"tone": "ironic"}, ValueError, "'ironic'.*enthusiastic"),
        ({"mood": "sad"}, ValueError, "no attribute 'mood'; it has topic"),
        ("tone: annoyed", TypeError, "got str"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_records_that_no_prompt_takes(record, error, words):
    with pytest.raises(error, match=words):
        REVIEWS.write_prompt(record)


def test_a_text_may_hold_slots_and_braces():
    for text in ("{text} {record} {attributes}", "{", "{0} %s"):
        for schema in (REVIEWS, SURFACE, FREE):
            prompt = schema.describe_prompt(text)
            assert read_prompt(schema, prompt) == ("describe", text)
    assert FREE.write_prompt({"mood": "{text}"}) == "Write:\nmood: {text}\nNow:\n"


def test_the_list_of_attributes_is_filled_in():
    prompt = SURFACE.describe_prompt("Hello.")
    assert "- question: one of yes, no\n" in prompt
    assert "{attributes}" not in prompt and "Hello." in prompt
    free = Schema("note", (Attribute("mood"),), "{attributes}\n{text}", "{record}")
    assert free.describe_prompt("x") == "- mood: free text\nx"


def test_a_text_to_describe_must_be_text():
    with pytest.raises(TypeError, match="got int"):
        REVIEWS.describe_prompt(3)


def test_a_reader_that_leaves_its_own_values_is_an_error():
    schema = Schema("n", (Attribute("a", ("x",), lambda text: "y"),), "{text}", "{record}")
    with pytest.raises(ValueError, match="reader of a gives 'y'"):
        schema.read("text")


def test_prompts_of_other_schemas_are_not_taken_apart():
    with pytest.raises(ValueError, match="not a prompt about a review"):
        read_prompt(REVIEWS, "Tell me a joke.")


# --- what any text shows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("one two three four five six seven", "length", "up to 7 words"),
        ("one two three four five six seven eight", "length", "8 to 14 words"),
        ("w " * 14, "length", "8 to 14 words"),
        ("w " * 15, "length", "15 to 29 words"),
        ("w " * 30, "length", "30 words or more"),
        ("... !!! ,,,", "length", "up to 7 words"),
        ("No end", "sentences", "one"),
        ("It costs 3.50 now.", "sentences", "one"),
        ("One. Two!", "sentences", "two or three"),
        ("One. Two! Three?", "sentences", "two or three"),
        ("A. B. C. D.", "sentences", "four or more"),
        ("what is my balance", "question", "yes"),
        ("you know what", "question", "no"),
        ("Really?", "question", "yes"),
        ("Wow!", "exclamation", "yes"),
        ("Wow.", "exclamation", "no"),
        ("room 4b", "numbers", "yes"),
        ("room four", "numbers", "no"),
        ("They told us.", "first person", "yes"),
        ("I'm here", "first person", "yes"),
        ("The index", "first person", "no"),
        ("It doesn't work", "negation", "yes"),
        ("Nothing works", "negation", "yes"),
        ("A notable knot", "negation", "no"),
    ],
)
def test_surface_sees(text, attribute, value):
    assert SURFACE.read(text)[attribute] == value


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_surface_sees_every_attribute_in_any_text(text):
    shown = SURFACE.read(text)
    assert tuple(shown) == SURFACE.names
    assert SURFACE.parse(json.dumps(shown)).record == shown
    assert SURFACE.parse(SURFACE.write_prompt(shown)).record == shown


def test_a_table_has_a_row_a_text(texts, records):
    table = attribute_table([*texts[:3], "no review"], REVIEWS)
    assert table.iloc[:3].to_dict("records") == records[:3]
    assert table.iloc[3].isna().all() and list(table.columns) == list(REVIEWS.names)


def test_a_table_takes_datasets_and_leaves_out_what_cannot_be_seen(world):
    seen = Attribute("q", ("yes", "no"), lambda text: "yes")
    half = Schema("n", (Attribute("mood"), seen), "{text}", "{record}")
    assert list(attribute_table(world.sample(3), half).columns) == ["q"]
    with pytest.raises(ValueError, match="no attribute of note can be seen"):
        attribute_table(["a"], FREE)


# --- describing -----------------------------------------------------------------------------------


def test_the_oracle_describes_without_a_mistake(world, texts, records):
    found = describe(oracle(world), texts, REVIEWS)
    assert list(found.records) == records
    assert found.counts == {"texts": 40, "answer": 40, "read": 0, "none": 0, "calls": 40}
    assert found.complete == list(range(40)) and len(found) == 40


def test_failures_are_asked_again_and_counted(texts):
    good = json.dumps(REVIEWS.read(texts[0]))
    teacher = Scripted("no idea", '{"tone": {"x": 1}}', good)
    found = describe(teacher, texts[:1], REVIEWS, retries=4)
    assert found.tries == (3,) and found.origin == ("answer",) and found.details == ("",)
    assert found.reasons == {"no record": 1, "nested": 1}
    assert found.counts["calls"] == 3 and len(teacher.calls) == 3


def test_only_failures_are_asked_again(texts):
    good = [json.dumps(REVIEWS.read(text)) for text in texts[:3]]
    teacher = Scripted(good[0], "", good[2], good[1])
    found = describe(teacher, texts[:3], REVIEWS)
    assert teacher.calls[1] == [REVIEWS.describe_prompt(texts[1])]
    assert found.tries == (1, 2, 1) and found.reasons == {"empty": 1}
    assert list(found.records) == [REVIEWS.read(text) for text in texts[:3]]


def test_what_can_be_seen_is_read_where_answers_fail(texts, records):
    found = describe(Scripted("hm"), [texts[0], "no review"], REVIEWS, retries=1)
    assert found.records == (records[0], None)
    assert found.origin == ("read", "none") and found.tries == (2, 2)
    assert found.reasons == {"no record": 4} and found.complete == [0]
    assert all("hm" in detail for detail in found.details)


def test_what_cannot_be_seen_stays_none():
    found = describe(Scripted("hm"), ["a", "b"], FREE, retries=0)
    assert found.records == (None, None) and found.origin == ("none", "none")
    assert found.counts == {
        "texts": 2, "answer": 0, "read": 0, "none": 2, "calls": 2, "no record": 2,
    }  # fmt: skip


def test_without_a_teacher_attributes_are_read(texts, records):
    found = describe(None, texts, REVIEWS)
    assert list(found.records) == records and set(found.origin) == {"read"}
    assert found.counts["calls"] == 0 and found.reasons == {}
    with pytest.raises(ValueError, match="a teacher is needed: mood"):
        describe(None, texts, FREE)


def test_bad_input_to_describe(world):
    with pytest.raises(ValueError, match="retries"):
        describe(oracle(world), ["a"], REVIEWS, retries=-1)
    with pytest.raises(ValueError, match="empty"):
        describe(oracle(world), [], REVIEWS)
    with pytest.raises(TypeError, match="row 1"):
        describe(oracle(world), ["a", None], REVIEWS)


def test_the_oracle_fails_as_often_as_it_is_told(world, texts):
    some = describe(oracle(world, error_rate=0.5, seed=3), texts * 5, REVIEWS, retries=0)
    share = some.origin.count("answer") / 200
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 200)
    assert set(some.reasons) <= set(REASONS) and len(some.reasons) > 2
    assert describe(oracle(world, error_rate=1.0), texts, REVIEWS).origin.count("answer") == 0
    with pytest.raises(ValueError, match="error_rate"):
        oracle(world, error_rate=1.5)


def test_the_oracle_knows_reviews_only(world):
    found = describe(oracle(world), ["Not a review."], REVIEWS)
    assert found.records == (None,) and found.origin == ("none",) and found.tries == (3,)
    with pytest.raises(TeacherError, match="not a prompt about a review"):
        describe(oracle(world), ["Not a review."], SURFACE)


def test_answers_on_file_belong_to_the_weights_of_the_model(tmp_path):
    first, second = Listening(), Listening()
    first.fingerprint, second.fingerprint = "a", "b"
    for lm in (first, second, first):
        write(LMTeacher(lm), [{"mood": "a"}], FREE, checkpoint=tmp_path / "a.jsonl")
    assert len(first.heard) == len(second.heard) == 1


# --- writing --------------------------------------------------------------------------------------


def test_the_oracle_writes_what_records_ask_for(world, records):
    found = write(oracle(world), records, REVIEWS, per_record=2)
    assert len(found) == 80
    assert [row["source"] for row in found] == sorted(list(range(40)) * 2)
    assert all(row["follows"] == 1.0 and row["tries"] == 1 for row in found)
    assert all(row["record"] == records[row["source"]] for row in found)
    assert all(REVIEWS.read(row["text"]) == row["record"] for row in found)


def test_labels_come_from_the_demonstrations(world, records):
    labels = [f"label {i}" for i in range(40)]
    found = write(oracle(world), records, REVIEWS, labels=labels, per_record=2)
    assert all(row["label"] == f"label {row['source']}" for row in found)
    assert "label" not in write(oracle(world), records, REVIEWS)[0]


def test_a_missing_record_is_left_out_and_sources_stay_right(world, records):
    given_ = [None, records[1], None, records[3]]
    found = write(oracle(world), given_, REVIEWS, per_record=2, labels=list("abcd"))
    assert [row["source"] for row in found] == [1, 1, 3, 3]
    assert [row["label"] for row in found] == list("bbdd")


def test_the_habit_of_the_oracle_fills_what_is_left_open(world):
    asks = [{"tone": "annoyed", "topic": "film"}] * 60
    shown = [REVIEWS.read(row["text"]) for row in write(oracle(world), asks, REVIEWS)]
    assert {(each["tone"], each["topic"], each["sentiment"]) for each in shown} == {
        ("annoyed", "film", "negative")
    }
    assert len({each["style"] for each in shown}) > 1
    free = [REVIEWS.read(row["text"]) for row in write(oracle(world), [{}] * 60, REVIEWS)]
    assert len({each["topic"] for each in free}) > 2


def test_annoyed_praise_is_answered_as_nearly_as_can_be(world, records):
    odd = records[0] | {"sentiment": "positive", "tone": "annoyed"}
    row = write(oracle(world), [odd], REVIEWS)[0]
    assert row["follows"] == 0.8 and row["record"] == odd


def test_texts_that_show_too_little_are_asked_for_again(texts, records):
    wanted = {"topic": records[0]["topic"], "sentiment": records[0]["sentiment"]}
    good, rows = texts[0], None
    for answers, text, tries, share in [
        (("bad", "bad", good), good, 3, 1.0),
        (("bad", "worse", "worst"), "bad", 4, 0.0),
        ((good,), good, 1, 1.0),
    ]:
        teacher = Scripted(*answers)
        rows = write(teacher, [wanted], REVIEWS, retries=3, least=1.0)
        assert [(r["text"], r["tries"], r["follows"]) for r in rows] == [(text, tries, share)]


def test_the_best_try_is_kept(world, records, texts):
    half = next(
        text for text in texts
        if follows(records[0], text, REVIEWS) not in (0.0, 1.0)
    )  # fmt: skip
    share = follows(records[0], half, REVIEWS)
    rows = write(Scripted("bad", half, "worse"), [records[0]], REVIEWS, retries=2, least=1.0)
    assert (rows[0]["text"], rows[0]["follows"], rows[0]["tries"]) == (half, share, 3)


def test_first_tries_are_kept_when_nothing_is_asked_of_them(records):
    rows = write(Scripted("bad"), records[:2], REVIEWS, retries=5)
    assert [(row["text"], row["tries"], row["follows"]) for row in rows] == [("bad", 1, 0.0)] * 2


def test_empty_texts_are_asked_for_again_then_left_out(records):
    rows = write(Scripted("", "one", "two"), records[:2], REVIEWS, retries=1)
    assert [(row["text"], row["tries"]) for row in rows] == [("two", 2), ("one", 1)]
    rows = write(Scripted("", "one", " ", ""), records[:2], REVIEWS, retries=1)
    assert [(row["text"], row.get("problem")) for row in rows] == [("", "empty"), ("one", None)]


def test_replies_are_cleaned_and_what_is_cut_or_refused_is_asked_for_again(records, texts):
    said = [
        "<think>Terse.</think>\nBattery died.", "```\nBattery died.\n```",
        "Sure, here is a review:\n\nBattery died.", "Terse.</think>Battery died.",
    ]  # fmt: skip
    assert [row["text"] for row in write(Scripted(*said), [{"mood": "a"}] * 4, FREE)] == [
        "Battery died."
    ] * 4
    bad = [Reply("Battery di", "length"), "I'm sorry, but I can't help with that."]
    rows = write(Scripted(*bad, "one", "two"), [{"mood": "a"}] * 2, FREE)
    assert [(row["text"], row["tries"]) for row in rows] == [("one", 2), ("two", 2)]
    whole = json.dumps(REVIEWS.read(texts[0]))
    found = describe(Scripted(Reply(whole + " and then", "length")), texts[:1], REVIEWS)
    assert found.origin == ("answer",)
    found = describe(Scripted(Reply(whole[:-9], "length")), texts[:1], REVIEWS, retries=0)
    assert found.reasons == {"cut": 1}


def test_what_cannot_be_seen_is_not_counted():
    rows = write(Scripted("anything"), [{"mood": "sad"}], FREE, least=1.0)
    assert rows == [
        {"text": "anything", "record": {"mood": "sad"}, "follows": None, "tries": 1, "source": 0}
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"records": [None]}, "none of the 1 records"),
        ({"records": []}, "none of the 0 records"),
        ({"labels": ["a", "b"]}, "1 records have 2 labels"),
        ({"per_record": 0}, "per_record"),
        ({"retries": -1}, "retries"),
        ({"least": 1.5}, "least"),
        ({"records": [{"mood": "x"}]}, "no attribute 'mood'"),
    ],
)
def test_bad_input_to_write(options, words):
    options = {"records": [{"tone": "annoyed"}], **options}
    with pytest.raises(ValueError, match=words):
        write(Scripted("x"), schema=REVIEWS, **options)


# --- calls: kept, resumed, not repeated -----------------------------------------------------------


def test_a_dying_teacher_loses_nothing(tmp_path, world, records):
    cells, file = world.support()[:10], tmp_path / "answers.jsonl"
    inner = oracle(world).fn
    with pytest.raises(TeacherError, match=r"dying stopped.*8 answers are safe in answers\.jsonl"):
        write(Dying(9, inner), cells, REVIEWS, checkpoint=file)
    second = Dying(2, inner)
    rows = write(second, cells, REVIEWS, checkpoint=file)
    assert second.asked == 2
    assert rows == write(Dying(10, oracle(world).fn), cells, REVIEWS)
    assert write(Dying(0), cells, REVIEWS, checkpoint=file) == rows  # nothing is asked any more


def test_describe_resumes_in_the_middle_of_its_retries(tmp_path, texts):
    file = tmp_path / "answers.jsonl"
    good = {REVIEWS.describe_prompt(text): json.dumps(REVIEWS.read(text)) for text in texts}
    times = Counter()

    def second_time(prompt):
        times[prompt] += 1
        return good[prompt] if times[prompt] > 1 else "hm"

    with pytest.raises(TeacherError):
        describe(Dying(8, second_time), texts[:6], REVIEWS, checkpoint=file)
    found = describe(Dying(99, second_time), texts[:6], REVIEWS, checkpoint=file)
    assert found.tries == (2,) * 6 and found.reasons == {"no record": 6}


def test_without_a_file_the_message_says_so(records):
    with pytest.raises(TeacherError, match="0 answers are lost; name a checkpoint="):
        write(Dying(0), records, REVIEWS)


def test_an_interruption_is_not_dressed_up(records):
    def stop(prompt):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(FunctionTeacher(stop, "f"), records, REVIEWS)


def test_a_torn_file_is_mended(tmp_path):
    file = tmp_path / "a.jsonl"
    asks = [{"mood": str(i)} for i in range(6)]
    rows = write(Dying(6), asks, FREE, checkpoint=file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    again = Dying(2)
    assert write(again, asks, FREE, checkpoint=file) == rows
    assert again.asked == 1 and file.read_bytes() == whole


def test_more_retries_go_on_from_the_same_file(tmp_path, texts):
    file = tmp_path / "a.jsonl"
    describe(Scripted("hm"), texts[:1], REVIEWS, retries=0, checkpoint=file)
    good = json.dumps(REVIEWS.read(texts[0]))
    found = describe(Scripted(good), texts[:1], REVIEWS, retries=1, checkpoint=file)
    assert found.origin == ("answer",) and found.tries == (2,)


@pytest.mark.parametrize("answers", [["a"], ["a", 3], "ab"])
def test_a_teacher_that_breaks_its_promise(answers):
    class Wrong:
        def complete(self, prompts):
            return answers

    with pytest.raises(TeacherError, match="Wrong stopped"):
        write(Wrong(), [{"mood": "a"}, {"mood": "b"}], FREE)


def http_teacher(tmp_path, temperature=0.7):
    """A server that numbers its answers, with a cache."""
    served = []

    def answer(request):
        served.append(json.loads(request.content)["messages"][0]["content"])
        reply = {"choices": [{"message": {"content": f"answer {len(served)}"}}]}
        return httpx.Response(200, json=reply)

    teacher = HTTPTeacher(
        "m", transport=httpx.MockTransport(answer), cache=tmp_path / "cache.jsonl",
        concurrency=1, temperature=temperature,
    )  # fmt: skip
    return teacher, served


def test_a_caching_teacher_is_asked_for_another_copy(tmp_path):
    teacher, served = http_teacher(tmp_path)
    rows = write(teacher, [{"mood": "a"}], FREE, per_record=10)
    assert len({row["text"] for row in rows}) == 10 and len(served) == 10
    session = TeacherSession(teacher, ["hello"])
    found = [session.ask([0], turn)[0] for turn in range(3)]
    assert len(set(found)) == 3 and served.count("hello") == 3


def test_a_caching_teacher_is_not_paid_twice(tmp_path):
    teacher, served = http_teacher(tmp_path)
    first = write(teacher, [{"mood": "a"}], FREE, per_record=3)
    assert write(teacher, [{"mood": "a"}], FREE, per_record=3) == first and len(served) == 3


def test_a_recording_gives_its_answers_in_order(tmp_path):
    prompts = ["p"] * 6
    recorded = RecordedTeacher.record(Scripted(*"abcdef"), prompts, tmp_path / "r.jsonl")
    session = TeacherSession(recorded, prompts)
    assert session.ask(list(range(6)), 0) == list("abcdef")


class Listening:
    """A stand-in for an LM that notes the options it is called with."""

    name = "listening"

    def __init__(self):
        self.heard = []

    def generate(self, prompts, progress=False, **options):
        self.heard.append(options)
        return ["hm"] * len(prompts)


def test_a_local_model_draws_anew_each_time(texts):
    heard = []
    for seed in (4, 4, 5):
        lm = Listening()
        describe(LMTeacher(lm, max_new_tokens=9), texts[:6], REVIEWS, retries=2, seed=seed)
        assert [options["temperature"] for options in lm.heard] == [0.0, 0.7, 0.7]
        assert {options["max_new_tokens"] for options in lm.heard} == {9}
        heard.append(lm.heard)
    assert heard[0] == heard[1] and heard[0][0]["seed"] != heard[2][0]["seed"]
    drawn = [row_id for options in heard[0][1:] for row_id in options["row_ids"]]
    assert len(set(drawn)) == 12


def test_a_local_model_writes_at_its_own_temperature_or_at_one():
    for options, expected in (({}, 1.0), ({"temperature": 0.3}, 0.3)):
        lm = Listening()
        write(LMTeacher(lm, **options), [{"mood": "a"}], FREE)
        assert lm.heard[0]["temperature"] == expected


# --- what is measured -----------------------------------------------------------------------------


def test_follows_counts_what_the_text_shows(texts, records):
    assert follows(records[0], texts[0], REVIEWS) == 1.0
    assert follows(records[0], "no review", REVIEWS) == 0.0
    assert follows({"mood": "sad"}, "text", FREE) is None
    other = next(value for value in VALUES["topic"] if value != records[0]["topic"])
    assert follows(records[0] | {"topic": other}, texts[0], REVIEWS) == 0.8
    assert follows({"topic": other}, texts[0], REVIEWS) == 0.0
    assert follows({}, texts[0], REVIEWS) is None


def test_match_by_hand(texts, records):
    other = {**records[0], "tone": next(v for v in VALUES["tone"] if v != records[0]["tone"])}
    rows = [
        {"text": texts[0], "record": records[0]},
        {"text": texts[0], "record": other},
        {"text": "no review", "record": {"tone": "neutral"}},
        {"text": texts[0], "record": {"topic": records[0]["topic"]}},
    ]
    found = match(rows, REVIEWS)
    assert list(found) == [*REVIEWS.names, "all"]
    assert found["tone"].mean == pytest.approx(1 / 3) and found["tone"].n == 3
    assert found["topic"].mean == 1.0 and found["topic"].n == 3
    assert found["style"].n == 2
    assert found["all"].mean == 0.5 and found["all"].n == 4


def test_match_needs_something_to_see():
    for rows in ([], [{"text": "a", "record": {}}]):
        with pytest.raises(ValueError, match="no row has an attribute"):
            match(rows, REVIEWS)
    with pytest.raises(ValueError, match="of a note"):
        match([{"text": "a", "record": {"mood": "x"}}], FREE)


def test_variety_by_hand(texts, records):
    cells = {tuple(sorted(record.items())): text for record, text in zip(records, texts)}
    a, b = list(cells.values())[:2]
    found = variety([a, a, a, b, "no review"], REVIEWS)
    assert found["combinations"] == 2.0 and found["repeated texts"] == 0.4
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert found["effective"] == pytest.approx(math.exp(entropy))
    even = variety([a, b], REVIEWS)
    assert even["effective"] == pytest.approx(2.0)
    none = variety(["no review", "none either"], REVIEWS)
    assert none["combinations"] == none["effective"] == 0.0
    assert all(isinstance(value, float) for value in found.values())


def test_records_pull_a_teacher_with_habits_to_the_real_law(world, rows, texts):
    """The reason for the second call, with oracles: exact, and no model plays a part."""
    from synthkit.synalign.alignment import total_variation

    biased = oracle(load_world("reviews", distribution="llm"))
    label_only = [{"sentiment": row["sentiment"]} for row in rows]
    arms = {"one": label_only, "two": describe(biased, texts, REVIEWS).records}
    law = attribute_table([row["text"] for row in world.rows(1000, seed=5)], REVIEWS)
    apart = {}
    for name, given_ in arms.items():
        shown = attribute_table([r["text"] for r in write(biased, given_, REVIEWS)], REVIEWS)
        apart[name] = np.mean([total_variation(shown[c].tolist(), law[c].tolist()) for c in shown])
    assert apart["two"] < apart["one"] / 2


# --- the embedded model ---------------------------------------------------------------------------


def test_the_embedded_model_describes_and_writes(embedded_lm, texts, records):
    teacher = LMTeacher(embedded_lm, max_new_tokens=100)
    found = describe(teacher, texts[:16], REVIEWS)
    right = [record == truth for record, truth in zip(found.records, records)]
    assert found.origin.count("answer") >= 14 and sum(right) >= 10
    rows = write(teacher, records[:16], REVIEWS, seed=1)
    assert match(rows, REVIEWS)["topic"].mean > 0.5
    assert rows == write(teacher, records[:16], REVIEWS, seed=1)
    other = write(teacher, records[:16], REVIEWS, seed=2)
    assert [row["text"] for row in rows] != [row["text"] for row in other]


def test_equal_records_get_different_texts(embedded_lm, records):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = write(LMTeacher(embedded_lm), records[:1], REVIEWS, per_record=6)
    assert len({row["text"] for row in rows}) > 1


def test_nothing_heavy_is_imported(repo):
    import subprocess
    import sys

    code = "import sys, synthkit.synalign.attributes; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
