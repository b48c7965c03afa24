"""What a model in the embedded model's format can do, counted exactly by the worlds themselves."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..lm.documents import NOUNS, Corpus, arithmetic, instruction, nonsense, surface, write_prompt
from ..lm.finetune import final_answer
from ..worlds import World
from ..worlds.code import recognise_style
from ..worlds.math import read_question
from ..worlds.reviews import read_attributes

Judge = Callable[[str, Mapping], tuple[bool, bool]]  # text, row -> (well formed, follows the row)


def measure(lm, n: int = 100, seed: int = 0) -> list[dict[str, Any]]:
    """Shares of `n` held-out tries per world and capability, as rows for `results.record`.

    Capabilities: copy (the text comes back to the letter), write well formed, follow (the text
    shows the attributes that the prompt asked for), rephrase (other words, same facts), describe,
    solve (the program passes its tests), and arithmetic. The seed is one that training does not
    use, and the held-out texts are fresh draws.
    """
    worlds = Corpus().worlds
    rows = []
    for name, world in sorted(worlds.items()):
        drawn = world.rows(n, seed=f"held-out-{seed}")
        shares = {
            "copy": _copy(lm, [surface(world, row) for row in drawn]),
            **_write(lm, world, drawn, seed),
        }
        if name in ("math", "reviews"):
            shares["rephrase"] = _rephrase(lm, world, drawn)
        if name == "reviews":
            shares["describe"] = _describe(lm, world, drawn)
        if name == "code":
            shares["solve"] = _solve(lm, world, drawn)
        rows += [_row(capability, name, share, seed) for capability, share in shares.items()]
    rng = random.Random(f"held-out-{seed}")
    rows.append(_row("copy", "nonsense", _copy(lm, [nonsense(rng) for _ in range(n)]), seed))
    rows.append(_row("solve", "arithmetic", _arithmetic(lm, n, rng), seed))
    return rows


def reproduce(model: str | None, *, n: int, seeds: Sequence[int], out: str | Path):
    """Measure a model over several seeds and record it; a table of means, world by capability."""
    import pandas as pd

    from ..lm import load_lm
    from .results import record

    lm = load_lm(model)
    rows = [row for seed in seeds for row in measure(lm, n, seed)]
    record(
        out,
        method="embedded_lm",
        command=f"synthkit capabilities --n {n} --seeds {','.join(map(str, seeds))}",
        preset={"n": n},
        scale="study",
        model={**lm.describe(), "fingerprint": lm.fingerprint},
        seeds=seeds,
        measurements=rows,
        notes="Shares of held-out tries; writing is sampled at temperature 1, all else is greedy.",
    )
    table = pd.DataFrame(rows).pivot_table("value", "arm", "measure", sort=False)
    return table.round(3)


def _row(capability: str, world: str, share: float, seed: int) -> dict[str, Any]:
    return {"measure": capability, "arm": world, "seed": seed, "value": round(share, 4)}


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


def _solve(lm, world: World, rows: list[dict]) -> float:
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
        for reasoning in _values("reasoning")
        for topic in _values("topic")
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
    well = any(world.check({**shown, "category": category}) for category in _values("category"))
    return well, world.check({**shown, "category": row["category"], "n_params": row["n_params"]})


def _values(factor: str) -> list[str]:
    from ..worlds.facts_forms import REASONING, TOPICS
    from ..worlds.tools_words import CATEGORIES

    return {
        "reasoning": list(REASONING),
        "topic": list(TOPICS),
        "category": list(CATEGORIES),
    }[factor]


_JUDGES: dict[str, Callable] = {
    "math": _judge_math,
    "code": _judge_code,
    "facts": _judge_facts,
    "reviews": _judge_reviews,
    "tools": _judge_tools,
}
