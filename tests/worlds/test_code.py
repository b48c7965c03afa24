"""The code world: every cell is right, and every small damage to a row is noticed."""

import ast
import copy
import random
import re

import pytest

from synthkit.worlds import load_world
from synthkit.worlds.code import TASKS, CodeWorld, recognise_style

CELLS = [(task, style) for task, spec in TASKS.items() for style in spec.bodies]
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Mod: ast.FloorDiv,
    ast.FloorDiv: ast.Mod,
}
COMPARISONS = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}


def damages(node):
    """(kind, attribute, new value) for each small damage to one node of a syntax tree."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield "operator", "op", OPERATORS[type(node.op)]()
    if isinstance(node, ast.BoolOp):
        yield "boolean", "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield "comparison", "ops", [*node.ops[:place], other(), *node.ops[place + 1 :]]
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield "constant", "value", not node.value
        elif isinstance(node.value, int):
            yield "off by one", "value", node.value + 1
        elif isinstance(node.value, str):
            yield "constant", "value", node.value[:-1] or "z"
    if isinstance(node, ast.Return):
        yield "no return", "value", None


def mutants(code):
    """(kind, code) of every program that is one small damage away from `code`."""
    tree = ast.parse(code)
    for place, node in enumerate(ast.walk(tree)):
        for kind, attribute, value in damages(node):
            changed = copy.deepcopy(tree)
            setattr(list(ast.walk(changed))[place], attribute, value)
            yield kind, ast.unparse(changed)


# Mutants that compute the same function, so that no test can tell them apart:
# (task, style) -> (what stood in the code, what stands in the mutant), as regular expressions.
EQUIVALENT = {
    ("maximum", "loop"): (r"> (\w+):", r">= (\w+):"),  # an equal item changes nothing
    ("maximum", "map"): (r" > ", r" >= "),
    ("maximum", "recursion"): (r" > ", r" >= "),
    ("maximum", "while"): (r"\] > ", r"\] >= "),
    ("factorial", "while"): (r" > 1", r" >= 1"),  # one more factor of 1
    ("sum_to", "while"): (r" > 0", r" >= 0"),  # one more summand of 0
    ("is_palindrome", "while"): (r" > 1", r" >= 1"),  # one letter equals itself
    ("gcd", "comprehension"): (r"\+ 1\)", r"\+ 2\)"),  # a + 1 divides no a
    ("gcd", "map"): (r"\+ 1\)", r"\+ 2\)"),
    ("gcd", "generator"): (r"\+ 1\)", r"\+ 2\)"),
}


def equivalent(task, style, old, new):
    """Whether the mutant `new` of `old` is one of the few that compute the same function."""
    before, after = EQUIVALENT.get((task, style), ("(?!)", "(?!)"))
    return bool(re.search(before, old) and re.search(after, new) and not re.search(after, old))


def mutant_rows(world, cells, seeds):
    for task, style in cells:
        for seed in seeds:
            row = world.solutions(task, style, seed)[0]
            for kind, code in mutants(row["code"]):
                if not equivalent(task, style, row["code"], code):
                    yield kind, {**row, "code": code}


@pytest.fixture(scope="module")
def world():
    return load_world("code")


@pytest.fixture
def row(world):
    return world.solutions("sum_above", "loop", seed=3)[0]


def test_every_cell_is_right(world):
    rows = [world.solutions(task, style, seed=1)[0] for task, style in CELLS]
    wrong = [row for row, right in zip(rows, world.check_many(rows)) if not right]
    assert not wrong


def test_shape_of_rows(world):
    for row in world.rows(300, seed=1):
        assert tuple(row) == world.columns
        assert 2 <= len(row["code"].splitlines()) <= 7 and len(row["tests"]) == 3
        assert len(row["code"]) <= 220 and world.text(row).isascii()
        assert "{" not in world.text(row) and "None" not in world.text(row)
        name = row["code"][4 : row["code"].index("(")]
        assert name in row["prompt"] and all(f"assert {name}(" in test for test in row["tests"])
        assert world.attributes(row) == {"task": row["task"], "style": row["style"]}


@pytest.mark.parametrize("task", TASKS)
def test_texts_of_a_task_vary(task):
    rows = CodeWorld(task_weights={task: 1}).rows(150, seed=0)
    assert len({row["prompt"] for row in rows}) > 100
    assert len({row["code"] for row in rows}) > 30


@pytest.mark.parametrize(
    "options, words",
    [
        ({"task_weights": {"sort": 1}}, "unknown task.*'sort'"),
        ({"style_weights": {"goto": 1}}, "unknown style.*'goto'"),
        ({"task_weights": {"squares": -1}}, "not negative"),
        ({"style_weights": {"loop": 0}}, "not all zero"),
        ({"style_weights": {"comprehension": 1}}, "has only the styles"),
    ],
)
def test_bad_weights(options, words):
    with pytest.raises(ValueError, match=words):
        CodeWorld(**options)


def test_solutions_share_prompt_and_tests(world):
    rows = world.solutions("squares", seed=2)
    assert [row["style"] for row in rows] == list(TASKS["squares"].bodies)
    assert len({row["prompt"] for row in rows}) == len({str(row["tests"]) for row in rows}) == 1
    assert len({row["code"] for row in rows}) == len(rows)
    with pytest.raises(ValueError, match="no task"):
        world.solutions("sort")
    with pytest.raises(ValueError, match="no style"):
        world.solutions("maximum", "comprehension")


@pytest.mark.parametrize(
    ("seeds", "step"), [((0,), 4), pytest.param((0, 1), 1, marks=pytest.mark.slow)]
)
def test_every_mutant_is_caught(world, seeds, step):
    kinds, rows = zip(*list(mutant_rows(world, CELLS, seeds))[::step])
    assert len(rows) > 250 and len(set(kinds)) == 6
    verdicts = world.check_many(rows, timeout=0.4)
    assert not [row["code"] for row, passed in zip(rows, verdicts) if passed]


def test_equivalent_mutants_really_pass(world):
    """The whitelist holds only mutants that no test tells apart: each of them passes."""
    for cell in EQUIVALENT:
        row = world.solutions(*cell, seed=0)[0]
        same = [
            {**row, "code": c} for _, c in mutants(row["code"]) if equivalent(*cell, row["code"], c)
        ]
        assert len(same) == 1 and world.check_many(same) == [True]


@pytest.mark.parametrize(
    "code, style",
    [
        ("def f(n):\n    return n if n < 2 else f(n - 1)", "recursion"),
        ("def f(a):\n    i = 0\n    while a:\n        i += 1\n    return i", "while"),
        ("def f(a):\n    for x in a:\n        yield x", "generator"),
        ("def f(a):\n    return sum(x for x in a)", "generator"),
        ("def f(a):\n    for x in a:\n        print(x)", "loop"),
        ("def f(a):\n    return {x for x in a}", "comprehension"),
        ("def f(a):\n    return list(filter(None, a))", "map"),
        ("def f(a):\n    return sum(a)", "plain"),
        ("a = [x for x in 'abc']", "unreadable"),
        ("def f(:", "unreadable"),
        ("\0", "unreadable"),
        ("", "unreadable"),
    ],
)
def test_recognise_style(code, style):
    assert recognise_style(code) == style


@pytest.mark.parametrize(
    "change",
    [
        {"code": "def broken(:\n    return 1"},
        {"tests": []},
        {"tests": ["assert True"]},
        {"tests": ["assert len([]) == 0"]},
        {"tests": [3]},
        {"tests": ["x = 1"]},
        {"style": "unreadable"},
    ],
)
def test_unreadable_or_untested_rows_are_wrong(world, row, change):
    assert world.check(row) is True
    assert world.check({**row, **change}) is False


def test_rephrase_keeps_the_facts(world):
    rng = random.Random(0)
    rows = [world.solutions(task, style, seed=7)[0] for task, style in CELLS]
    others = [world.rephrase(row, rng) for row in rows]
    assert all(world.check_many(others))
    for row, other in zip(rows, others):
        assert other["prompt"] != row["prompt"]
        assert (other["task"], other["style"]) == (row["task"], row["style"])
        tails = [[test[test.index("(") :] for test in r["tests"]] for r in (row, other)]
        assert tails[0] == tails[1]
