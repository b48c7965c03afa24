"""The words and phrasings of the reviews world, and the distributions of their attributes."""

from __future__ import annotations

from itertools import chain
from typing import Any

# fmt: off
# topic -> (products, aspects)
TOPICS = {
    "device": ("phone tablet laptop camera radio", "screen battery keyboard sound cable lens"),
    "food": ("cafe bakery diner tavern canteen", "soup bread coffee cake menu waiter"),
    "hotel": ("hotel hostel lodge resort cabin", "room bed pool breakfast lobby garden"),
    "film": ("film movie comedy drama sequel", "plot ending music script cast dialogue"),
    "book": ("book novel memoir thriller diary", "story hero cover print chapter title"),
    "clothes": ("jacket coat shirt dress sweater", "fabric zip collar pocket lining sleeve"),
}
TOPICS = {topic: tuple(words.split() for words in pair) for topic, pair in TOPICS.items()}
POLARITY = {
    "positive": "good fine lovely superb solid pleasant charming excellent neat splendid".split(),
    "negative": "bad poor awful dull weak shabby dreadful clumsy terrible sloppy".split(),
}
OPPOSITE = {"positive": "negative", "negative": "positive"}
ADVERBS = {
    "enthusiastic": "truly really absolutely wonderfully".split(),
    "neutral": "quite rather fairly mostly".split(),
    "annoyed": "simply just plainly always".split(),
    "sarcastic": "surely totally clearly obviously".split(),
}
# The remark that carries the tone: (in formal style, in the other styles). Neutral has none.
REMARKS = {
    "enthusiastic": (
        ("It was a true delight.", "My warmest thanks to the makers.", "I give it full marks."),
        ("Wow!", "I love it!", "What a joy!", "Ten out of ten!", "Yes, yes, yes!")),
    "neutral": ((), ()),
    "annoyed": (
        ("A refund is expected.", "I must complain.", "This is not acceptable."),
        ("I am fed up.", "What a waste of money.", "Never again.", "Enough is enough.",
         "I want my money back!")),
    "sarcastic": (
        ("How very surprising.", "One could hardly ask for more.", "My deepest thanks, of course."),
        ("Oh great.", "Just what I needed.", "Oh, what a surprise.", "Yeah, right.", "Lucky me.")),
}
# How a review begins and how it judges one aspect, for the styles made of whole sentences.
OPENERS = {
    "narrative": ("{when} I tried this {product} {how}.",
        "I went for this {product} {how} {when}.",
        "This {product} came my way {how} {when}."),
    "formal": ("This report concerns the {product} as observed {period}.",
        "The {product} was examined with care {period}.",
        "Following a test {period}, remarks on the {product} are given here."),
}
CLAUSES = {
    "narrative": ("The {aspect} was {quality}.", "I found the {aspect} {quality}.",
        "To me the {aspect} seemed {quality}.", "Then the {aspect} turned out to be {quality}."),
    "formal": ("The {aspect} is {quality}.", "It should be noted that the {aspect} is {quality}.",
        "The {aspect} must be called {quality}.", "One finds that the {aspect} is {quality}."),
}
# Whole reviews of the other two styles, by the polarity of the judged aspects, {items}.
LAYOUTS = {
    "list": {
        "positive": ("{product}. Pros: {items}. Cons: none.",
            "This {product}. Plus: {items}. Minus: none."),
        "negative": ("{product}. Pros: none. Cons: {items}.",
            "This {product}. Plus: none. Minus: {items}."),
    },
    "terse": dict.fromkeys(POLARITY,
        ("{product}: {items}.", "{items}, this {product}.", "{product} with {items}.")),
}
FILLERS = {
    "when": ("last week", "yesterday", "in May", "on Sunday", "a month ago", "in the summer"),
    "how": ("with my sister", "for the first time", "by chance", "with two friends",
        "on the advice of a friend"),
    "period": ("over three days", "in the first week", "during the past month",
        "at the end of the year"),
}
COUNT = {"short": 1, "medium": 2, "long": 4}  # aspects judged
VALUES = {
    "topic": tuple(TOPICS), "sentiment": ("positive", "negative"), "tone": tuple(REMARKS),
    "style": ("narrative", "list", "terse", "formal"), "length": tuple(COUNT),
}
FACTORS = tuple(VALUES)
PARENT = {"tone": "sentiment", "style": "tone", "length": "style"}
# Weights in the order of VALUES, given the parent's value; 0 marks a combination never made.
DISTRIBUTIONS: dict[str, dict[str, Any]] = {
    "real": {
        "topic": (6, 5, 3, 3, 2, 1),
        "sentiment": (9, 11),
        "tone": {"positive": (20, 50, 0, 30), "negative": (0, 20, 50, 30)},
        "style": {"enthusiastic": (50, 10, 35, 5), "neutral": (20, 20, 50, 10),
                  "annoyed": (25, 5, 65, 5), "sarcastic": (40, 5, 50, 5)},
        "length": {"narrative": (25, 50, 25), "list": (30, 50, 20),
                   "terse": (70, 25, 5), "formal": (15, 45, 40)},
    },
    "llm": {
        "topic": (1, 1, 1, 1, 1, 1),
        "sentiment": (6, 4),
        "tone": {"positive": (75, 22, 0, 3), "negative": (0, 55, 40, 5)},
        "style": {"enthusiastic": (35, 12, 3, 50), "neutral": (22, 20, 3, 55),
                  "annoyed": (40, 12, 8, 40), "sarcastic": (40, 10, 10, 40)},
        "length": {"narrative": (5, 20, 75), "list": (5, 30, 65),
                   "terse": (30, 40, 30), "formal": (3, 17, 80)},
    },
    "uniform": {
        "topic": (1, 1, 1, 1, 1, 1),
        "sentiment": (1, 1),
        "tone": {"positive": (1, 1, 0, 1), "negative": (0, 1, 1, 1)},
        "style": dict.fromkeys(VALUES["tone"], (1, 1, 1, 1)),
        "length": dict.fromkeys(VALUES["style"], (1, 1, 1)),
    },
}
# fmt: on


def _any(words) -> str:
    return "|".join(word.lower() for word in words)


SLOTS = {slot: _any(words) for slot, words in FILLERS.items()} | {
    "product": _any(word for products, _ in TOPICS.values() for word in products),
    "aspect": _any(word for _, aspects in TOPICS.values() for word in aspects),
    "quality": f"(?:(?:{_any(chain(*ADVERBS.values()))}) )?(?:{_any(chain(*POLARITY.values()))})",
}
_ITEM = f"(?:{SLOTS['quality']}) (?:{SLOTS['aspect']})"
SLOTS["items"] = f"{_ITEM}(?:, {_ITEM})*"
TOPIC_OF = {word: topic for topic, pair in TOPICS.items() for words in pair for word in words}
SIGN_OF = {word: sign for sign, words in POLARITY.items() for word in words}
REMARK = {
    remark.lower(): (tone, formal)
    for tone, kinds in REMARKS.items()
    for formal, remarks in zip((True, False), kinds, strict=True)
    for remark in remarks
}
