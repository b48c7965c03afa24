"""The kit's schemas: reviews of the reviews world, and the surface of any text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

from ..core.texts import split_words
from ..worlds.reviews import read_attributes
from ..worlds.reviews_forms import VALUES
from .attributes import Attribute, Schema


@lru_cache(maxsize=4096)
def _review(text: str) -> Mapping[str, str]:
    """The five attributes of a review; of a text that is none, nothing (and no error to cache)."""
    try:
        return read_attributes(text.strip())
    except (ValueError, IndexError):
        return {}


def _of_review(name: str, text: str) -> str:
    if name not in (found := _review(text)):
        raise ValueError(f"not a review that the reviews world could write: {text[:60]!r}")
    return found[name]


REVIEWS = Schema(  # in the very words that the embedded model was trained on
    "review",
    tuple(
        Attribute(name, VALUES[name], partial(_of_review, name))
        for name in ("topic", "sentiment", "tone", "length", "style")
    ),
    describe="Describe the review.\nInput:\n{text}\nOutput:\n",
    write="Write a review.\n{record}\nOutput:\n",
)

_FIRST = re.compile(r"\b(?:i|me|my|mine|myself|we|us|our|ours|i'm|i've|i'd|i'll)\b", re.I)
_NOT = re.compile(r"\b(?:not|no|never|none|nothing|cannot|\w+n't)\b", re.I)
_ASKS = re.compile(
    r"\?|^\W*(?:what|how|why|when|where|who|which|is|are|do|does|did|can|could|will|would)\b", re.I
)
BANDS = (  # the most words, and the name
    (7, "up to 7 words"),
    (14, "8 to 14 words"),
    (29, "15 to 29 words"),
    (10**9, "30 words or more"),
)


def _band(text: str) -> str:
    count = sum(token[0].isalnum() for token in split_words(text))
    return next(name for most, name in BANDS if count <= most)


def _sentences(text: str) -> str:
    count = len([part for part in re.split(r"[.!?]+(?=\s|$)", text) if part.strip()])
    return "one" if count < 2 else "two or three" if count < 4 else "four or more"


def _shows(pattern: str | re.Pattern, text: str) -> str:
    return "yes" if re.search(pattern, text) else "no"


def _yes_no(name: str, pattern: str | re.Pattern) -> Attribute:
    return Attribute(name, ("yes", "no"), partial(_shows, pattern))


SURFACE = Schema(  # for a model that follows plain instructions
    "text",
    (
        Attribute("length", tuple(name for _, name in BANDS), _band),
        Attribute("sentences", ("one", "two or three", "four or more"), _sentences),
        _yes_no("question", _ASKS),
        _yes_no("exclamation", "!"),
        _yes_no("numbers", r"\d"),
        _yes_no("first person", _FIRST),
        _yes_no("negation", _NOT),
    ),
    describe="Describe the text below as one flat JSON object with these keys, no other, and no "
    "nested values:\n{attributes}\n\nText:\n{text}\n\nJSON:\n",
    write="Write one new text with these properties:\n{record}\n\n"
    "Give the text alone, without a comment.\nText:\n",
)

SCHEMAS = (REVIEWS, SURFACE)


def default_schema(columns: Sequence[str]) -> Schema:
    """REVIEWS for rows with the columns of the reviews world, else SURFACE."""
    return REVIEWS if set(REVIEWS.names) <= set(columns) else SURFACE


def with_class(schema: Schema, column: str | None, labels: Sequence | None) -> Schema:
    """`schema` with an attribute for the class: its own of that name, or one that is put in front.

    Raises:
        ValueError: the schema has the attribute, but not all of the classes among its values, or
            two classes that a prompt cannot tell apart.
    """
    if labels is None:
        return schema
    kinds = tuple(dict.fromkeys(map(str, labels)))
    own = schema.attribute(column)
    if own is None:
        attributes = (Attribute(column, kinds), *schema.attributes)
        return Schema(schema.name, attributes, schema.describe, schema.write)
    wrong = [kind for kind in kinds if own.canonical(kind) is None]
    if wrong:
        raise ValueError(
            f"column {column!r} holds the class {wrong[0]!r}, but for a {schema.name} {column} is "
            f"one of {', '.join(own.values)}: rename the column, or give another schema="
        )
    return schema


def same_schema(given: Schema | None, known: Mapping) -> Schema:
    """The schema of a saved fit: the kit's of that name, or the one given if it has its attributes.

    Raises:
        ValueError: it has others, or none is given and the kit has none; a schema holds functions,
            which no file can.
    """
    for schema in SCHEMAS if given is None else (given,):
        if [schema.name, *schema.names] == [known["name"], *known["attributes"]]:
            return schema
    have = "give it with schema=" if given is None else f"the one given has {given.names}"
    raise ValueError(
        f"fitted with a schema {known['name']!r} of {', '.join(known['attributes'])}: {have}"
    )
