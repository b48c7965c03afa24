"""The facts target: three topics and four kinds of reasoning, which depend on each other.

A text is a passage of a scene and two more sentences, and the question below it. One sentence holds
the evidence, the other one distracts.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from ..base import Row, form_pattern
from ..facts import FactsWorld, read_form, read_passage
from ..facts_forms import EVIDENCE, NAME, QUESTIONS, SENTENCES, SLOTS, THINGS
from .base import NONE, Target
from .distribution import NOTHING, Chain, Distribution, Values, dealt, shares, uniform, zipf

TOPIC = shares({"harbour": 5, "library": 3, "farm": 2})
REASONING_IN = {
    "harbour": shares({"lookup": 12, "negation": 1, "ordering": 5, "time": 2}),
    "library": shares({"lookup": 2, "negation": 11, "ordering": 1, "time": 6}),
    "farm": shares({"lookup": 1, "negation": 4, "ordering": 13, "time": 2}),
}
ANSWER = uniform(("yes", "no"))
OTHER = {"hours": 5, "keeper": 3, "drawing": 2}  # what the distracting sentence is about
TOWN = zipf(("Hale", "Selby", "Dale", "Norwood"))
DAY = zipf(("Friday", "Monday", "Sunday"))
WEATHER = zipf(("windy", "wet", "cold"))
NAMES = zipf(("Nora", "Emil", "Rosa", "Jack", "Ida", "Omar"))
THING = {topic: zipf(THINGS[topic], s=0.7) for topic in TOPIC}

# What a bundle of each kind holds: the slots of its people and of its things.
PEOPLE = {"keeper": "ab", "drawing": "abc", "arrival": "abc", "hours": ""}
GOODS = {"keeper": "xy", "drawing": "x", "arrival": "", "hours": ""}
HOURS = uniform(itertools.product(range(6, 11), range(14, 20)))  # (opens, closes), as the world
_REASONING = {EVIDENCE[reasoning]: reasoning for reasoning in REASONING_IN["harbour"]}
_FORMS = {2: (0.7, 0.3), 3: (0.6, 0.3, 0.1)}


def _forms(count: int) -> Distribution:
    """The distribution of which of `count` phrasings is used: the first ones more often."""
    return dict(enumerate(_FORMS[count]))


def _variant(values: Values) -> Distribution:
    variants = [v for reasoning, v in QUESTIONS if reasoning == values["reasoning"]]
    return dict(zip(variants, (0.7, 0.3))) if len(variants) > 1 else {variants[0]: 1.0}


def _other(values: Values) -> Distribution:
    evidence = EVIDENCE[values["reasoning"]]
    return shares({kind: weight for kind, weight in OTHER.items() if kind != evidence})


def _kinds(values: Values) -> tuple[str, str]:
    return EVIDENCE[values["reasoning"]], values["other"]


def _more_names(values: Values) -> Distribution:
    """All names but the first one, which is the slot `name`."""
    left = tuple(item for item in NAMES.items() if item[0] != values["name"])
    return dealt(left, sum(len(PEOPLE[kind]) for kind in _kinds(values)) - 1)


def _things(values: Values) -> Distribution:
    count = sum(len(GOODS[kind]) for kind in _kinds(values))
    return dealt(tuple(THING[values["topic"]].items()), count)


def _asked(values: Values) -> Distribution:
    """Object of the question: slots of the evidence, or an hour."""
    yes = values["answer"] == "yes"
    if values["reasoning"] == "lookup":
        return uniform(("ax", "by") if yes else ("ay", "bx"))
    if values["reasoning"] == "negation":
        return uniform("ab" if yes == (values["variant"] == "did") else "c")
    if values["reasoning"] == "ordering":
        return {"ac" if yes else "ca": 1.0}
    opens, closes = values["hours"]
    outside = [*range(opens - 4, opens), *range(closes + 1, closes + 5)]
    return uniform(range(opens + 1, closes) if yes else outside)


def _ask_form(values: Values) -> Distribution:
    return _forms(len(QUESTIONS[values["reasoning"], values["variant"]]))


class FactsTarget(Target):
    """Passages with a yes/no question; the kind of reasoning depends on the topic."""

    name = "facts"
    noun = "passage"
    factors = ("topic", "reasoning", "answer", "other", "town", "name")
    joint = ("topic", "reasoning")

    def __init__(self):
        self.world = FactsWorld()
        self.chain = Chain(
            {
                "topic": lambda v: TOPIC,
                "reasoning": lambda v: REASONING_IN[v["topic"]],
                "variant": _variant,
                "answer": lambda v: ANSWER,
                "other": _other,
                "town": lambda v: TOWN,
                "name": lambda v: NAMES,
                "names": _more_names,
                "things": _things,
                "hours": lambda v: HOURS if "hours" in _kinds(v) else NOTHING,
                "day": lambda v: DAY,
                "weather": lambda v: WEATHER,
                "first": lambda v: {True: 0.7, False: 0.3},  # whether the evidence comes first
                "scene_form": lambda v: _forms(3),
                "evidence_form": lambda v: _forms(3),
                "other_form": lambda v: _forms(3),
                "asked": _asked,
                "ask_form": _ask_form,
            },
            parents=("topic", "reasoning", "variant", "answer", "other", "name", "hours"),
        )

    def write(self, values: Values) -> str:
        bundles = _bundles(values)
        evidence, other = (
            SENTENCES[kind][values[f"{part}_form"]].format(**bundle)
            for part, kind, bundle in zip(("evidence", "other"), _kinds(values), bundles)
        )
        scene = SENTENCES["scene"][values["scene_form"]].format(
            place=values["topic"], **{slot: values[slot] for slot in ("weather", "day", "town")}
        )
        order = (evidence, other) if values["first"] else (other, evidence)
        return f"{' '.join([scene, *order])}\nQuestion: {_question(values, bundles[0])}"

    def readings(self, text: str) -> Iterator[Values]:
        sentences = re.split(r"(?<=\.) ", text.split("\nQuestion: ")[0])
        if len(sentences) != 3:
            return
        for scene, *pair in itertools.product(*map(_said, sentences)):
            for first in (True, False):
                evidence, other = pair if first else reversed(pair)
                kinds = (evidence[0], other[0])
                if scene[0] == "scene" and kinds[0] in _REASONING and kinds[1] in PEOPLE:
                    yield _known(scene, evidence, other) | {"first": first}

    def _read(self, text: str) -> dict[str, str] | None:
        passage, _, question = text.partition("\nQuestion: ")
        try:
            bundles = read_passage(passage)
            (reasoning, _), _ = read_form(question, "question")
        except ValueError:
            return None
        kind, scene = bundles[0]
        if kind != "scene":
            return None
        row = {"passage": passage, "question": question, "reasoning": reasoning}
        row["topic"] = scene["place"]
        answers = [answer for answer in ANSWER if self.world.check({**row, "answer": answer})]
        if not answers:
            return None
        evidence = [slots for kind, slots in bundles if kind == EVIDENCE[reasoning]][:1]
        others = [bundle for bundle in bundles[1:] if bundle[1] not in evidence]
        people = [_first_name(slots) for slots in [*evidence, *(slots for _, slots in others)]]
        return {
            "topic": row["topic"],
            "reasoning": reasoning,
            "answer": answers[0],
            "other": "+".join(sorted(kind for kind, _ in others)) or NONE,
            "town": scene["town"],
            "name": next(filter(None, people), NONE),
        }

    def _solve(self, text: str) -> Row:
        passage, _, question = text.partition("\nQuestion: ")
        return {"passage": passage, "question": question}

    def extract(self, text: str) -> str:
        """The passage and its question, without the answer."""
        return text.split("\nAnswer:")[0].strip()

    def attributes(self, rng: random.Random) -> dict[str, str]:
        reasoning = list(_REASONING.values())
        distributions = {"topic": list(TOPIC), "reasoning": reasoning, "answer": list(ANSWER)}
        return {name: rng.choice(values) for name, values in distributions.items()}

    def description(self) -> str:
        return (
            "A passage of three sentences and a yes/no question below it. The first sentence sets "
            f"a scene at a {', a '.join(TOPIC)} near {', '.join(TOWN)}; one of the other two "
            "answers the question and one does not. The question looks up who takes care of what, "
            "asks who drew something, who arrived before whom, or whether the place is "
            f"open at an hour. The people are {', '.join(NAMES)}. What is asked depends on the "
            "place: at the harbour mostly who takes care of what, in the library who drew what and "
            "the hours, on the farm who arrived first."
        )


def _first_name(slots: dict[str, Any]) -> str | None:
    """The first person that a bundle names in its own order."""
    group = re.findall(NAME, slots.get("group", ""))
    return slots.get("a") or (group[0] if group else None)


def _bundles(values: Values) -> list[dict[str, Any]]:
    """The slots of the evidence and of the other sentence."""
    names, things = iter((values["name"], *values["names"])), iter(values["things"])
    opens, closes = values["hours"] or (None, None)
    fixed = {"place": values["topic"], "n": opens, "m": closes}
    return [
        fixed | dict(zip(PEOPLE[kind], names)) | dict(zip(GOODS[kind], things))
        for kind in _kinds(values)
    ]


def _question(values: Values, evidence: dict[str, Any]) -> str:
    asked, reasoning = values["asked"], values["reasoning"]
    form = QUESTIONS[reasoning, values["variant"]][values["ask_form"]]
    if reasoning == "time":
        return form.format(place=values["topic"], n=asked)
    if reasoning == "ordering":
        return form.format(a=evidence[asked[0]], b=evidence[asked[1]])
    return form.format(a=evidence[asked[0]], x=evidence[asked[1:] or "x"])


def _said(sentence: str) -> list[tuple[str, int, dict[str, str]]]:
    """Every (kind, phrasing, slots) as which a sentence of a passage can be read."""
    found = ((kind, i, pattern.fullmatch(sentence)) for kind, i, pattern in _sentences())
    return [(kind, i, match.groupdict()) for kind, i, match in found if match]


def _known(scene: tuple, evidence: tuple, other: tuple) -> Values:
    """Slots of the target that three sentences fix, once they are read."""
    pair = (evidence, other)
    names = [slots[slot] for kind, _, slots in pair for slot in PEOPLE[kind]]
    hours = [(int(s["n"]), int(s["m"])) for kind, _, s in pair if kind == "hours"]
    return {
        "topic": scene[2]["place"],
        **{slot: scene[2][slot] for slot in ("town", "day", "weather")},
        "reasoning": _REASONING[evidence[0]],
        "other": other[0],
        "name": names[0] if names else None,
        "names": tuple(names[1:]),
        "things": tuple(slots[slot] for kind, _, slots in pair for slot in GOODS[kind]),
        "hours": hours[0] if hours else None,
        "scene_form": scene[1],
        "evidence_form": evidence[1],
        "other_form": other[1],
    }


@cache
def _sentences() -> tuple[tuple[str, int, re.Pattern], ...]:
    return tuple(
        (kind, i, form_pattern(form, SLOTS))
        for kind, forms in SENTENCES.items()
        for i, form in enumerate(forms)
    )
