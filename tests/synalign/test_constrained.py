"""Constrained records: whatever a local chat model prefers, what it writes is a valid record."""

import json

import pytest

from synthkit import SynAlign, load_lm
from synthkit.lm.forms import LONGEST, Form
from synthkit.synalign.attributes import Attribute, Schema, describe
from synthkit.synalign.constrained import by_schema, record_parts
from synthkit.synalign.schemas import SURFACE
from synthkit.teacher import FunctionTeacher, LMTeacher
from tests.tiny import tiny_chat_lm

TEXTS = ["a fine film .", "why bother ? it is 2 hours long", "not one laugh , and i waited !"]
TOPIC = Attribute("topic")
OPEN = Schema("text", (TOPIC, *SURFACE.attributes[2:4]), SURFACE.describe, SURFACE.write)
QUOTED = Schema("text", (Attribute('a "b"', ("x", "x y", 'say "x"')), TOPIC), "{text}", "{record}")


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A random model with a chat template: left alone, it writes noise."""
    return load_lm(tiny_chat_lm(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.mark.parametrize("schema", [SURFACE, OPEN, QUOTED], ids=["listed", "free", "quoted"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_a_chat_model_writes_valid_records_only(lm, schema, temperature):
    teacher = LMTeacher(lm, temperature=temperature, max_new_tokens=4)
    found = describe(teacher, TEXTS, schema, retries=0)
    assert found.counts == {"texts": 3, "answer": 3, "read": 0, "none": 0, "calls": 3}
    for record in found.records:
        assert schema.checked(record) == record and set(record) == set(schema.names)


def test_without_the_schema_the_same_model_writes_none(lm):
    free = LMTeacher(lm, max_new_tokens=40)
    answers = free.complete([SURFACE.describe_prompt(text) for text in TEXTS])
    assert all(SURFACE.parse(answer).record is None for answer in answers)


def test_only_a_local_chat_model_is_held_to_the_schema(lm, embedded_lm):
    plain, scripted = LMTeacher(embedded_lm), FunctionTeacher(lambda prompt: "hm", "scripted")
    assert by_schema(plain, SURFACE) is plain and by_schema(scripted, SURFACE) is scripted
    bound = by_schema(lm, SURFACE)
    assert bound.chat and bound.options["max_new_tokens"] == bound.options["allowed"].longest


def test_the_parts_of_a_record_are_one_flat_json_object():
    for schema in (SURFACE, OPEN, QUOTED):
        text = "".join("free text" if part is None else part[-1] for part in record_parts(schema))
        assert list(json.loads(text)) == list(schema.names)
        assert schema.parse(text).record is not None


def test_a_form_allows_its_texts_and_no_others(lm):
    form = Form(lm, [["a: "], ["yes", "no"], ["!"]])
    ids = lm.token_ids(["a: ", "no", "!"])
    written = []
    for id in [id for part in ids for id in part]:
        assert id in form(written)
        written.append(id)
    assert not form(written) and len(written) <= form.longest
    assert form([]) == [ids[0][0]]
    with pytest.raises(ValueError, match="not empty"):
        Form(lm, [["a"], []])


def test_free_text_ends_in_time(lm):
    form = Form(lm, [['{"a": "'], None, ['"}']])
    (before,), (plain,) = lm.token_ids(['{"a": "']), lm.token_ids(["x"])
    ((quote, *_),) = lm.token_ids(['"}'])
    assert quote not in form(before) and quote in form([*before, *plain])
    assert form([*before, *plain * LONGEST]) == [quote]


def test_synalign_describes_by_a_chat_model(lm):
    rows = [{"text": f"{text} {i}"} for i in range(4) for text in TEXTS]
    method = SynAlign(lm, picks=3, held_out=0.2, max_new_tokens=8).fit(rows, label=None)
    assert method.report.facts["described"] == {
        "texts": 3, "answer": 3, "read": 0, "none": 0, "calls": 3,
    }  # fmt: skip
