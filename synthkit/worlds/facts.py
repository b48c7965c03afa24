"""The facts world: a short passage and a yes/no question about it (the BoolQ shape).

A passage is a scene and two or three more sentences, each stating one bundle of facts in one of
several phrasings; only one bundle matters to the question. The generator draws the answer first
and makes a question to fit it. `check` goes the other way: it reads the sentences back into facts
and works the answer out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from .base import Row, World, form_pattern
from .facts_forms import (
    EVIDENCE,
    NAME,
    NAMES,
    OPPOSITE,
    QUESTIONS,
    REASONING,
    SENTENCES,
    SLOTS,
    STATED,
    THINGS,
    TOPICS,
    WORDS,
)


@cache
def _patterns(of: str) -> tuple:
    """(key, pattern) for every phrasing of the sentences or of the questions."""
    table = {"sentence": SENTENCES, "question": QUESTIONS}[of]
    return tuple((key, form_pattern(form, SLOTS)) for key in table for form in table[key])


def read_form(text: str, of: str) -> tuple[Any, dict[str, Any]]:
    """(key, slots) of one `"sentence"` or `"question"`; ValueError when no form fits it."""
    for key, pattern in _patterns(of):
        if not (found := pattern.fullmatch(text)):
            continue
        slots: dict[str, Any] = found.groupdict()
        group = re.findall(NAME, slots.get("group", ""))
        slots["size"] = len(group)
        people = [slots[slot] for slot in "abc" if slot in slots] + group
        if len(set(people)) < len(people) or slots.get("x") == slots.get("y", ""):
            raise ValueError(f"someone or something comes twice in {text!r}")
        if "side" in slots:
            if slots.setdefault("other", OPPOSITE[slots["side"]]) != OPPOSITE[slots["side"]]:
                raise ValueError(f"the two sides in {text!r} are not opposite")
        return key, slots
    raise ValueError(f"no {of} form fits {text!r}")


def read_passage(passage: str) -> list[tuple[str, dict[str, Any]]]:
    """The bundles of facts a passage states, as (kind, slots); ValueError if it cannot be read."""
    return [read_form(sentence, "sentence") for sentence in re.split(r"(?<=\.) ", passage)]


def _facts(bundles: list[tuple[str, dict[str, Any]]]) -> dict[str, str]:
    """All facts in one dictionary; ValueError when one of them is told twice."""
    told = [(f.format(**s), v.format(**s)) for kind, s in bundles for f, v in STATED[kind].items()]
    if len(dict(told)) < len(told):
        raise ValueError(f"a fact is told twice in {told}")
    return dict(told)


def _truth(reasoning: str, variant: str, s: dict[str, Any], facts: dict[str, str]) -> bool:
    """The answer that `facts` give; KeyError when they do not speak of it."""
    n = int(s.get("n", 0))
    if EVIDENCE[reasoning] == "count":
        first, second = (int(facts[f"{s['x']} by {s[who]}"]) for who in "ab")
        both = first + second
        return {"more": first > second, "fewer": first < second, "exactly": both == n,
                "over": both > n}[variant]  # fmt: skip
    if reasoning == "lookup":
        return facts[f"keeper of {s['x']}"] == s["a"]
    if reasoning == "negation":
        return facts[f"{s['a']} drew {s['x']}"] == variant
    if reasoning == "counting":
        size = int(facts[f"walk to {s['mark']}"])
        return size == n if variant == "exactly" else size > n
    if reasoning == "ordering":
        return facts[f"{s['a']} to {s['b']}"] == variant
    if reasoning == "location":
        return facts[f"{s['x']} from {s['y']}"] == s["side"]
    return int(facts[f"{s['place']} opens"]) <= n < int(facts[f"{s['place']} closes"])


def _bundle(kind: str, topic: str, deal: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """Slots for one bundle; names, things and landmarks are dealt, so that none comes twice."""
    a, b, c, *group = (next(deal["name"]) for _ in range(rng.randint(5, 8)))
    x, y, mark = next(deal["thing"]), next(deal["thing"]), next(deal["mark"])
    n, m = rng.sample(range(2, 41), 2)
    if kind == "hours":
        n, m = rng.randint(6, 10), rng.randint(14, 19)
    side = rng.choice(list(OPPOSITE))
    return {
        "a": a, "b": b, "c": c, "x": x, "y": y, "n": n, "m": m, "mark": mark, "place": topic,
        "group": ", ".join(group[:-1]) + " and " + group[-1], "size": len(group),
        "side": side, "other": OPPOSITE[side],
    }  # fmt: skip


def _ask(reasoning: str, variant: str, s: dict, yes: bool, rng: random.Random) -> dict[str, Any]:
    """Slots for a question about the bundle `s` whose answer is `yes`, by construction."""
    off = rng.randint(1, 4)
    if reasoning == "lookup":
        who, own, other = rng.choice([(s["a"], s["x"], s["y"]), (s["b"], s["y"], s["x"])])
        return {"a": who, "x": own if yes else other}
    if reasoning == "comparison":
        larger_first = yes == (variant == "more")
        a, b = (s["a"], s["b"]) if (s["n"] > s["m"]) == larger_first else (s["b"], s["a"])
        return {"a": a, "b": b, "x": s["x"]}
    if reasoning == "negation":
        drew = yes == (variant == "did")
        return {"a": s[rng.choice("ab")] if drew else s["c"], "x": s["x"]}
    if reasoning in ("sum", "counting"):
        true, off = (s["size"], 1) if reasoning == "counting" else (s["n"] + s["m"], off)
        exactly = true if yes else true + rng.choice([off, -off])
        over = true - off if yes else true + off - 1
        return {**s, "n": exactly if variant == "exactly" else over}
    if reasoning == "ordering":
        return {"a": s["a"], "b": s["c"]} if yes else {"a": s["c"], "b": s["a"]}
    if reasoning == "location":
        swap = rng.random() < 0.5
        x, y = (s["y"], s["x"]) if swap else (s["x"], s["y"])
        return {"x": x, "y": y, "side": s["side"] if yes != swap else s["other"]}
    outside = [s["n"] - off, s["m"] + off]
    return {**s, "n": rng.randint(s["n"] + 1, s["m"] - 1) if yes else rng.choice(outside)}


def _say(forms: tuple[str, ...], slots: Mapping, rng: random.Random, unlike: str = "") -> str:
    """`slots` in one of `forms`, drawn among those that do not give the text `unlike`."""
    said = [form.format(**slots) for form in forms]
    return rng.choice([text for text in said if text != unlike])


class FactsWorld(World):
    """Passages of 25 to 45 words with a yes/no question; eight topics, eight reasoning types."""

    name = "facts"
    columns = ("passage", "question", "answer", "reasoning", "topic")
    factors = ("reasoning", "topic")
    header = ("topic", "reasoning", "answer")

    def example(self, rng: random.Random) -> Row:
        topic, reasoning = rng.choice(TOPICS), rng.choice(REASONING)
        variant = rng.choice([v for r, v in QUESTIONS if r == reasoning])
        yes = rng.random() < 0.5
        deal = {"name": NAMES, "thing": THINGS[topic], "mark": WORDS["mark"]}
        deal = {of: iter(rng.sample(words, len(words))) for of, words in deal.items()}
        key = EVIDENCE[reasoning]
        others = rng.sample(sorted(set(EVIDENCE.values()) - {key}), rng.choice([1, 1, 2]))
        kinds = rng.sample([key, *others], 1 + len(others))
        bundles = {kind: _bundle(kind, topic, deal, rng) for kind in kinds}
        scene = {slot: rng.choice(WORDS[slot]) for slot in ("town", "day", "weather")}
        bundles = {"scene": scene | {"place": topic}, **bundles}
        passage = " ".join(_say(SENTENCES[kind], bundles[kind], rng) for kind in bundles)
        if not 25 <= len(passage.split()) <= 45:
            return self.example(rng)
        asked = _ask(reasoning, variant, bundles[key], yes, rng)
        question = _say(QUESTIONS[reasoning, variant], asked, rng)
        answer = "yes" if yes else "no"
        return dict(zip(self.columns, (passage, question, answer, reasoning, topic), strict=True))

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell whether answer, reasoning type and topic are those that the surface text shows.

        Raises:
            KeyError: a column is missing (the message names it).
        """
        self.require(row, *self.columns)
        try:
            bundles = read_passage(str(row["passage"]))
            (reasoning, variant), asked = read_form(str(row["question"]), "question")
            facts = _facts(bundles)
            topic, truth = facts["topic"], _truth(reasoning, variant, asked, facts)
        except (ValueError, KeyError):  # unreadable, or silent on the question
            return False
        spoken = [slots for _, slots in bundles] + [asked]
        words = {s[slot] for s in spoken for slot in ("x", "y", "place") if slot in s}
        labels = ("yes" if truth else "no", reasoning, topic)
        return words <= {topic, *THINGS[topic]} and labels == tuple(
            row[name] for name in self.columns[2:]
        )

    def text(self, row: Mapping[str, Any]) -> str:
        self.require(row, "passage", "question", "answer")
        return f"{row['passage']}\nQuestion: {row['question']}\nAnswer: {row['answer']}"

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same facts and the same question, every sentence in another phrasing.

        Raises:
            KeyError: the passage or the question is missing.
            ValueError: a sentence is not one that this world writes.
        """
        self.require(row, "passage", "question")
        old = re.split(r"(?<=\.) ", row["passage"])
        said = [
            _say(SENTENCES[kind], slots, rng, unlike=sentence)
            for sentence, (kind, slots) in zip(old, read_passage(row["passage"]), strict=True)
        ]
        key, slots = read_form(row["question"], "question")
        question = _say(QUESTIONS[key], slots, rng, unlike=row["question"])
        return {**row, "passage": " ".join(said), "question": question}
