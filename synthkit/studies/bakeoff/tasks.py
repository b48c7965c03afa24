"""The task of the bake-off: texts of two classes, and what each way is told about them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...lm.documents import write_prompt
from ...synalign.attributes import Schema
from ...synalign.schemas import SURFACE
from ...teacher import LMTeacher, Reply
from ...worlds import load_world
from ...worlds.reviews import read_attributes
from ..real_data import RealData, about_of
from ..synalign.real_trial import classes_of_set

WORLD = "reviews"
CLASS = "sentiment"
CLASSES = ("negative", "positive")
LEAST_WORDS = 3  # of a text that can be used
SENTENCE = ("\n", ". ", "! ", "? ")  # what ends one
OPENING = 2  # words of a text that SPA's prompt shows
Row = dict[str, Any]


def labelled(row: Mapping[str, Any]) -> str:
    """A row as one text, its class in front."""
    return f"{row['label']}: {row['text']}"


def read_labelled(text: str) -> Row | None:
    """The row of a text with its class in front; None where it names no class."""
    label, _, rest = text.partition(":")
    return as_row(rest, label.strip().lower())


def as_row(text: str, label: Any) -> Row | None:
    """A row that can be used: a class of the task and `LEAST_WORDS` words or more; else None."""
    text = " ".join(text.split())
    good = label in CLASSES and len(text.split()) >= LEAST_WORDS
    return {"text": text, "label": label} if good else None


def opened(row: Mapping[str, Any]) -> Row:
    """A row as SPA learns it: class and first words are asked, the rest is the answer."""
    words = row["text"].split()
    first = min(OPENING, len(words) - 1)
    prompt = " ".join([f"{row['label']}:", *words[:first]])
    return {"prompt": prompt, "completion": " " + " ".join(words[first:])}


@dataclass(frozen=True)
class Task:
    """A set of texts, and how a model is asked for one.

    Attributes:
        asks: from (class, n, rng) to n prompts of a person who has seen no text.
        between: from (model, seed, options) to a teacher that writes between two texts.
        prompts: of `EmbedSDG` for that teacher.
        schema: of `SynAlign`; None: its own for the columns.
        stop: what ends a text that is asked for; a real text is one sentence.
    """

    asks: Callable[[str, int, random.Random], list[str]]
    between: Callable[..., Any]
    prompts: Mapping[str, str]
    schema: Schema | None = None
    stop: tuple[str, ...] = ()


def task_of(data: RealData, about: str | None = None) -> Task:
    """The task of a set: the reviews world, or real texts with a model that can be asked."""
    if data.name == WORLD:
        return Task(headers, Mixing, {"generate without sketch": MIXED})
    told = about_of(data, about)
    schema = replace(SURFACE, write=SURFACE.write.replace("one new text", told))

    def asks(label: str, n: int, rng: random.Random) -> list[str]:
        return [f"Write one new text of this kind: {told}, {label} in tone. Write the text only."]

    return Task(asks, Continuing, {"generate without sketch": CONTINUED}, schema, SENTENCE)


def world_data(n: int = 4000) -> RealData:
    """Rows of the reviews world; the class is the sentiment."""
    rows = [{**row, "label": row[CLASS]} for row in load_world(WORLD).rows(n, seed="bake-off")]
    return RealData(WORLD, rows, {"text": "text", "label": CLASS})


def in_words(data: RealData, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows with their class in words, and as the column `CLASS` as well."""
    words = classes_of_set(data.name)[1]
    found = [{**row, "label": words.get(row["label"], row["label"])} for row in rows]
    return [{**row, CLASS: row["label"]} for row in found]


# --- the embedded model, which knows the world's headers ------------------------------------------


def headers(label: str, n: int, rng: random.Random) -> list[str]:
    """Prompts with attributes that are all alike probable: what a person can know of the world."""
    cells = [cell for cell in load_world(WORLD).support() if cell[CLASS] == label]
    return [write_prompt(WORLD, **cell) for cell in rng.choices(cells, k=n)]


MIXED = "{question_1}\n\n{answer_1}\n\n{question_2}\n\n{answer_2}"


class Mixing(LMTeacher):
    """The embedded model between two reviews: asked for a mixture of their attributes.

    It knows no prompt that shows examples, so the world's own reader tells what the two show.
    """

    def complete(self, prompts: list[str], **how: Any) -> list[Reply]:
        """A review and its class for each of `prompts`, in the form of `MIXED`."""
        cells = [mixture(prompt) for prompt in prompts]
        written = super().complete([write_prompt(WORLD, **cell) for cell in cells], **how)
        return [reply(text, cell[CLASS], text) for text, cell in zip(written, cells)]


def mixture(prompt: str) -> dict[str, str]:
    """Attributes of a review between the two of a prompt, each from one of them by chance."""
    texts, rng = prompt.split("\n\n")[::2], random.Random(prompt)
    sides = [read_attributes(text) for text in texts]
    mixed = {name: rng.choice(sides)[name] for name in ("topic", "length", "style")}
    feeling = rng.choice(sides)  # sentiment and tone depend on each other
    return {**mixed, CLASS: feeling[CLASS], "tone": feeling["tone"]}


# --- a real model, which continues examples -------------------------------------------------------

_SHOWN = "Text: {question_%d}\nSentiment: {answer_%d}\n\n"
CONTINUED = _SHOWN % (1, 1) + _SHOWN % (2, 2) + "Text:"


class Continuing(LMTeacher):
    """A small model that continues two examples by a third one, its class behind it."""

    def __init__(self, lm: Any, **options: Any):
        super().__init__(lm, chat=False, stop="\n\n", **options)

    def complete(self, prompts: list[str], **how: Any) -> list[Reply]:
        """A text and its class behind each of `prompts`."""
        found = []
        for whole in super().complete(prompts, **how):
            text, _, label = whole.partition("\nSentiment:")
            found.append(reply(text, (label.split() or [""])[0].lower(), whole))
        return found


def reply(text: str, label: str, whole: Reply) -> Reply:
    """Text and class in the form of an answer to EmbedSDG's prompts."""
    form = f"### Question\n{text.strip()}\n### Answer\n{label}\n### <final_answer>\n{label}"
    return Reply(form, whole.finish_reason)
