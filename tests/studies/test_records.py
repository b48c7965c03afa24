"""The records world: any order is right, a wrong value never, and words do not tell the order."""

import itertools
import random
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthkit.worlds import UNREAD, WORLDS, load_world
from synthkit.worlds.facts_forms import THINGS
from synthkit.worlds.records import (
    DOMAINS,
    JOINS,
    ORDERS,
    SKEWS,
    SLOTS,
    RecordsWorld,
    order_of,
    read_answer,
    read_question,
)

WORLD = RecordsWorld()
ROWS = WORLD.rows(400, seed=0)
QUESTION = "zoo: Anna, owls, Dale"
BY_HAND = [  # (answer, whether it is right, order)
    ("The keeper is Anna and the stars are owls and the town is Dale", True, "who-what-where"),
    ("The keeper is Anna and the town is Dale and the stars are owls", True, "who-where-what"),
    ("The stars are owls and the keeper is Anna and the town is Dale", True, "what-who-where"),
    ("The stars are owls and the town is Dale and the keeper is Anna", True, "what-where-who"),
    ("The town is Dale and the keeper is Anna and the stars are owls", True, "where-who-what"),
    ("The town is Dale and the stars are owls and the keeper is Anna", True, "where-what-who"),
    ("The town is Dale then the stars are owls while the keeper is Anna", True, "where-what-who"),
    (" the town is Dale and the stars are owls and the keeper is Anna\n", True, "where-what-who"),
    ("The keeper is Anna and the stars are owls and the town is Hale", False, "who-what-where"),
    ("The keeper is Anna and the stars are owls and the town is Da", False, "who-what-where"),
    ("The keeper is Anna and the stars are apes and the town is Dale", False, "who-what-where"),
    ("The keeper is Ben and the stars are owls and the town is Dale", False, "who-what-where"),
    ("The keeper is owls and the stars are Anna and the town is Dale", False, "who-what-where"),
    ("The keeper is Anna and the stars are owls and the town is Dale.", False, "who-what-where"),
    ("The friend is Anna and the items are owls and the town is Dale", False, "who-what-where"),
    ("The keeper is Anna and the stars are owls", False, None),
    ("The keeper is Anna and the keeper is Anna and the town is Dale", False, None),
    ("The keeper is Anna and the stars are owls and the town is Dale and the town is Dale",
     False, None),
    ("The keeper is Anna and the items are owls and the town is Dale", False, None),
    ("The keeper is Anna, the stars are owls, the town is Dale", False, None),
    ("Anna, owls, Dale", False, None),
    ("", False, None),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "right", "order"), BY_HAND)
def test_truth_read_by_hand(answer, right, order):
    assert WORLD.check({"question": QUESTION, "answer": answer}) is right
    assert order_of(answer) == order


def test_rows_repeat_for_a_seed_and_differ_between_seeds():
    assert ROWS == load_world("records").rows(400, seed=0)
    assert ROWS[:50] != WORLD.rows(50, seed=1)
    sampled = WORLD.sample(20, seed=0)
    assert sampled.column_names == list(WORLD.columns) and list(sampled) == ROWS[:20]


@pytest.mark.parametrize("lex", [0, 1])
def test_every_row_is_right_and_carries_its_labels(lex):
    world = RecordsWorld("even", lex=lex)
    rows = world.rows(600, seed=2)
    assert {row["domain"] for row in rows} == set(DOMAINS)
    assert {row["order"] for row in rows} == set(ORDERS)
    for row in rows:
        assert world.check(row) and RecordsWorld().check(row)
        assert order_of(row["answer"]) == row["order"]
        assert read_question(row["question"])[0] == row["domain"]
        assert world.text(row).isascii() and "\n" not in row["answer"]


@pytest.mark.parametrize("split", [str.split, re.compile(r"\w+").findall, sorted])
def test_the_words_of_an_answer_do_not_tell_its_order(split):
    """`sorted` splits into letters: not even these differ, but for the first one's case."""
    for row in ROWS[:50]:
        bags = {tuple(sorted(split(r["answer"].lower()))) for r in WORLD.solutions(row)}
        assert len(bags) == 1
        assert len({r["answer"] for r in WORLD.solutions(row)}) == len(ORDERS)


def test_the_case_of_words_does_not_tell_the_order_either():
    for row in ROWS[:50]:
        assert len({tuple(sorted(r["answer"].split())) for r in WORLD.solutions(row)}) == 1


def test_a_joining_word_tells_the_order_at_lex_1():
    world = RecordsWorld("even", lex=1)
    for row in world.rows(200, seed=0):
        present = {order for order, join in JOINS.items() if f" {join} " in row["answer"]}
        assert present == {row["order"]}
    assert len(set(JOINS.values())) == len(ORDERS)


def test_the_words_of_a_question_tell_its_domain():
    words = [set(" ".join(r["answer"] for r in ROWS if r["domain"] == d).split()) for d in DOMAINS]
    for first, second in itertools.combinations(words, 2):
        shared = {word for word in first & second if word.islower()}
        assert shared <= {"the", "town", "is", "are", "and"}


@pytest.mark.parametrize("skew", SKEWS)
def test_orders_come_as_often_as_the_skew_says(skew):
    n = 4000
    counts = Counter(row["order"] for row in RecordsWorld(skew).rows(n, seed=3))
    assert sum(SKEWS[skew]) == pytest.approx(1)
    for order, share in zip(ORDERS, SKEWS[skew]):
        assert abs(counts[order] / n - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_the_factors_cross():
    """A domain says nothing about the order: the two are drawn apart."""
    rows = RecordsWorld("even").rows(6000, seed=1)
    counts = Counter((row["domain"], row["order"]) for row in rows)
    assert len(counts) == 24 and min(counts.values()) > 180 and max(counts.values()) < 320


def test_one_order_alone_can_be_asked_for():
    world = RecordsWorld({"where-who-what": 2, "who-what-where": 0})
    assert {row["order"] for row in world.rows(50)} == {"where-who-what"}


@pytest.mark.parametrize(
    ("skew", "message"),
    [
        ("steep", "choose one of strong, mild, natural, even"),
        ({"who-what": 1}, "unknown order"),
        ({ORDERS[0]: -1, ORDERS[1]: 2}, "not negative"),
        ({ORDERS[0]: float("nan")}, "finite"),
        ({ORDERS[0]: float("inf")}, "finite"),
        ({ORDERS[0]: 0}, "not all zero"),
        ({}, "not all zero"),
    ],
)
def test_a_bad_skew_is_refused(skew, message):
    with pytest.raises(ValueError, match=message):
        RecordsWorld(skew)


@pytest.mark.parametrize("lex", [2, -1, "yes", None])
def test_a_bad_lex_is_refused(lex):
    with pytest.raises(ValueError, match="lex is 0"):
        RecordsWorld(lex=lex)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 399), st.sampled_from(SLOTS), st.randoms())
def test_a_changed_value_is_always_caught(index, slot, rng):
    row = ROWS[index]
    _, values = read_answer(row["answer"], row["domain"])
    things = [thing for kinds in THINGS.values() for thing in kinds]
    pool = {"who": ["Nobody", "anna"], "what": things, "where": ["Arde", "hale"]}
    other = rng.choice([value for value in pool[slot] if value != values[slot]])
    changed = re.sub(rf"\b{values[slot]}\b", other, row["answer"])
    assert changed != row["answer"] and not WORLD.check({**row, "answer": changed})


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_can_be_judged(text):
    assert not WORLD.check({"question": text, "answer": ROWS[0]["answer"]})
    assert not WORLD.check({"question": ROWS[0]["question"], "answer": text})
    assert order_of(text) is None


@pytest.mark.parametrize("bad", [None, 7, ["zoo"], b"zoo"])
def test_what_is_no_text_is_wrong(bad):
    assert not WORLD.check({**ROWS[0], "answer": bad})
    assert not WORLD.check({**ROWS[0], "question": bad})
    assert order_of(bad) is None


@pytest.mark.parametrize(
    "question",
    ["zoo: Anna, owls", "zoo: Anna, owls, Dale, Hale", "park: Anna, owls, Dale",
     "zoo: Anne, owls, Dale", "zoo: Anna, cows, Dale", "zoo: Anna, owls, Kelso",
     "zoo: owls, Anna, Dale", "zoo: Anna, owls, Dale\n"],
)  # fmt: skip
def test_a_question_of_another_form_is_refused(question):
    with pytest.raises(ValueError, match="not a question"):
        read_question(question)
    with pytest.raises(ValueError, match="not a question"):
        WORLD.solutions({"question": question})


def test_solutions_are_the_six_right_answers():
    row = {"question": QUESTION}
    answers = [r["answer"] for r in WORLD.solutions(row)]
    assert answers == [answer for answer, _, _ in BY_HAND[:6]]
    assert [r["order"] for r in WORLD.solutions(row)] == list(ORDERS)
    for world in (WORLD, RecordsWorld(lex=1)):
        assert all(WORLD.check(r) and r["question"] == QUESTION for r in world.solutions(row))


def test_the_labels_of_a_row_play_no_part_in_its_truth():
    row, other = WORLD.solutions(ROWS[0])[:2]
    assert WORLD.check({**row, "answer": other["answer"]})


@pytest.mark.parametrize("column", ["question", "answer"])
def test_a_missing_column_is_named(column):
    short = {name: value for name, value in ROWS[0].items() if name != column}
    with pytest.raises(KeyError, match=f"needs the column.* {column};"):
        WORLD.check(short)
    with pytest.raises(KeyError, match="order"):
        WORLD.attributes({"domain": "zoo"})


def test_similar_keeps_the_factors_and_changes_the_values():
    rng = random.Random(0)
    for row in ROWS[:100]:
        other = WORLD.similar(row, rng)
        assert WORLD.check(other) and WORLD.attributes(other) == WORLD.attributes(row)
    questions = {WORLD.similar(ROWS[0], rng)["question"] for _ in range(30)}
    assert len(questions) > 25
    assert WORLD.rephrase(ROWS[0], rng) == ROWS[0]
    with pytest.raises(ValueError, match="no order is called"):
        WORLD.similar({**ROWS[0], "order": "who"}, rng)
    with pytest.raises(ValueError, match="no domain is called"):
        WORLD.similar({**ROWS[0], "domain": "park"}, rng)


def test_unseen_rows_share_no_question():
    rows = WORLD.unseen(300, seed=0, seen=ROWS)
    questions = {row["question"] for row in rows}
    assert len(questions) == 300 and not questions & {row["question"] for row in ROWS}
    assert rows == WORLD.unseen(300, seed=0, seen=ROWS) != WORLD.unseen(300, seed=1, seen=ROWS)
    assert WORLD.unseen(0, seed=0, seen=[]) == []
    for n in (-1, 4 * 24 * 6 * 10 + 1):
        with pytest.raises(ValueError, match="5,760 questions"):
            WORLD.unseen(n, seed=0, seen=[])


def test_it_is_loadable_and_no_part_of_the_pretraining():
    assert isinstance(load_world("records", skew="mild", lex=1), RecordsWorld)
    assert set(UNREAD) == {"records", "census"} and not set(UNREAD) & set(WORLDS)
    with pytest.raises(ValueError, match=r"tools, records, census$"):
        load_world("record")
