"""SynAlign's records: the schema, the tolerant parser, describing, writing, and what is counted."""

import json
import math
from collections import Counter

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit import load_world
from synthkit.lm.documents import instruction, write_prompt
from synthkit.studies.synalign.oracle import oracle, read_prompt
from synthkit.synalign.attributes import (
    Attribute,
    Schema,
    describe,
    follows,
    match,
    write,
)
from synthkit.synalign.parsing import REASONS, json_objects, parse_record, plain
from synthkit.synalign.schemas import REVIEWS, SURFACE
from synthkit.synalign.turns import ask_in_turns
from synthkit.teacher import (
    HTTPTeacher,
    LMTeacher,
    Reply,
    TeacherError,
)
from synthkit.worlds.reviews_forms import VALUES

TWO = (Attribute("topic", ("food", "film")), Attribute("tone", ("annoyed", "very sad")))
FREE = Schema("note", (Attribute("mood"),), "Describe:\n{text}\nNow:\n", "Write:\n{record}\nNow:\n")
GOOD = {"topic": "food", "tone": "very sad"}
WORLD = load_world("reviews")
ROWS = WORLD.rows(40, seed=11)
TEXTS = [row["text"] for row in ROWS]
RECORDS = [WORLD.attributes(row) for row in ROWS]


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
        ('"Sarcastic".', "sarcastic"), ("very_long", "very long"),
        ("First-Person", "first person"), (" * two   words *", "two words"), (True, "true"),
        (3, "3"), ("ÄRGER", "ärger"),
    ],
)  # fmt: skip
def test_plain_takes_away_form_only(value, expected):
    assert plain(value) == expected


def test_canonical_gives_the_spelling_of_the_schema_and_keeps_free_text():
    tone, mood = Attribute("tone", ["Very sad", "annoyed"]), Attribute("mood")
    assert tone.values == ("Very sad", "annoyed")
    assert tone.canonical(" VERY_sad. ") == "Very sad"
    assert tone.canonical("not annoyed") is None and tone.canonical("") is None
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


# --- the parser -----------------------------------------------------------------------------------


def test_json_objects_are_the_outermost_ones():
    nested = '{"a": {"b": 1}, "c": "}"}'
    text = "one " + nested + ' } two {"d": "{"} three {"e": 1'
    assert json_objects(text) == [nested, '{"d": "{"}', '{"e": 1']
    assert json_objects("no braces") == []


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
    "brackets": "[" * 20_000 + json.dumps(GOOD),
}


@pytest.mark.parametrize("name", READABLE)
def test_forms_that_are_read(name):
    parsed = parse_record(READABLE[name], TWO)
    assert (parsed.record, parsed.reason) == (GOOD, None)
    assert list(parsed.record) == ["topic", "tone"]


REFUSED = {
    "nothing": ("", "empty"),
    "blanks": (" \n\t ", "empty"),
    "only thoughts": ("<think>topic: food</think>", "empty"),
    "a refusal": ("I cannot help with that.", "refused"),
    "cut off": (Reply('{"topic": "food", "to', "length"), "cut"),
    "no answer": (Reply("", "error"), "failed"),
    "other keys": ('{"mood": "sad"}', "no record"),
    "names in a sentence": ("The topic and the tone are hard to tell.", "no record"),
    "very deep": ('{"a":' * 5000, "no record"),
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
    parsed = parse_record(answer, TWO)
    assert (parsed.record, parsed.reason) == (None, reason) and parsed.detail


def test_every_reason_is_reached_and_details_name_what_was_found():
    assert {reason for _, reason in REFUSED.values()} == set(REASONS)
    detail = parse_record("topic: food\ntone: ironic", TWO).detail
    assert "'ironic'" in detail and "annoyed, very sad" in detail
    assert parse_record("topic: food", TWO).detail == "no tone"
    assert "manner" in parse_record('{"topic": "food", "manner": {"tone": "x"}}', TWO).detail
    with pytest.raises(TypeError, match="must be a str, got dict"):
        parse_record({"topic": "food"}, TWO)


def test_a_valid_value_may_look_blank():
    attributes = (Attribute("cons", ("none", "some")),)
    assert parse_record("cons: none", attributes).record == {"cons": "none"}
    assert parse_record('{"cons": null}', (Attribute("cons"),)).reason == "missing"


def test_free_text_may_hold_commas_and_colons():
    attributes = (Attribute("product info"), Attribute("usage"))
    answer = "Product info: a phone, black: 6 inch\nUsage: daily, at work"
    expected = {"product info": "a phone, black: 6 inch", "usage": "daily, at work"}
    as_json = '{"product_info": "a phone, black: 6 inch", "usage": "daily, at work"}'
    for said in (answer, as_json, as_json.replace('{"', "{'")):
        assert parse_record(said, attributes).record == expected
    longer = (Attribute("length"), Attribute("sentence length"))
    found = parse_record("sentence length: 4\nlength: 9", longer).record
    assert found == {"length": "9", "sentence length": "4"}


@given(st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused(answer):
    parsed = parse_record(answer, TWO)
    assert (parsed.record is None) == (parsed.reason in REASONS)


@given(st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in REVIEWS.names}))
@settings(max_examples=60, deadline=None)
def test_a_record_survives_its_own_prompt_and_json(record):
    assert REVIEWS.parse(REVIEWS.write_prompt(record)).record == record
    assert REVIEWS.parse(json.dumps(record)).record == record
    assert read_prompt(REVIEWS, REVIEWS.write_prompt(record)) == ("write", record)


# --- schemas --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "templates", "words"),
    [
        ((Attribute("a"), Attribute("A")), ("{text}", "{record}"), "different names"),
        ((), ("{text}", "{record}"), "different names"),
        ((Attribute("a"),), ("no slot", "{record}"), "once"),
        ((Attribute("a"),), ("{text}", "none"), "once"),
        ((Attribute("a"),), ("{text}{text}", "{record}"), "once"),
    ],
)
def test_a_schema_needs_names_and_slots(attributes, templates, words):
    with pytest.raises(ValueError, match=words):
        Schema("note", attributes, *templates)


def test_reviews_asks_in_the_words_that_the_model_was_trained_on():
    for text, record in zip(TEXTS[:5], RECORDS):
        expected = instruction("Describe the review.", given=text)
        assert REVIEWS.describe_prompt(text) == expected
        assert REVIEWS.write_prompt(record) == write_prompt("reviews", **record)
        assert REVIEWS.write_prompt(dict(reversed(record.items()))) == REVIEWS.write_prompt(record)
    assert REVIEWS.write_prompt({"tone": "ANNOYED."}) == write_prompt("reviews", tone="annoyed")
    assert REVIEWS.write_prompt({}) == write_prompt("reviews")


def test_reviews_reads_what_the_world_wrote_and_nothing_else():
    assert set(REVIEWS.names) == set(WORLD.factors) == set(REVIEWS.observable)
    assert [REVIEWS.read(text) for text in TEXTS] == RECORDS
    assert REVIEWS.read(f"  {TEXTS[0]}\n") == RECORDS[0]
    for text in ("", " ", "Not a review at all.", "Oh great.", "\n\n", "!"):
        assert REVIEWS.read(text) == {}


@pytest.mark.parametrize(
    ("record", "error", "words"),
    [
        ({"tone": "ironic"}, ValueError, "'ironic'.*enthusiastic"),
        ({"mood": "sad"}, ValueError, "no attribute 'mood'; it has topic"),
        ("tone: annoyed", TypeError, "got str"),
    ],
)
def test_records_that_no_prompt_takes(record, error, words):
    with pytest.raises(error, match=words):
        REVIEWS.write_prompt(record)


def test_a_text_may_hold_slots_and_braces():
    for text in ("{text} {record} {attributes}", "{", "{0} %s"):
        for schema in (REVIEWS, SURFACE, FREE):
            assert read_prompt(schema, schema.describe_prompt(text)) == ("describe", text)
    assert FREE.write_prompt({"mood": "{text}"}) == "Write:\nmood: {text}\nNow:\n"
    with pytest.raises(ValueError, match="not a prompt about a review"):
        read_prompt(REVIEWS, "Tell me a joke.")
    with pytest.raises(TypeError, match="got int"):
        REVIEWS.describe_prompt(3)


def test_a_reader_that_leaves_its_own_values_is_an_error():
    schema = Schema("n", (Attribute("a", ("x",), lambda text: "y"),), "{text}", "{record}")
    with pytest.raises(ValueError, match="reader of a gives 'y'"):
        schema.read("text")


# --- what any text shows --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("w " * 7, "length", "up to 7 words"), ("w " * 8, "length", "8 to 14 words"),
        ("w " * 14, "length", "8 to 14 words"), ("w " * 15, "length", "15 to 29 words"),
        ("w " * 30, "length", "30 words or more"), ("... !!! ,,,", "length", "up to 7 words"),
        ("No end", "sentences", "one"), ("It costs 3.50 now.", "sentences", "one"),
        ("One. Two!", "sentences", "two or three"),
        ("One. Two! Three?", "sentences", "two or three"),
        ("A. B. C. D.", "sentences", "four or more"),
        ("what is my balance", "question", "yes"), ("you know what", "question", "no"),
        ("Really?", "question", "yes"), ("Wow!", "exclamation", "yes"),
        ("Wow.", "exclamation", "no"), ("room 4b", "numbers", "yes"),
        ("room four", "numbers", "no"), ("They told us.", "first person", "yes"),
        ("I'm here", "first person", "yes"), ("The index", "first person", "no"),
        ("It doesn't work", "negation", "yes"), ("Nothing works", "negation", "yes"),
        ("A notable knot", "negation", "no"),
    ],
)  # fmt: skip
def test_surface_sees(text, attribute, value):
    assert SURFACE.read(text)[attribute] == value


# --- describing -----------------------------------------------------------------------------------


def test_the_oracle_describes_without_a_mistake():
    found = describe(oracle(WORLD), TEXTS, REVIEWS)
    assert list(found.records) == RECORDS
    assert found.counts == {"texts": 40, "answer": 40, "read": 0, "none": 0, "calls": 40}
    assert found.complete == list(range(40)) and len(found) == 40


def test_only_failures_are_asked_again_and_counted():
    good = [json.dumps(REVIEWS.read(text)) for text in TEXTS[:3]]
    teacher = Scripted(good[0], '{"tone": {"x": 1}}', good[2], "", good[1])
    found = describe(teacher, TEXTS[:3], REVIEWS, retries=4)
    assert teacher.calls[1] == teacher.calls[2] == [REVIEWS.describe_prompt(TEXTS[1])]
    assert found.tries == (1, 3, 1) and found.reasons == {"nested": 1, "empty": 1}
    assert found.counts["calls"] == 5 and len(teacher.calls) == 3
    assert list(found.records) == [REVIEWS.read(text) for text in TEXTS[:3]]
    assert found.origin == ("answer",) * 3 and found.details == ("",) * 3


def test_what_can_be_seen_is_read_where_answers_fail_and_else_stays_none():
    found = describe(Scripted("hm"), [TEXTS[0], "no review"], REVIEWS, retries=1)
    assert found.records == (RECORDS[0], None)
    assert found.origin == ("read", "none") and found.tries == (2, 2)
    assert found.reasons == {"no record": 4} and found.complete == [0]
    assert all("hm" in detail for detail in found.details)
    found = describe(Scripted("hm"), ["a", "b"], FREE, retries=0)
    assert found.records == (None, None) and found.counts["none"] == found.counts["no record"] == 2


@pytest.mark.parametrize(
    ("teacher", "texts", "schema", "options", "words"),
    [
        (None, TEXTS, FREE, {}, "a teacher is needed: mood"),
        (oracle(WORLD), ["a"], REVIEWS, {"retries": -1}, "retries"),
        (oracle(WORLD), [], REVIEWS, {}, "empty"),
        (oracle(WORLD), ["a", None], REVIEWS, {}, "row 1"),
    ],
)
def test_bad_input_to_describe(teacher, texts, schema, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        describe(teacher, texts, schema, **options)


def test_the_oracle_fails_as_often_as_it_is_told_and_knows_reviews_only():
    some = describe(oracle(WORLD, error_rate=0.5, seed=3), TEXTS * 5, REVIEWS, retries=0)
    share = some.origin.count("answer") / 200
    assert abs(share - 0.5) < 4 * math.sqrt(0.25 / 200)
    assert set(some.reasons) <= set(REASONS) and len(some.reasons) > 2
    assert describe(oracle(WORLD, error_rate=1.0), TEXTS, REVIEWS).origin.count("answer") == 0
    with pytest.raises(ValueError, match="error_rate"):
        oracle(WORLD, error_rate=1.5)
    found = describe(oracle(WORLD), ["Not a review."], REVIEWS)
    assert found.records == (None,) and found.origin == ("none",) and found.tries == (3,)
    with pytest.raises(TeacherError, match="not a prompt about a review"):
        describe(oracle(WORLD), ["Not a review."], SURFACE)


# --- writing --------------------------------------------------------------------------------------


def test_the_oracle_writes_what_records_ask_for():
    found = write(oracle(WORLD), RECORDS, REVIEWS, per_record=2)
    assert [row["source"] for row in found] == sorted(list(range(40)) * 2)
    assert all(row["follows"] == 1.0 and row["tries"] == 1 for row in found)
    assert all(row["record"] == RECORDS[row["source"]] for row in found)
    assert all(REVIEWS.read(row["text"]) == row["record"] for row in found)
    assert "label" not in found[0]


def test_a_missing_record_is_left_out_and_sources_and_labels_stay_right():
    given_ = [None, RECORDS[1], None, RECORDS[3]]
    found = write(oracle(WORLD), given_, REVIEWS, per_record=2, labels=list("abcd"))
    assert [row["source"] for row in found] == [1, 1, 3, 3]
    assert [row["label"] for row in found] == list("bbdd")


def test_the_habit_of_the_oracle_fills_what_is_left_open():
    asks = [{"tone": "annoyed", "topic": "film"}] * 60
    shown = [REVIEWS.read(row["text"]) for row in write(oracle(WORLD), asks, REVIEWS)]
    assert {(each["tone"], each["topic"], each["sentiment"]) for each in shown} == {
        ("annoyed", "film", "negative")
    }
    assert len({each["style"] for each in shown}) > 1
    free = [REVIEWS.read(row["text"]) for row in write(oracle(WORLD), [{}] * 60, REVIEWS)]
    assert len({each["topic"] for each in free}) > 2
    odd = RECORDS[0] | {"sentiment": "positive", "tone": "annoyed"}
    row = write(oracle(WORLD), [odd], REVIEWS)[0]
    assert row["follows"] == 0.8 and row["record"] == odd


PART = next(text for text in TEXTS if follows(RECORDS[0], text, REVIEWS) not in (0.0, 1.0))


@pytest.mark.parametrize(
    ("answers", "options", "text", "tries"),
    [
        (("bad", "bad", TEXTS[0]), {"retries": 3, "least": 1.0}, TEXTS[0], 3),
        (("bad", "worse", "worst"), {"retries": 3, "least": 1.0}, "bad", 4),
        ((TEXTS[0],), {"retries": 3, "least": 1.0}, TEXTS[0], 1),
        (("bad", PART, "worse"), {"retries": 2, "least": 1.0}, PART, 3),
        (("bad",), {"retries": 5}, "bad", 1),
    ],
)
def test_texts_that_show_too_little_are_asked_for_again_and_the_best_is_kept(
    answers, options, text, tries
):
    (row,) = write(Scripted(*answers), RECORDS[:1], REVIEWS, **options)
    assert (row["text"], row["tries"]) == (text, tries)
    assert row["follows"] == follows(RECORDS[0], text, REVIEWS)


def test_empty_texts_are_asked_for_again_then_named():
    rows = write(Scripted("", "one", "two"), RECORDS[:2], REVIEWS, retries=1)
    assert [(row["text"], row["tries"]) for row in rows] == [("two", 2), ("one", 1)]
    rows = write(Scripted("", "one", " ", ""), RECORDS[:2], REVIEWS, retries=1)
    assert [(row["text"], row.get("problem")) for row in rows] == [("", "empty"), ("one", None)]


def test_replies_are_cleaned_and_what_is_cut_or_refused_is_asked_for_again():
    said = [
        "<think>Terse.</think>\nBattery died.", "```\nBattery died.\n```",
        "Sure, here is a review:\n\nBattery died.", "Terse.</think>Battery died.",
    ]  # fmt: skip
    rows = write(Scripted(*said), [{"mood": "a"}] * 4, FREE)
    assert [row["text"] for row in rows] == ["Battery died."] * 4
    bad = [Reply("Battery di", "length"), "I'm sorry, but I can't help with that."]
    rows = write(Scripted(*bad, "one", "two"), [{"mood": "a"}] * 2, FREE)
    assert [(row["text"], row["tries"]) for row in rows] == [("one", 2), ("two", 2)]
    whole = json.dumps(REVIEWS.read(TEXTS[0]))
    found = describe(Scripted(Reply(whole + " and then", "length")), TEXTS[:1], REVIEWS)
    assert found.origin == ("answer",)
    found = describe(Scripted(Reply(whole[:-9], "length")), TEXTS[:1], REVIEWS, retries=0)
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


def test_describe_resumes_in_the_middle_of_its_retries(tmp_path):
    file, times = tmp_path / "answers.jsonl", Counter()
    good = {REVIEWS.describe_prompt(text): json.dumps(REVIEWS.read(text)) for text in TEXTS}

    def second_time(prompt):
        times[prompt] += 1
        return good[prompt] if times[prompt] > 1 else "hm"

    with pytest.raises(TeacherError):
        describe(Dying(8, second_time), TEXTS[:6], REVIEWS, checkpoint=file)
    found = describe(Dying(99, second_time), TEXTS[:6], REVIEWS, checkpoint=file)
    assert found.tries == (2,) * 6 and found.reasons == {"no record": 6}


def test_a_teacher_that_remembers_is_asked_for_another_copy_and_not_paid_twice(tmp_path):
    served = []

    def answer(request):
        served.append(json.loads(request.content)["messages"][0]["content"])
        reply = {"choices": [{"message": {"content": f"answer {len(served)}"}}]}
        return httpx.Response(200, json=reply)

    teacher = HTTPTeacher(
        "m", transport=httpx.MockTransport(answer), cache=tmp_path / "cache.jsonl",
        concurrency=1, temperature=0.7,
    )  # fmt: skip
    rows = write(teacher, [{"mood": "a"}], FREE, per_record=10)
    assert len({row["text"] for row in rows}) == 10 == len(served)
    assert write(teacher, [{"mood": "a"}], FREE, per_record=10) == rows and len(served) == 10
    heard = []
    tries = ask_in_turns(teacher, ["hello"], lambda place, said: heard.append(said), retries=2)
    assert len(set(heard)) == 3 == tries[0] and served.count("hello") == 3


class Listening:
    """A stand-in for an LM that notes the options it is called with."""

    name = "listening"

    def __init__(self):
        self.heard = []

    def generate(self, prompts, progress=False, **options):
        self.heard.append(options)
        return ["hm"] * len(prompts)


def test_a_local_model_draws_anew_each_time():
    heard = []
    for seed in (4, 4, 5):
        lm = Listening()
        describe(LMTeacher(lm, max_new_tokens=9), TEXTS[:6], REVIEWS, retries=2, seed=seed)
        assert [options["temperature"] for options in lm.heard] == [0.0, 0.7, 0.7]
        assert {options["max_new_tokens"] for options in lm.heard} == {9}
        heard.append(lm.heard)
    assert heard[0] == heard[1] and heard[0][0]["seed"] != heard[2][0]["seed"]
    drawn = [row_id for options in heard[0][1:] for row_id in options["row_ids"]]
    assert len(set(drawn)) == 12


def test_a_local_model_writes_at_its_own_temperature_or_at_one(tmp_path):
    first, second = Listening(), Listening()
    first.fingerprint, second.fingerprint = "a", "b"
    for lm, options in ((first, {}), (second, {"temperature": 0.3}), (first, {})):
        teacher = LMTeacher(lm, **options)
        write(teacher, [{"mood": "a"}], FREE, checkpoint=tmp_path / "a.jsonl")
    assert [each["temperature"] for lm in (first, second) for each in lm.heard] == [1.0, 0.3]


# --- what is measured -----------------------------------------------------------------------------


def test_follows_counts_what_the_text_shows():
    other = next(value for value in VALUES["topic"] if value != RECORDS[0]["topic"])
    for record, text, share in (
        (RECORDS[0], TEXTS[0], 1.0), (RECORDS[0], "no review", 0.0),
        (RECORDS[0] | {"topic": other}, TEXTS[0], 0.8), ({"topic": other}, TEXTS[0], 0.0),
        ({}, TEXTS[0], None),
    ):  # fmt: skip
        assert follows(record, text, REVIEWS) == share
    assert follows({"mood": "sad"}, "text", FREE) is None


def test_match_by_hand():
    other = {**RECORDS[0], "tone": next(v for v in VALUES["tone"] if v != RECORDS[0]["tone"])}
    rows = [
        {"text": TEXTS[0], "record": RECORDS[0]},
        {"text": TEXTS[0], "record": other},
        {"text": "no review", "record": {"tone": "neutral"}},
        {"text": TEXTS[0], "record": {"topic": RECORDS[0]["topic"]}},
    ]
    found = match(rows, REVIEWS)
    assert list(found) == [*REVIEWS.names, "all"]
    assert found["tone"].mean == pytest.approx(1 / 3) and found["tone"].n == 3
    assert found["topic"].mean == 1.0 and found["topic"].n == 3
    assert found["style"].n == 2
    assert found["all"].mean == 0.5 and found["all"].n == 4
    for rows, schema in (([], REVIEWS), ([{"text": "a", "record": {"mood": "x"}}], FREE)):
        with pytest.raises(ValueError, match=f"no row has an attribute of a {schema.name}"):
            match(rows, schema)


# --- the embedded model ---------------------------------------------------------------------------


def test_the_embedded_model_describes_and_writes(embedded_lm):
    teacher = LMTeacher(embedded_lm, max_new_tokens=100)
    found = describe(teacher, TEXTS[:16], REVIEWS)
    right = [record == truth for record, truth in zip(found.records, RECORDS)]
    assert found.origin.count("answer") >= 14 and sum(right) >= 10
    rows, again, other = (write(teacher, RECORDS[:16], REVIEWS, seed=seed) for seed in (1, 1, 2))
    assert match(rows, REVIEWS)["topic"].mean > 0.5 and rows == again
    assert [row["text"] for row in rows] != [row["text"] for row in other]
