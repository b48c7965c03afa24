"""All worlds: rows are right, repeat for a seed, and are described and reworded by one rule."""

import random

import pytest

from synthkit.worlds import UNREAD, WORLDS, load_world
from synthkit.worlds.base import form_pattern, positive_weights

NAMES = (*WORLDS, *UNREAD)
REWORDED = {  # world -> the columns that a paraphrase may change, and a row that has none
    "math": (("question",), {"question": "Why?"}),
    "code": (("prompt", "code", "tests"), {"code": "def f(a):\n    return a"}),
    "facts": (("passage", "question"), {"passage": "Lorem ipsum."}),
    "reviews": (("text",), {"text": "lorem ipsum"}),
    "tools": (("text",), {"text": "oops"}),
    "records": ((), None),
    "census": ((), None),
}
READ = {  # world -> the columns whose text is read, and the labels that are held against it
    "math": (("question", "answer"), ("family", "skill", "final")),
    "code": (("code", "tests", "style"), ("style",)),
    "facts": (("passage", "question", "answer"), ("answer", "reasoning", "topic")),
    "reviews": (("text",), ("topic", "sentiment", "tone", "length", "style")),
    "tools": (("text",), ("category", "n_params", "types")),
    "records": (("question", "answer"), ()),
    "census": (("age", "sex", "hours"), ()),
}
BAD = ("", "lorem ipsum", None, 777, ["a"], "text\ntext", "a" * 5000)
each_world = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def worlds():
    return {name: load_world(name) for name in NAMES}


@pytest.fixture(scope="module")
def rows(worlds):
    return {name: world.rows(60, seed=3) for name, world in worlds.items()}


def all_right(world, rows):
    return all(world.check_many(rows) if world.name == "code" else map(world.check, rows))


@each_world
def test_rows_are_right_and_have_every_column(worlds, rows, name):
    world = worlds[name]
    assert all_right(world, rows[name])
    assert set(world.factors) <= set(world.columns)
    for row in rows[name]:
        assert tuple(row) == world.columns and world.text(row).isascii()


@each_world
def test_rows_repeat_for_a_seed_and_differ_between_seeds(worlds, rows, name):
    world = worlds[name]
    assert load_world(name).rows(60, seed=3) == rows[name] != world.rows(60, seed=4)
    rng = random.Random(f"{name}-3")
    assert [world.example(rng) for _ in range(9)] == rows[name][:9]
    data = world.sample(9, seed=3)
    assert tuple(data.column_names) == world.columns and data.to_list() == rows[name][:9]
    assert world.rows(9, seed="text") == world.rows(12, seed="text")[:9] and world.rows(0) == []
    with pytest.raises(ValueError, match="negative, got -1"):
        world.rows(-1)


@each_world
def test_a_row_in_other_words_is_right_and_keeps_what_it_says(worlds, rows, name):
    world, rng = worlds[name], random.Random(0)
    may_change, unreadable = REWORDED[name]
    said = [world.rephrase(row, rng) for row in rows[name]]
    assert all_right(world, said)
    for old, new in zip(rows[name], said):
        assert {k: v for k, v in new.items() if k not in may_change} == {
            k: v for k, v in old.items() if k not in may_change
        }
    assert not may_change or sum(old != new for old, new in zip(rows[name], said)) > 50
    if unreadable:
        with pytest.raises(ValueError, match=r"(?i)not a|no .* fits|cannot rephrase"):
            world.rephrase({**rows[name][0], **unreadable}, rng)


@each_world
def test_what_cannot_be_read_is_wrong(worlds, rows, name):
    for column in READ[name][0]:
        cut = [row[column][:-1] for row in rows[name][:5] if isinstance(row[column], str)]
        for bad in (*BAD, *cut):
            assert worlds[name].check({**rows[name][0], column: bad}) is False, (column, bad)


@each_world
def test_a_changed_label_is_always_caught(worlds, rows, name):
    for column in READ[name][1]:
        values = {row[column] for row in rows[name]} | {""}
        for row in rows[name][:20]:
            for other in values - {row[column]}:
                assert not worlds[name].check({**row, column: other}), (column, other)


@each_world
def test_similar_rows_share_the_attributes(worlds, rows, name):
    world, rng = worlds[name], random.Random(1)
    others = [world.similar(row, rng) for row in rows[name]]
    assert all_right(world, others)
    assert all(map(str, world.attributes(rows[name][0])))
    assert [world.attributes(row) for row in others] == [world.attributes(r) for r in rows[name]]


@each_world
def test_a_column_that_is_missing_is_named(worlds, rows, name):
    world, row, rng = worlds[name], rows[name][0], random.Random(0)
    named = 0
    for column in world.columns:
        short = {key: value for key, value in row.items() if key != column}
        for method in (world.check, world.text, world.attributes, lambda r: world.rephrase(r, rng)):
            try:
                method(short)
            except KeyError as error:
                named += 1
                assert f"needs the column(s) {column}; found" in str(error)
    assert named >= 3


def test_worlds_are_loaded_by_name():
    with pytest.raises(ValueError, match=r"choose one of math, code, .*, census"):
        load_world("physics")


def test_weights_are_checked():
    assert positive_weights({"a": 2, "b": 0}, "abc", "letter", "weights") == {"a": 2.0}
    for bad in ({"d": 1}, {"a": -1}, {"a": float("nan")}, {"a": float("inf")}, {"a": 0}, {}):
        with pytest.raises(ValueError, match="weights"):
            positive_weights(bad, "abc", "letter", "weights")


def test_a_slot_that_comes_twice_reads_the_same_twice():
    pattern = form_pattern("{a} met {b}. Did {a} go?", {"a": "Ana|Ben", "b": "Ana|Ben"})
    assert pattern.fullmatch("Ana met Ben. Did Ana go?").groupdict() == {"a": "Ana", "b": "Ben"}
    assert not pattern.fullmatch("Ana met Ben. Did Ben go?")
    asked = "Ana waits 4 weeks and then 9 more days. How many days does {} wait?"
    assert load_world("math").rephrase({"question": asked.format("Ana")}, random.Random(0))
    with pytest.raises(ValueError, match="not a question"):
        load_world("math").rephrase({"question": asked.format("Ben")}, random.Random(0))
