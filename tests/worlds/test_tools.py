"""The tools world: its rows are right, and a row spoilt in any one way is found wrong."""

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.worlds import load_world

WORLD = load_world("tools")


def test_rows_are_short_ascii_lines_and_many():
    rows = WORLD.rows(14_000, seed=0)
    texts = [row["text"] for row in rows]
    assert len(set(texts)) > 10_000
    assert all(text.isascii() and "\n" not in text for text in texts)
    assert max(map(len, texts)) <= 380 and sum(map(len, texts)) / len(texts) < 225
    words = {word for text in texts for word in re.findall("[A-Za-z]+", text)}
    assert len(words) < 350


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_rephrased_row_is_the_same_tool_in_other_words(seed):
    rng = random.Random(seed)
    row = WORLD.example(rng)
    other = WORLD.rephrase(row, rng)
    before, after = json.loads(row["text"]), json.loads(other["text"])
    assert WORLD.check(other) and before.pop("description") != after.pop("description")
    assert before == after
    assert {**row, "text": ""} == {**other, "text": ""}


def _tool(**changes):
    """A right row of weather, its text changed at the keys given."""
    parameters = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "default": 2},
        },
        "required": ["city"],
    }
    parameters |= changes.pop("parameters", {})
    tool = {"name": "get_forecast", "description": "Get the forecast.", "parameters": parameters}
    text = json.dumps({**tool, **changes})
    return {"text": text, "category": "weather", "n_params": 2, "types": "integer,string"}


def _properties(**fields):
    return _tool(parameters={"properties": fields})


CITY = {"type": "string"}
SPOILT = {
    "broken JSON": {**_tool(), "text": _tool()["text"][:-1]},
    "not an object": {**_tool(), "text": "[]"},
    "no text at all": {**_tool(), "text": None},
    "a repeated key": {**_tool(), "text": _tool()["text"].replace('"days"', '"city"')},
    "NaN": {**_tool(), "text": _tool()["text"].replace(": 2}", ": NaN}")},
    "a wrong category": {**_tool(), "category": "music"},
    "a wrong count": {**_tool(), "n_params": 3},
    "wrong types": {**_tool(), "types": "string,string"},
    "a label that is a list": {**_tool(), "category": ["weather"]},
    "a name with a space": _tool(name="get forecast"),
    "a name in camel case": _tool(name="getForecast"),
    "no description": _tool(description=" "),
    "an extra key": _tool(strict=True),
    "two categories": _tool(description="Get the forecast of the song."),
    "no category": _tool(name="get_it", description="Get it."),
    "a required name that is unknown": _tool(parameters={"required": ["town"]}),
    "a required name twice": _tool(parameters={"required": ["city", "city"]}),
    "required that is no list": _tool(parameters={"required": "city"}),
    "not an object schema": _tool(parameters={"type": "array"}),
    "a type that does not exist": _properties(city={"type": "text"}, days={"type": "integer"}),
    "several types": _properties(city={"type": ["string"]}, days={"type": "integer"}),
    "a minimum that is a word": _properties(city=CITY, days={"type": "integer", "minimum": "one"}),
    "a default of another type": _properties(city=CITY, days={"type": "integer", "default": "two"}),
    "a default too small": _properties(
        city=CITY, days={"type": "integer", "minimum": 1, "default": 0}
    ),
    "an enumeration of another type": _properties(
        city={"type": "string", "enum": [1]}, days={"type": "integer"}
    ),
    "a reference elsewhere": _properties(
        city={"type": "string", "$ref": "http://127.0.0.1:9/x", "default": "a"},
        days={"type": "integer"},
    ),
}


@pytest.mark.parametrize("row", SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_row_is_wrong(row):
    assert WORLD.check(_tool()) and WORLD.check(row) is False
