"""Sets of programs and tool schemas: which texts are valid, sound, right, of which category."""

from __future__ import annotations

import ast
import json
import math
import random
import re
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...difflm.json_values import no_constant
from ...sandbox import run_many, run_tests
from ...worlds import load_world
from ...worlds.code import TASKS, recognise_style
from ...worlds.code_forms import write_tests
from ...worlds.tools_words import CATEGORY_OF

KINDS = ("code", "tools")
JUDGED = "judged"
TASK_OF = {name: task for task, about in TASKS.items() for name in about.names}


@dataclass(frozen=True)
class TextSet:
    """Texts to learn from, and how texts of their kind are judged.

    `category` goes from a valid text to its category, None where it has none; default: of code the
    style that its syntax tree shows, of tools the types of the parameters. Repeats of texts stay,
    so that held-out texts show how often the set repeats itself.
    """

    texts: Sequence[str]  # programs, or tools in JSON
    kind: str  # one of `KINDS`
    category: Callable[[str], str | None] | None = None
    right: Callable[[Sequence[str]], Sequence[bool]] | None = None  # of valid texts, where known

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}; found {self.kind!r}")
        object.__setattr__(self, "texts", tuple(self.texts))
        if not self.texts:
            raise ValueError("a set needs texts, found none")
        for i, text in enumerate(self.texts):
            if not isinstance(text, str):
                raise TypeError(f"text {i} is a {type(text).__name__}; give a str")
            if not text.strip():
                raise ValueError(f"text {i} is blank; drop it first")
        if self.category is None:
            default = style_of if self.kind == "code" else parameter_types
            object.__setattr__(self, "category", default)

    @cached_property
    def fields(self) -> frozenset[str]:
        """The keys that every tool of the set has, and a valid one must have; none for code."""
        if self.kind == "code":
            return frozenset()
        tools = [read_tool(text) for text in self.texts]
        if None in tools:
            at = tools.index(None)
            raise ValueError(f"text {at} is not a tool in JSON: {self.texts[at]!r:.120}")
        return frozenset.intersection(*(frozenset(tool) for tool in tools))


def world_set(name: str, n: int, seed: int = 0) -> TextSet:
    """`n` programs of the code world, or tools of the tools world, with their own distributions."""
    worlds = {
        "code": ("code", task_of, pass_own_tests),
        "tools": ("text", tool_category, hold_true),
    }
    if name not in worlds:
        raise ValueError(f"the worlds of texts are {' and '.join(worlds)}; found {name!r}")
    column, category, right = worlds[name]
    texts = [row[column] for row in load_world(name).rows(n, seed)]
    return TextSet(texts, name, category, right)


def task_of(code: str) -> str | None:
    """The code world's task that a program's first function is named after, or None."""
    name = next((node.name for node in _nodes(code) if isinstance(node, ast.FunctionDef)), None)
    return TASK_OF.get(name)


def pass_own_tests(programs: Sequence[str]) -> list[bool]:
    """For each program, if it passes the tests of the task in its name, in the sandbox.

    Of a task's constants each that the program spells is tried; one must do.
    """
    cases = [(i, (code, tests)) for i, code in enumerate(programs) for tests in own_tests(code)]
    outcomes = run_tests([case for _, case in cases])
    passed = {i for (i, _), outcome in zip(cases, outcomes) if outcome.ok}
    return [i in passed for i in range(len(programs))]


def own_tests(code: str) -> list[list[str]]:
    """Three assert statements of a program's task, if any, for each constant that it may mean."""
    name = task_of(code)
    if name is None:
        return []
    task, nodes = TASKS[name], _nodes(code)
    spelled = [node.value for node in nodes if isinstance(node, ast.Constant)]
    function = next(node.name for node in nodes if isinstance(node, ast.FunctionDef))
    constants = [k for k in task.constants if k in spelled] if task.constants else [None]
    rng = random.Random(f"tests-{code}")
    return [write_tests(task, {"f": function, "k": k}, rng) for k in constants]


def tool_category(text: str) -> str | None:
    """The tools world's category that name and description point to, None unless it is one."""
    tool = read_tool(text) or {}
    words = re.findall("[a-z]+", f"{tool.get('name')} {tool.get('description')}".lower())
    nouns = {form for word in words for form in (word, word.removesuffix("s"))}
    found = {CATEGORY_OF[noun] for noun in nouns if noun in CATEGORY_OF}
    return found.pop() if len(found) == 1 else None


def hold_true(tools: Sequence[str]) -> list[bool]:
    """For each tool, if it is one of the tools world: see `ToolsWorld.check`."""
    world = load_world("tools")

    def holds(text: str) -> bool:
        types = parameter_types(text)
        about = {"text": text, "category": tool_category(text), "types": types}
        return world.check({**about, "n_params": len(types.split(",")) if types else 0})

    return [holds(text) for text in tools]


def read_tool(text: str) -> dict[str, Any] | None:
    """The JSON object of a text, or None where it is none."""

    try:
        tool = json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    return tool if isinstance(tool, dict) else None


def style_of(code: str) -> str:
    """Result of `recognise_style`; warnings about generated code are nobody's concern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return recognise_style(code)


def parameter_types(text: str) -> str | None:
    """The JSON types of a tool's parameters, sorted ("integer,string"); None without parameters."""
    properties = _properties(read_tool(text) or {})
    if properties is None:
        return None
    kinds = [schema.get("type") for schema in properties.values() if isinstance(schema, dict)]
    return ",".join(sorted(kind if isinstance(kind, str) else "any" for kind in kinds))


def is_sound(tool: Mapping[str, Any]) -> bool:
    """True if a tool can be called: its name and description, where given, say something, and its
    `parameters` are a JSON Schema (draft 2020-12) with every required name among its properties.
    """
    from jsonschema import Draft202012Validator, SchemaError

    about = [tool.get(key) for key in ("name", "description") if key in tool]
    if not all(isinstance(words, str) and words.strip() for words in about):
        return False
    if "parameters" not in tool:
        return True
    properties = _properties(tool)
    try:
        Draft202012Validator.check_schema(tool["parameters"])
    except (SchemaError, RecursionError):
        return False
    return properties is not None and set(tool["parameters"].get("required", ())) <= set(properties)


def judge(texts: Sequence[str], about: TextSet) -> dict[str, np.ndarray]:
    """Truths (n,) by measure: `valid`; of code `runs`, of tools `sound`; `right` where known.

    Code is valid if it parses and defines a function, a tool if it is a JSON object with the fields
    that all tools of its set have. What is not valid is nothing else either.
    """
    if about.kind == "code":
        valid = [style_of(text) != "unreadable" for text in texts]
    else:
        tools = [read_tool(text) for text in texts]  # fields may be none that all tools have
        valid = [tool is not None and about.fields <= set(tool) for tool in tools]
    good = [text for text, fine in zip(texts, valid) if fine]
    found: dict[str, Sequence[bool]] = {}
    if about.kind == "code":
        found["runs"] = [outcome.ok for outcome in run_many(good)]
    else:
        found["sound"] = [is_sound(read_tool(text)) for text in good]
    if about.right is not None:
        found["right"] = about.right(good)
    truths = {"valid": np.array(valid, dtype=bool)}
    for name, flags in found.items():
        truths[name] = np.zeros(len(texts), dtype=bool)
        truths[name][truths["valid"]] = flags
    return truths


def measure(
    texts: Sequence[str], about: TextSet, train: Sequence[str], held: Sequence[str]
) -> dict[str, float]:
    """The shares of an arm's texts, and how many were judged (last).

    `valid`, `runs`, `sound` and `right` are shares of all texts (0 if there are none); `novel` (no
    training text, whitespace aside) and `distinct` of the valid ones, NaN where none is. See
    `category_measures` for the rest.
    """
    truths = judge(texts, about)
    found = {name: float(flags.sum()) / max(len(texts), 1) for name, flags in truths.items()}
    good = [text for text, fine in zip(texts, truths["valid"]) if fine]
    known, shares = set(map(_squeezed, train)), dict.fromkeys(("novel", "distinct"), math.nan)
    if good:
        shares["novel"] = float(np.mean([_squeezed(text) not in known for text in good]))
        shares["distinct"] = len(set(map(_squeezed, good))) / len(good)
    found |= shares
    return {**found, **category_measures(good, about, held), JUDGED: len(texts)}


def category_measures(
    valid: Sequence[str], about: TextSet, held: Sequence[str]
) -> dict[str, float]:
    """Compare the categories of an arm's valid texts with those of held-out texts.

    `coverage`: the share of the held-out texts' categories that occur. `category distance`: total
    variation of the two distributions; texts without a category count as one of their own. NaN,
    where there is nothing to compare: no held-out text has a category, or no text is valid.
    """
    ours, theirs = (Counter(map(about.category, texts)) for texts in (valid, held))
    wanted = set(theirs) - {None}
    found = {"coverage": math.nan, "category distance": math.nan}
    if wanted:
        found["coverage"] = len(wanted & set(ours)) / len(wanted)
    if wanted and valid:
        gaps = [ours[name] / len(valid) - theirs[name] / len(held) for name in {*ours, *theirs}]
        found["category distance"] = sum(map(abs, gaps)) / 2
    return found


def _nodes(code: str) -> list[ast.AST]:
    """All nodes of a program, none if it does not parse."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(ast.walk(ast.parse(code)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return []


def _properties(tool: Mapping[str, Any]) -> dict[str, Any] | None:
    parameters = tool.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    return properties if isinstance(properties, dict) else None


def _squeezed(text: str) -> str:
    return " ".join(text.split())
