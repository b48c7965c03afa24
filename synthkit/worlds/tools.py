"""The tools world: function descriptions in JSON Schema; the words tell the category."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any

from .base import Row, World, weighted
from .tools_words import CATEGORIES, CATEGORY_OF, COUNTS, KINDS, TEMPLATES, VERBS, Field

_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


class ToolsWorld(World):
    """Descriptions of callable tools, one compact JSON object a row.

    Columns:
        text: `{"name": ..., "description": ..., "parameters": <JSON Schema>}` on one line, ASCII.
        category: one of `CATEGORIES`.
        n_params: how many parameters the tool takes, 1 to 3.
        types: the parameters' JSON types, sorted, joined by commas ("integer,string").
    """

    name = "tools"
    columns = ("text", "category", "n_params", "types")
    factors = ("category", "n_params", "types")

    def example(self, rng: random.Random) -> Row:
        """One tool: category and verb uniform, one to three parameters.

        The parameter that the description names is required, and is never a boolean.
        """
        category = rng.choice(list(CATEGORIES))
        kind = CATEGORIES[category]
        verb, noun = rng.choice(kind.verbs), rng.choice(kind.nouns)
        n_params = int(weighted(rng, {"1": 0.4, "2": 0.4, "3": 0.2}))
        lead = rng.choice([field for field in kind.fields if field.kind != "boolean"])
        others = [field for field in kind.fields if field != lead]
        fields = [lead, *rng.sample(others, n_params - 1)]
        required = [lead.name] + [f.name for f in fields[1:] if rng.random() < 0.4]
        shown = rng.sample(fields, n_params)  # the order in the text says nothing
        tool = {
            "name": f"{verb}_{noun}",
            "description": _describe(verb, noun, lead.name, rng),
            "parameters": {
                "type": "object",
                "properties": {f.name: _schema(f, f.name in required, rng) for f in shown},
                "required": required,
            },
        }
        types = ",".join(sorted(field.kind for field in fields))
        return {"text": _dump(tool), "category": category, "n_params": n_params, "types": types}

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the text is a valid tool and its factors are what the text shows.

        The text must be JSON without repeated keys; `parameters` a valid JSON Schema (draft
        2020-12) of an object, with every required name among its properties and every default
        allowed by its own schema; the name in snake case; and the nouns of name and description
        must point to `category`, and to no other.
        """
        self.require(row, *self.columns)
        tool = _load(row["text"])
        if tool is None or not _is_tool(tool):
            return False
        properties = tool["parameters"]["properties"]
        types = ",".join(sorted(schema["type"] for schema in properties.values()))
        return (
            _categories(tool) == [row["category"]]
            and row["n_params"] == len(properties)
            and row["types"] == types
        )

    def text(self, row: Mapping[str, Any]) -> str:
        """The JSON text itself."""
        self.require(row, "text")
        return row["text"]

    def attributes(self, row: Mapping[str, Any]) -> dict[str, str]:
        """The category, and the number of parameters as a word."""
        self.require(row, "category", "n_params")
        count = row["n_params"]
        return {"category": row["category"], "params": COUNTS.get(count, str(count))}

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same tool with another description and its parameters in another order.

        Raises:
            ValueError: the row's text is not a tool in JSON.
        """
        self.require(row, "text")
        tool = _load(row["text"])
        if tool is None or not _is_tool(tool):
            raise ValueError(f"cannot rephrase what is not a tool in JSON: {row['text']!r}")
        parameters = tool["parameters"]
        verb, _, noun = tool["name"].partition("_")
        names = parameters["required"] or list(parameters["properties"])
        before = tool["description"]
        while verb in VERBS and noun in CATEGORY_OF and names and tool["description"] == before:
            tool["description"] = _describe(verb, noun, names[0], rng)
        items = list(parameters["properties"].items())
        parameters["properties"] = dict(rng.sample(items, len(items)))
        return {**row, "text": _dump(tool)}


def _describe(verb: str, noun: str, field: str, rng: random.Random) -> str:
    """A sentence that says what the tool does, in one of the template's and verb's wordings."""
    template, words = rng.choice(TEMPLATES), rng.choice(VERBS[verb])
    sentence = template.format(verb=words, noun=noun, field=field)
    return sentence[0].upper() + sentence[1:]


def _schema(field: Field, required: bool, rng: random.Random) -> dict[str, Any]:
    """The JSON Schema of one parameter; only one that may be left out has a default."""
    schema: dict[str, Any] = {"type": field.kind}
    if field.kind == "array":
        schema["items"] = {"type": "string"}
    if field.values:
        schema["enum"] = list(field.values)
    if field.least is not None and rng.random() < 0.4:
        schema["minimum"] = field.least
    if not required and rng.random() < 0.4:
        if field.kind == "boolean":
            schema["default"] = rng.random() < 0.5
        elif field.values:
            schema["default"] = rng.choice(field.values)
        elif field.least is not None:
            schema["default"] = field.least + rng.randrange(5)
    return schema


def _dump(tool: dict[str, Any]) -> str:
    return json.dumps(tool, separators=(",", ":"))


def _load(text: Any) -> Any:
    """The JSON value of a text, or None where it has none or repeats a key."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a key is repeated")
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    if not isinstance(text, str):
        return None
    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=refuse)
    except (ValueError, RecursionError):
        return None


def _is_tool(tool: Any) -> bool:
    """Tell if a JSON value is a tool: its three keys, and a sound schema of named parameters."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(tool, dict) or set(tool) != {"name", "description", "parameters"}:
        return False
    name, description, parameters = tool["name"], tool["description"], tool["parameters"]
    if not (isinstance(name, str) and _SNAKE_CASE.fullmatch(name)):
        return False
    if not (isinstance(description, str) and description.strip()):
        return False
    if not isinstance(parameters, dict) or set(parameters) != {"type", "properties", "required"}:
        return False
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError:
        return False
    properties, required = parameters["properties"], parameters["required"]
    return (
        parameters["type"] == "object"
        and set(required) <= set(properties)
        and all(_is_parameter(key, schema) for key, schema in properties.items())
    )


def _is_parameter(name: str, schema: Any) -> bool:
    """Tell if a parameter is named, has one plain type, and allows its own default and values."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    if not (_SNAKE_CASE.fullmatch(name) and isinstance(schema, dict)):
        return False
    if schema.get("type") not in KINDS:
        return False
    examples = list(schema.get("enum", ()))
    if "default" in schema:
        examples.append(schema["default"])
    if not examples:
        return True
    validator = Draft202012Validator(schema, registry=Registry())  # looks nothing up elsewhere
    try:
        return all(validator.is_valid(example) for example in examples)
    except Exception:  # a reference that leads nowhere, a pattern that is no pattern
        return False


def _categories(tool: dict[str, Any]) -> list[str]:
    """The categories whose nouns stand in the tool's name or description, singular or plural."""
    words = re.findall(r"[a-z]+", f"{tool['name']} {tool['description']}".lower())
    nouns = {form for word in words for form in (word, word.removesuffix("s"))}
    return sorted({CATEGORY_OF[noun] for noun in nouns if noun in CATEGORY_OF})
