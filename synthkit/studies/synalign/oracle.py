"""A teacher that knows the truth of the reviews world: it answers both calls without a model."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...synalign.attributes import Schema
from ...synalign.parsing import Record
from ...synalign.schemas import REVIEWS
from ...teacher.base import FunctionTeacher

if TYPE_CHECKING:
    from ...worlds.reviews import ReviewsWorld

_SPOILT: tuple[Callable[[Record], str], ...] = (
    lambda record: json.dumps({"review": {"attributes": record}}),
    lambda record: "\n".join(f"{name}: {value}" for name, value in list(record.items())[:-1]),
    lambda record: json.dumps({**record, "tone": "rather mixed"}),
    lambda record: "I am sorry, but I cannot judge this review.",
)


def read_prompt(schema: Schema, prompt: str) -> tuple[str, Any]:
    """The task of a prompt of `schema`: ("describe", text) or ("write", record).

    Raises:
        ValueError: the prompt is not one of this schema's.
    """
    before, _, after = schema.describe_prompt("{text}").partition("{text}")
    if prompt.startswith(before) and prompt.endswith(after):
        return "describe", prompt[len(before) : len(prompt) - len(after)]
    before, _, after = schema.write.partition("{record}")
    after = after.removeprefix("\n")  # an empty record leaves no line behind
    if prompt.startswith(before) and prompt.endswith(after):
        lines = prompt[len(before) : len(prompt) - len(after)].splitlines()
        pairs = [line.partition(": ") for line in lines if line]
        return "write", schema.checked({name: value for name, _, value in pairs})
    raise ValueError(f"not a prompt about a {schema.name}: {prompt[:60]!r}")


def oracle(world: ReviewsWorld, *, error_rate: float = 0.0, seed: int = 0) -> FunctionTeacher:
    """A teacher that answers the prompts of `REVIEWS` without a model.

    Asked for some attributes only, it draws the rest from the distribution of its world. A
    combination that the world never makes is answered by one that agrees in as many attributes as
    can be.

    Args:
        world: its distribution fills in the attributes that a prompt leaves open.
        error_rate: the share of descriptions that cannot be parsed.
        seed: of all its draws; a prompt that comes again gets a draw of its own.

    Raises:
        ValueError: `error_rate` is no share.
    """
    if not 0 <= error_rate <= 1:
        raise ValueError(f"error_rate is a share from 0 to 1, got {error_rate}")
    cells = world.support()
    weights, times = [world.probability(cell) for cell in cells], Counter()

    def answer(prompt: str, repeat: int = 0) -> str:
        times[prompt] = max(times[prompt], repeat) + 1  # a resumed run starts from 0
        rng = random.Random(f"reviews-oracle-{seed}-{times[prompt]}-{prompt}")
        task, given = read_prompt(REVIEWS, prompt)
        if task == "describe":
            record = REVIEWS.read(given)  # {} for a text that is no review
            spoilt = rng.random() < error_rate or not record
            return rng.choice(_SPOILT)(record) if spoilt else json.dumps(record)
        agree = [sum(cell[name] == value for name, value in given.items()) for cell in cells]
        best = max(agree)
        open_ = [weight * (n == best) for weight, n in zip(weights, agree)]
        return world.render(rng.choices(cells, open_)[0], rng)["text"]

    facts = {"world": world.distribution, "error_rate": error_rate, "seed": seed}
    return FunctionTeacher(answer, "reviews-oracle", **facts)
