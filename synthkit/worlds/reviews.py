"""The reviews world: short reviews whose five attributes can be read from the text.

Topic shows in the product and its aspects, style in the build of the sentences, length in the
number of aspects judged, tone in one set remark and in the adverbs. Sentiment is the polarity of
the adjectives, turned round when the tone is sarcastic. The joint distribution of the attributes is
a small table (topic; sentiment -> tone -> style -> length), so that a distance to it is exact.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

from .base import Row, World, form_pattern
from .reviews_forms import (
    ADVERBS,
    CLAUSES,
    COUNT,
    DISTRIBUTIONS,
    FACTORS,
    FILLERS,
    LAYOUTS,
    OPENERS,
    OPPOSITE,
    PARENT,
    POLARITY,
    REMARK,
    REMARKS,
    SIGN_OF,
    SLOTS,
    TOPIC_OF,
    TOPICS,
    VALUES,
)


def tones_of(sentiment: str) -> list[str]:
    """The tones a review of that sentiment may have: no annoyed praise, no joyful blame."""
    weights = DISTRIBUTIONS["uniform"]["tone"][sentiment]
    return [tone for tone, weight in zip(VALUES["tone"], weights, strict=True) if weight]


@cache
def _pattern(form: str) -> re.Pattern:
    return form_pattern(form.lower(), SLOTS)


def _match(forms: tuple[str, ...], text: str) -> dict[str, str] | None:
    found = (_pattern(form).fullmatch(text) for form in forms)
    return next((match.groupdict() for match in found if match), None)


def _read_body(sentences: list[str]) -> tuple[str, str, list[str]]:
    """(style, product, judged aspects as `"quality aspect"`) of a review without its remark."""
    for style, by_sign in LAYOUTS.items():
        for sign, forms in by_sign.items():
            if slots := _match(forms, " ".join(sentences)):
                items = slots["items"].split(", ")
                if style == "list" and any(SIGN_OF[item.split()[-2]] != sign for item in items):
                    raise ValueError(f"a fault among the pros, or a merit among the cons: {items}")
                return style, slots["product"], items
    for style, forms in OPENERS.items():
        if opener := _match(forms, sentences[0]):
            clauses = [_match(CLAUSES[style], sentence) for sentence in sentences[1:]]
            if None in clauses:
                raise ValueError(f"a sentence is not {style}: {sentences[1:]}")
            return style, opener["product"], [f"{c['quality']} {c['aspect']}" for c in clauses]
    raise ValueError(f"no style fits {sentences}")


def read_review(text: str) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """(attributes, product, aspects) as the text shows them.

    Raises:
        ValueError: the text is not a review that this world could write.
    """
    sentences = re.split(r"(?<=[.!]) ", text.lower())
    tone, formal = "neutral", None
    for end in (0, -1):
        if formal is None and sentences[end] in REMARK and len(sentences) > 1:
            tone, formal = REMARK[sentences.pop(end)]
    style, about, items = _read_body(sentences)
    words = [item.split() for item in items]
    aspects = tuple(item[-1] for item in words)
    topics = {TOPIC_OF[word] for word in (about, *aspects)}
    signs = {SIGN_OF[item[-2]] for item in words}
    length = next((name for name, count in COUNT.items() if count == len(aspects)), None)
    if len(topics) > 1 or len(signs) != 1 or length is None or len(set(aspects)) < len(aspects):
        raise ValueError(f"topics {topics}, polarities {signs} and aspects {aspects} do not agree")
    if formal is not None and formal != (style == "formal"):
        raise ValueError(f"the remark does not suit the {style} style")
    if not {adverb for item in words for adverb in item[:-2]} <= set(ADVERBS[tone]):
        raise ValueError(f"the adverbs do not suit the {tone} tone")
    sentiment = OPPOSITE[signs.pop()] if tone == "sarcastic" else signs.pop()
    if tone not in tones_of(sentiment):
        raise ValueError(f"a {sentiment} review is never {tone}")
    read = {"topic": topics.pop(), "sentiment": sentiment, "tone": tone}
    return read | {"length": length, "style": style}, about, aspects


def read_attributes(text: str) -> dict[str, str]:
    """Topic, sentiment, tone, length and style, read from the surface of a review.

    Raises:
        ValueError: the text is not a review that this world could write.
    """
    return read_review(text)[0]


def _write(attributes: Mapping[str, str], product: str, aspects, rng: random.Random) -> str:
    """A review of `product` that shows `attributes` and judges `aspects` in order."""
    tone, style, sign = (attributes[name] for name in ("tone", "style", "sentiment"))
    sign = OPPOSITE[sign] if tone == "sarcastic" else sign
    qualities = [
        f"{rng.choice(ADVERBS[tone])} {word}" if rng.random() < 0.35 else word
        for word in rng.sample(POLARITY[sign], len(aspects))
    ]
    judged = list(zip(qualities, aspects, strict=True))
    slots = {slot: rng.choice(words) for slot, words in FILLERS.items()} | {"product": product}
    if style in LAYOUTS:
        items = ", ".join(f"{quality} {aspect}" for quality, aspect in judged)
        parts = [rng.choice(LAYOUTS[style][sign]).format(**slots, items=items)]
    else:
        parts = [rng.choice(OPENERS[style]).format(**slots)] + [
            rng.choice(CLAUSES[style]).format(quality=quality, aspect=aspect)
            for quality, aspect in judged
        ]
    if remarks := REMARKS[tone][0 if style == "formal" else 1]:
        parts.insert(rng.choice([0, len(parts)]), rng.choice(remarks))
    text = " ".join(parts)
    return re.sub(r"(?:^|(?<=[.!] ))[a-z]", lambda first: first[0].upper(), text)


class ReviewsWorld(World):
    """Reviews under one of three joint distributions of their attributes.

    Args:
        distribution: `"real"` is skewed to terse, annoyed and sarcastic; `"llm"` to long, formal
            and enthusiastic; `"uniform"` gives every valid combination the same probability.

    Enthusiastic reviews are positive and annoyed ones negative; all else combines freely.

    Raises:
        ValueError: there is no such distribution.
    """

    name = "reviews"
    columns = ("text", "topic", "sentiment", "tone", "length", "style")
    factors = header = columns[1:]

    def __init__(self, distribution: str = "real"):
        if distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"no distribution is called {distribution!r}; choose one of "
                f"{', '.join(DISTRIBUTIONS)}"
            )
        self.distribution = distribution

    def _weights(self, factor: str, given: Mapping[str, str]) -> tuple[int, ...]:
        table = DISTRIBUTIONS[self.distribution][factor]
        return table[given[PARENT[factor]]] if factor in PARENT else table

    def probability(self, row: Mapping[str, Any]) -> float:
        """The exact probability of the five attributes in `row` (0 for a combination never made).

        Raises:
            KeyError: an attribute is missing.
            ValueError: an attribute has a value that this world does not know.
        """
        self.require(row, *FACTORS)
        p = 1.0
        for factor, values in VALUES.items():
            if row[factor] not in values:
                raise ValueError(f"{factor} is {row[factor]!r}; it must be one of {values}")
            weights = self._weights(factor, row)
            p *= weights[values.index(row[factor])] / sum(weights)
        return p

    def support(self) -> list[dict[str, str]]:
        """Every valid combination of attributes (432 of them)."""
        every = (dict(zip(VALUES, cell, strict=True)) for cell in product(*VALUES.values()))
        return [cell for cell in every if self.probability(cell) > 0]

    def example(self, rng: random.Random) -> Row:
        attributes: dict[str, str] = {}
        for factor, values in VALUES.items():
            attributes[factor] = rng.choices(values, self._weights(factor, attributes))[0]
        return self.render(attributes, rng)

    def render(self, attributes: Mapping[str, str], rng: random.Random) -> Row:
        """A row that shows `attributes` (all five).

        Raises:
            KeyError: an attribute is missing.
            ValueError: a value is unknown, or tone and sentiment do not go together.
        """
        if self.probability(attributes) == 0:
            sentiment, tone = attributes["sentiment"], attributes["tone"]
            raise ValueError(f"a {sentiment} review is never {tone}, only {tones_of(sentiment)}")
        products, aspects = TOPICS[attributes["topic"]]
        aspects = rng.sample(aspects, COUNT[attributes["length"]])
        text = _write(attributes, rng.choice(products), aspects, rng)
        return {"text": text} | {name: attributes[name] for name in self.factors}

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell whether the text can be read and shows exactly the five attributes of the row.

        Raises:
            KeyError: a column is missing (the message names it).
        """
        self.require(row, *self.columns)
        try:
            return read_attributes(str(row["text"])) == self.attributes(row)
        except ValueError:  # not a review of this world
            return False

    def text(self, row: Mapping[str, Any]) -> str:
        self.require(row, "text")
        return row["text"]

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same attributes, product and aspects in other words.

        Raises:
            KeyError: the text is missing.
            ValueError: the text is not a review that this world could write.
        """
        self.require(row, "text")
        texts = (_write(*read_review(row["text"]), rng) for _ in range(20))
        return {**row, "text": next((text for text in texts if text != row["text"]), row["text"])}
