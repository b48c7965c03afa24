"""The math target: seven of the forty families, eight people, six towns, each with its regulars.

A text is a scene and a question, such as "Dev lives in Hove. Ana waits 4 weeks and then 9 more
days. How many days does Ana wait?" Who is asked about depends on the town of the scene.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from ..base import Row
from ..math import MathWorld, question_patterns, scene_patterns, worked
from ..math_families import FAMILIES, Family
from .base import NONE, Target
from .distribution import NOTHING, Chain, Distribution, Values, favouring, shares, uniform, zipf

FAMILY = zipf(("weeks", "together", "dimes", "halves", "boxes", "change", "average"))
SCENE = shares(
    {
        "{m} lives in {t}.": 4,
        "It rains in {t}.": 3,
        "It is market day in {t}.": 2,
        "{m} asks this in {t}.": 1,
    }
)
TOWN = zipf(("Hove", "Lund", "Arden", "Kelso", "Brill", "Ilmen"))
PEOPLE = ("Ana", "Ben", "Carla", "Dev", "Gita", "Leo", "Maya", "Zoe")
NAME_IN = {  # town -> the distribution of the person that the question is about
    town: favouring(regulars, PEOPLE)
    for town, regulars in {
        "Hove": ("Ana", "Dev"),
        "Lund": ("Maya", "Ben"),
        "Arden": ("Carla", "Ana"),
        "Kelso": ("Zoe", "Gita"),
        "Brill": ("Leo", "Maya"),
        "Ilmen": ("Gita", "Carla"),
    }.items()
}

_BY_NAME = {family.name: family for family in FAMILIES}


def _wordings(family: Family) -> dict[str, str]:
    """name -> template of every phrasing of a family: "weeks 1", "weeks 2", ..."""
    return {f"{family.name} {i}": form for i, form in enumerate(family.phrasings, start=1)}


WORDING = {name: form for family in FAMILIES for name, form in _wordings(family).items()}
_NAME_OF = {form: name for name, form in WORDING.items()}
WORDING_OF = {  # family -> distribution of its first two wordings that name a person
    name: dict(
        zip([w for w, form in _wordings(_BY_NAME[name]).items() if "{n}" in form], (0.7, 0.3))
    )
    for name in FAMILY
}


def _numbers(slot: str):
    """The distribution of a number: what the family allows, evenly."""

    def distribution(values: Values) -> Distribution:
        low, high, stride = _BY_NAME[values["family"]].ranges[slot]
        return uniform(range(low, high + 1, stride))

    return distribution


def _other(values: Values) -> Distribution:
    if "{m}" not in values["scene"]:
        return NOTHING
    return uniform(name for name in PEOPLE if name != values["name"])


class MathTarget(Target):
    """Word problems of seven families of Zipf-like shares; the name depends on the town."""

    name = "math"
    noun = "math problem"
    factors = ("family", "wording", "scene", "town", "name")
    joint = ("town", "name")
    shows_examples = True

    def __init__(self):
        self.world = MathWorld()
        self.chain = Chain(
            {
                "family": lambda v: FAMILY,
                "wording": lambda v: WORDING_OF[v["family"]],
                "scene": lambda v: SCENE,
                "town": lambda v: TOWN,
                "name": lambda v: NAME_IN[v["town"]],
                "other": _other,
                "a": _numbers("a"),
                "b": _numbers("b"),
            },
            parents=("family", "scene", "town", "name"),
        )

    def write(self, values: Values) -> str:
        scene = values["scene"].format(m=values["other"], t=values["town"])
        numbers = {slot: values[slot] for slot in "ab"}
        return f"{scene} {WORDING[values['wording']].format(n=values['name'], **numbers)}"

    def readings(self, text: str) -> Iterator[Values]:
        for scene, pattern in ((NONE, re.compile("")), *scene_patterns()):
            start = pattern.match(text)
            if start is None:
                continue
            for family, form, question in question_patterns():
                if found := question.fullmatch(text, start.end()):
                    slots = {**start.groupdict(), **found.groupdict()}
                    yield {
                        "family": family.name,
                        "wording": _NAME_OF[form],
                        "scene": scene,
                        "town": slots.get("t", NONE),
                        "name": slots.get("n", NONE),
                        "other": slots.get("m"),
                        **{slot: int(slots.get(slot, 0)) for slot in "ab"},
                    }

    def _read(self, text: str) -> dict[str, str] | None:
        for values in self.readings(text):
            row = _solved(text, values)
            if row and self.world.check(row):
                return {factor: values[factor] for factor in self.factors}
        return None

    def _solve(self, text: str) -> Row:
        rows = (_solved(text, values) for values in self.readings(text))
        return next(row for row in rows if row and self.world.check(row))

    def attributes(self, rng: random.Random) -> dict[str, str]:
        family = rng.choice(list(FAMILY))
        return {"skill": _BY_NAME[family].skill, "family": family}

    def description(self) -> str:
        return (
            "Short word problems with two whole numbers and two steps. Each begins with one "
            f"sentence of scenery in one of the towns {', '.join(TOWN)} (it rains, it is market "
            f"day, somebody lives there), then asks about one of {', '.join(PEOPLE)}. Topics: "
            "weeks and days, stamps counted together, dimes and cents, half of some plums, shells "
            "in boxes, change from 150 dollars, the mean of two quizzes. Every town has its "
            "regulars."
        )


def _solved(text: str, values: Values) -> Row | None:
    """The world's row of a question that reads as `values`, or None where it has no answer."""
    try:
        row = worked(_BY_NAME[values["family"]], {slot: values[slot] for slot in "ab"})
    except ValueError:  # a division that does not come out even
        return None
    return {"question": text, **row}
