"""The words and phrasings of the facts world, and what each of them states."""

from __future__ import annotations

NAMES = (
    "Adam Anna Ben Cara Dora Emil Finn Gina Hugo Ida Jack Kate Leo Mia Nora Omar Paul Rosa Sam "
    "Tara Udo Vera Walt Zoe"
).split()
WORDS = {
    "town": "Arden Brook Colby Dale Elton Ford Hale Marlow Norwood Selby".split(),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "weather": "cold dry sunny warm wet windy".split(),
    "mark": "bridge gate lake mill tower well".split(),
}
OPPOSITE = {"north": "south", "south": "north", "east": "west", "west": "east"}
THINGS = {
    "zoo": "apes bears foxes lions owls seals".split(),
    "museum": "coins crowns masks statues swords vases".split(),
    "harbour": "barrels boats crabs flags nets ropes".split(),
    "school": "books chairs desks drums globes pens".split(),
    "market": "baskets cheeses eggs melons pears plums".split(),
    "mountain": "caves eagles huts springs tents trails".split(),
    "farm": "cows ducks goats hens ploughs ponies".split(),
    "library": "atlases lamps letters novels shelves stamps".split(),
}

# What each bundle of facts may sound like. `scene` comes first in every passage.
# fmt: off
SENTENCES: dict[str, tuple[str, ...]] = {
    "scene": ("It is a {weather} {day} at the {place} near {town}.",
        "On a {weather} {day} many people visit the {place} near {town}.",
        "The {place} near {town} is full on this {weather} {day}."),
    "keeper": ("{a} looks after the {x}, and {b} looks after the {y}.",
        "The {x} are in the care of {a}, the {y} in the care of {b}.",
        "While {b} takes care of the {y}, {a} takes care of the {x}."),
    "count": ("{a} counted {n} {x}, and {b} counted {m} {x} that day.",
        "Of the {x}, {a} counted {n} and {b} counted {m}.",
        "The number of {x} was {n} for {a} but {m} for {b}."),
    "drawing": ("{a} and {b} drew the {x}, but {c} did not.",
        "{c} did not draw the {x}, though {a} and {b} did.",
        "Unlike {c}, both {a} and {b} drew the {x}."),
    "walk": ("In the morning {group} walked to the {mark}.",
        "The walk to the {mark} was joined by {group}.",
        "To the {mark} went {group}, all of them on foot."),
    "arrival": ("{a} arrived before {b}, and {b} arrived before {c}.",
        "{c} arrived after {b}, and {b} arrived after {a}.",
        "{b} came later than {a} but earlier than {c}."),
    "side": ("The {x} are {side} of the {mark}, which is {side} of the {y}.",
        "The {y} are on the {other} side of the {mark}, the {x} on the {side} side.",
        "From the {mark} one goes {side} to the {x} and {other} to the {y}."),
    "hours": ("The {place} opens at {n} and closes at {m} each day.",
        "Each day the {place} is open from {n} until {m}.",
        "The doors open at {n} and shut at {m} at this {place}."),
}
# (reasoning, variant) -> phrasings. All phrasings of one variant ask the same thing.
QUESTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("lookup", "does"): ("Does {a} look after the {x}?", "Are the {x} in the care of {a}?"),
    ("comparison", "more"): ("Did {a} count more {x} than {b}?",
        "Is the number of {x} higher for {a} than for {b}?"),
    ("comparison", "fewer"): ("Did {a} count fewer {x} than {b}?",
        "Is the number of {x} lower for {a} than for {b}?"),
    ("sum", "exactly"): ("Did {a} and {b} count {n} {x} in all?",
        "Is {n} the number of {x} that {a} and {b} counted together?"),
    ("sum", "over"): ("Did {a} and {b} count more than {n} {x} in all?",
        "Is the number of {x} that {a} and {b} counted together over {n}?"),
    ("negation", "did"): ("Did {a} draw the {x}?", "Is it true that {a} drew the {x}?"),
    ("negation", "did not"): ("Is it true that {a} did not draw the {x}?",
        "Did {a} leave without a drawing of the {x}?"),
    ("counting", "exactly"): ("Did exactly {n} people walk to the {mark}?",
        "Was the walk to the {mark} joined by {n} people?"),
    ("counting", "over"): ("Did more than {n} people walk to the {mark}?",
        "Was the walk to the {mark} joined by more than {n} people?"),
    ("ordering", "before"): ("Did {a} arrive before {b}?", "Did {b} arrive after {a}?",
        "Did {a} come earlier than {b}?"),
    ("location", "side"): ("Are the {x} {side} of the {y}?",
        "Does one go {side} from the {y} to the {x}?"),
    ("time", "open"): ("Is the {place} open at {n}?", "Can one go into the {place} at {n}?"),
}
# What each bundle states, as facts in the checker's own words.
STATED: dict[str, dict[str, str]] = {
    "scene": {"topic": "{place}"},
    "keeper": {"keeper of {x}": "{a}", "keeper of {y}": "{b}"},
    "count": {"{x} by {a}": "{n}", "{x} by {b}": "{m}"},
    "drawing": {"{a} drew {x}": "did", "{b} drew {x}": "did", "{c} drew {x}": "did not"},
    "walk": {"walk to {mark}": "{size}"},
    "arrival": {"{a} to {b}": "before", "{a} to {c}": "before", "{b} to {c}": "before",
                "{b} to {a}": "after", "{c} to {a}": "after", "{c} to {b}": "after"},
    "side": {"{x} from {y}": "{side}", "{y} from {x}": "{other}"},
    "hours": {"{place} opens": "{n}", "{place} closes": "{m}"},
}
# the bundle of facts on which each reasoning type rests
EVIDENCE = {
    "lookup": "keeper", "comparison": "count", "sum": "count", "negation": "drawing",
    "counting": "walk", "ordering": "arrival", "location": "side", "time": "hours",
}
# fmt: on
TOPICS, REASONING = tuple(THINGS), tuple(EVIDENCE)
# How the checker reads each slot.
NAME, THING = "|".join(NAMES), "|".join(" ".join(map(" ".join, THINGS.values())).split())
SLOTS = {slot: "|".join(words) for slot, words in WORDS.items()} | {
    **dict.fromkeys("abc", NAME), **dict.fromkeys("xy", THING), "place": "|".join(TOPICS),
    **dict.fromkeys(("side", "other"), "|".join(OPPOSITE)), "n": r"[1-9]\d?", "m": r"[1-9]\d?",
    "group": f"(?:(?:{NAME}), )*(?:{NAME}) and (?:{NAME})",
}  # fmt: skip
