"""Capabilities of a model in the embedded model's format, counted by the worlds themselves.

Capabilities: copy (the text comes back to the letter), write well formed, follow (the text shows
the attributes that the prompt asked for), rephrase (other words, same facts), describe, solve (the
program passes its tests), and arithmetic. The seed is one that training does not use, and the
held-out texts are fresh draws.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from ..lm.documents import NOUNS, Corpus, arithmetic, instruction, nonsense, surface, write_prompt
from ..lm.finetune import final_answer
from ..worlds import World
from ..worlds.code import recognise_style
from ..worlds.facts_forms import REASONING, TOPICS
from ..worlds.math import read_question
from ..worlds.reviews import read_attributes
from ..worlds.tools_words import CATEGORIES
from .measurements import means
from .study import Case, Study, Table, Trial, Unit

Judge = Callable[[World, str, Mapping], tuple[bool, bool]]  # (well formed, follows the row)
CAPABILITIES = ("copy", "write well formed", "follow", "solve", "rephrase", "describe")


@dataclass(frozen=True)
class CapabilityPreset:
    """Tries per capability and world, and the seeds of what is tried."""

    n: int = 100
    seeds: tuple[int, ...] = (0, 1, 2)


def cases(preset: CapabilityPreset) -> list[Case]:
    """A unit for each world, and one for what belongs to none."""
    units = [
        Unit(name, partial(measure_world, world=world), measures=("copy", "follow"))
        for name, world in sorted(Corpus().worlds.items())
    ]
    return [Case([*units, Unit("no world", measure_rest, ("nonsense", "arithmetic"))], Trial)]


def measure_world(trial: Trial, world: World) -> None:
    """Shares of held-out tries in one world, by capability."""
    lm, name = trial.lm, world.name
    drawn = world.rows(trial.preset.n, seed=f"held-out-{trial.seed}")
    shares = {
        "copy": _copy(lm, [surface(world, row) for row in drawn]),
        **_write(lm, world, drawn, trial.seed),
    }
    if name in ("math", "reviews"):
        shares["rephrase"] = _rephrase(lm, world, drawn)
    if name == "reviews":
        shares["describe"] = _describe(lm, world, drawn)
    if name == "code":
        shares["solve"] = _solve(lm, drawn)
    trial.add(name, shares)


def measure_rest(trial: Trial) -> None:
    """Copies of nonsense, and sums."""
    n, rng = trial.preset.n, random.Random(f"held-out-{trial.seed}")
    trial.add("nonsense", {"copy": _copy(trial.lm, [nonsense(rng) for _ in range(n)])})
    trial.add("arithmetic", {"solve": _arithmetic(trial.lm, n, rng)})


STUDY = Study(
    "embedded_lm", "The embedded model", cases, {"study": CapabilityPreset()},
    place="",
    tables=(
        Table(lambda result: means(result, {name: name for name in CAPABILITIES}), overall=True),
    ),
    notes="Shares of held-out tries; writing is sampled at temperature 1, all else is greedy.",
    command="synthkit capabilities",
)  # fmt: skip


def _share(right: list[bool]) -> float:
    return sum(right) / len(right)


def _copy(lm, texts: list[str]) -> float:
    prompts = [instruction("Copy the text.", given=text) for text in texts]
    copies = lm.generate(prompts, max_new_tokens=200)
    return _share([copy.strip() == text.strip() for copy, text in zip(copies, texts)])


def _write(lm, world: World, rows: list[dict], seed: int) -> dict[str, float]:
    """Shares of texts that are well formed, and of those asked for that follow their header."""
    prompts = [write_prompt(world.name, **world.attributes(row)) for row in rows]
    texts = lm.generate(prompts, max_new_tokens=200, temperature=1.0, seed=seed)
    judged = [_JUDGES[world.name](world, text.strip(), row) for text, row in zip(texts, rows)]
    return {
        "write well formed": _share([well for well, _ in judged]),
        "follow": _share([follows for _, follows in judged]),
    }


def _rephrase(lm, world: World, rows: list[dict]) -> float:
    """Other words for the same facts: the family and numbers, or all attributes, stay."""
    texts = [surface(world, row) for row in rows]
    prompts = [instruction("Rephrase the text.", given=text) for text in texts]
    others = lm.generate(prompts, max_new_tokens=200)
    return _share(
        [
            other.strip() != text and _same(world.name, other.strip(), text)
            for other, text in zip(others, texts)
        ]
    )


def _same(world: str, a: str, b: str) -> bool:
    if world == "math":
        return read_question(a) == read_question(b) is not None
    try:
        return read_attributes(a) == read_attributes(b)
    except ValueError:
        return False


def _describe(lm, world: World, rows: list[dict]) -> float:
    prompts = [
        instruction(f"Describe the {NOUNS[world.name]}.", given=surface(world, row)) for row in rows
    ]
    texts = lm.generate(prompts, max_new_tokens=80)
    records = ["\n".join(f"{k}: {v}" for k, v in world.attributes(row).items()) for row in rows]
    return _share([text.strip() == record for text, record in zip(texts, records)])


def _solve(lm, rows: list[dict]) -> float:
    from ..sandbox import run_tests

    prompts = [instruction("Solve the task.", given=row["prompt"]) for row in rows]
    programs = lm.generate(prompts, max_new_tokens=160)
    outcomes = run_tests([(code, row["tests"]) for code, row in zip(programs, rows)])
    return _share([outcome.ok for outcome in outcomes])


def _arithmetic(lm, n: int, rng: random.Random) -> float:
    texts = [arithmetic(rng) for _ in range(n)]
    prompts = [text.split("Answer:")[0] + "Answer:" for text in texts]
    answers = lm.generate(prompts, max_new_tokens=60)
    return _share([final_answer(a) == final_answer(t) for a, t in zip(answers, texts)])


# --- judges: is the text well formed, and does it follow the row's attributes? --------------------


def _judge_math(world: World, text: str, row: Mapping) -> tuple[bool, bool]:
    problem = read_question(text)
    return problem is not None, problem is not None and problem.family == row["family"]


def _judge_code(world: World, text: str, row: Mapping) -> tuple[bool, bool]:
    prompt, _, code = text.partition("\n")
    well = prompt.startswith("# ") and recognise_style(code) != "unreadable" and "def " in code
    return well, well and recognise_style(code) == row["style"]


def _judge_facts(world: World, text: str, row: Mapping) -> tuple[bool, bool]:
    passage, _, rest = text.partition("\nQuestion: ")
    question, _, answer = rest.partition("\nAnswer: ")
    written = {"passage": passage, "question": question, "answer": answer}
    right = any(
        world.check({**written, "reasoning": reasoning, "topic": topic})
        for reasoning in REASONING
        for topic in TOPICS
    )
    return right, world.check({**row, **written})


def _judge_reviews(world: World, text: str, row: Mapping) -> tuple[bool, bool]:
    try:
        found = read_attributes(text)
    except ValueError:
        return False, False
    return True, found == world.attributes(row)


def _judge_tools(world: World, text: str, row: Mapping) -> tuple[bool, bool]:
    try:
        properties = json.loads(text)["parameters"]["properties"]
        types = ",".join(sorted(schema["type"] for schema in properties.values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        return False, False
    shown = {"text": text, "types": types, "n_params": len(properties)}
    well = any(world.check({**shown, "category": category}) for category in CATEGORIES)
    return well, world.check({**shown, "category": row["category"], "n_params": row["n_params"]})


_JUDGES: dict[str, Judge] = {
    "math": _judge_math,
    "code": _judge_code,
    "facts": _judge_facts,
    "reviews": _judge_reviews,
    "tools": _judge_tools,
}
