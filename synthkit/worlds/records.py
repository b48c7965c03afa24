"""The records world: three values to be stated in any order, and every order is right.

A question names a domain and three values; the answer states each value once. There are six orders
of the three statements. Two factors cross: the domain shows in the words, the order does not, since
the answers to one question hold the same words whatever their order. So a method that only counts
words cannot tell the orders apart. `skew` says how often each order comes, and `lex=1` gives each
order a joining word of its own, which makes it visible.

It is the set of statements in any order of SPA's lessons. The embedded model knows the names,
things and towns (they are those of the facts world) but has never read a record.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .base import Row, World, positive_weights, weighted
from .facts_forms import NAMES, THINGS, WORDS

SLOTS = ("who", "what", "where")
ORDERS = tuple("-".join(order) for order in itertools.permutations(SLOTS))
STATEMENTS: dict[str, tuple[str, str, str]] = {  # of who, what and where, in each domain
    "zoo": ("the keeper is {}", "the stars are {}", "the town is {}"),
    "school": ("the friend is {}", "the items are {}", "the town is {}"),
    "market": ("the sister is {}", "the list is {}", "the town is {}"),
    "harbour": ("the hero is {}", "the load is {}", "the town is {}"),
}
DOMAINS = tuple(STATEMENTS)
TOWNS = WORDS["town"]
SKEWS: dict[str, tuple[float, ...]] = {  # how often each of `ORDERS` comes
    "strong": (0.5, 0.1, 0.1, 0.1, 0.1, 0.1),
    "mild": (0.25, 0.20, 0.15, 0.15, 0.15, 0.10),
    "natural": (0.35, 0.20, 0.15, 0.12, 0.10, 0.08),
    "even": (1 / 6,) * 6,
}
JOIN = "and"
JOINS = dict(zip(ORDERS, (JOIN, "but", "then", "while", "now", "so")))  # where lex=1

_QUESTION = re.compile(r"(\w+): (\w+), (\w+), (\w+)")
_STATEMENT = re.compile(rf" (?:{'|'.join(JOINS.values())}) (?=the )")
_MOST = len(DOMAINS) * len(NAMES) * len(THINGS["zoo"]) * len(TOWNS)


def read_question(question: str) -> tuple[str, tuple[str, str, str]]:
    """The domain of a question and its three values; ValueError when it cannot be read."""
    found = _QUESTION.fullmatch(question)
    if found:
        domain, who, what, where = found.groups()
        known = domain in STATEMENTS and who in NAMES and what in THINGS[domain]
        if known and where in TOWNS:
            return domain, (who, what, where)
    raise ValueError(f"not a question of the records world: {question!r:.100}")


def read_answer(answer: str, domain: str) -> tuple[str, dict[str, str]]:
    """The order in which an answer about `domain` states the slots, and the value of each slot.

    Any of the joining words may stand between two statements.

    Raises:
        ValueError: there are not three statements, one is no statement of this domain, or a slot
            comes twice.
    """
    first, rest = answer.strip()[:1], answer.strip()[1:]
    values: dict[str, str] = {}
    for statement in _STATEMENT.split(first.lower() + rest):
        for slot, form in zip(SLOTS, STATEMENTS[domain]):
            begins = form.format("")
            if statement.startswith(begins) and slot not in values:
                values[slot] = statement.removeprefix(begins)
                break
        else:
            raise ValueError(f"no new statement about the {domain}: {statement!r:.100}")
    if len(values) < len(SLOTS):
        raise ValueError(f"it states {', '.join(values)} alone: {answer!r:.100}")
    return "-".join(values), values


def order_of(answer: str) -> str | None:
    """The order of an answer's statements, right or not; None when it cannot be read."""
    for domain in DOMAINS:
        try:
            return read_answer(answer, domain)[0]
        except (ValueError, AttributeError, TypeError):
            continue
    return None


class RecordsWorld(World):
    """Three values of a domain, stated in one of six orders, all of them right.

    Columns: `question` ("zoo: Anna, owls, Dale"), `answer` ("The keeper is Anna and the town is
    Dale and the stars are owls"), and the factors `domain` (4, evenly drawn) and `order` (6).
    """

    name = "records"
    columns = ("question", "answer", "domain", "order")
    factors = header = ("domain", "order")

    def __init__(self, skew: str | Mapping[str, float] = "natural", lex: int | bool = 0):
        """
        Args:
            skew: how often each order comes: a name in `SKEWS`, or weights of some of `ORDERS`
                up to a factor (an order that is not named is never drawn).
            lex: 0: one joining word for all orders. 1: each order has its own.

        Raises:
            ValueError: no such skew, an unknown order, a weight that is negative or not finite,
                no positive weight, or another `lex`.
        """
        if lex not in (0, 1):
            raise ValueError(f"lex is 0 (orders invisible to words) or 1 (visible), found {lex!r}")
        self.skew, self.lex = _order_weights(skew), int(lex)

    def example(self, rng: random.Random) -> Row:
        return self._row(*self._draw(rng.choice(DOMAINS), rng), weighted(rng, self.skew))

    def solutions(self, row: Mapping[str, Any]) -> list[Row]:
        """The row's question with each of its six right answers, in the order of `ORDERS`.

        Raises:
            KeyError: no `question`. ValueError: it is not one of this world.
        """
        self.require(row, "question")
        return [self._row(*read_question(row["question"]), order) for order in ORDERS]

    def unseen(self, n: int, seed: int, seen: Iterable[Mapping[str, Any]]) -> list[Row]:
        """`n` rows with questions that differ from each other and from those of `seen`.

        Raises:
            ValueError: n is negative, or fewer than `n` questions are left.
        """
        taken = {row["question"] for row in seen}
        if not 0 <= n <= _MOST - len(taken):
            raise ValueError(
                f"this world has {_MOST:,} questions and {len(taken):,} are seen; "
                f"cannot draw {n:,} others"
            )
        rng, rows = random.Random(f"{self.name}-unseen-{seed}"), []
        while len(rows) < n:
            row = self.example(rng)
            if row["question"] not in taken:
                taken.add(row["question"])
                rows.append(row)
        return rows

    def check(self, row: Mapping[str, Any]) -> bool:
        """Tell if the answer states each of the question's values once, in its slot, in any order.

        The labels `domain` and `order` are not read, so an answer that a model wrote can stand in
        a row of the world; `order_of` tells its order.
        """
        self.require(row, "question", "answer")
        try:
            domain, values = read_question(row["question"])
            stated = read_answer(row["answer"], domain)[1]
        except (ValueError, AttributeError, TypeError):
            return False
        return stated == dict(zip(SLOTS, values))

    def text(self, row: Mapping[str, Any]) -> str:
        self.require(row, "question", "answer")
        return f"Question: {row['question']}\nAnswer: {row['answer']}"

    def similar(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """Other values of the row's domain, stated in the row's order.

        Raises:
            KeyError: `domain` or `order` is missing.
            ValueError: there is no such domain or order.
        """
        self.require(row, "domain", "order")
        for what, known in (("domain", DOMAINS), ("order", ORDERS)):
            if row[what] not in known:
                raise ValueError(f"no {what} is called {row[what]!r}; choose from {known}")
        return self._row(*self._draw(row["domain"], rng), row["order"])

    def _draw(self, domain: str, rng: random.Random) -> tuple[str, tuple[str, str, str]]:
        return domain, (rng.choice(NAMES), rng.choice(THINGS[domain]), rng.choice(TOWNS))

    def _row(self, domain: str, values: tuple[str, str, str], order: str) -> Row:
        said = [form.format(value) for form, value in zip(STATEMENTS[domain], values)]
        stated = dict(zip(SLOTS, said))
        join = JOINS[order] if self.lex else JOIN
        answer = f" {join} ".join(stated[slot] for slot in order.split("-"))
        return {
            "question": f"{domain}: {', '.join(values)}",
            "answer": answer[0].upper() + answer[1:],
            "domain": domain,
            "order": order,
        }


def _order_weights(skew: str | Mapping[str, float]) -> dict[str, float]:
    """The positive weights of the orders, after checks."""
    if isinstance(skew, str):
        if skew not in SKEWS:
            raise ValueError(f"no skew is called {skew!r}; choose one of {', '.join(SKEWS)}")
        return dict(zip(ORDERS, SKEWS[skew]))
    return positive_weights(skew, ORDERS, "order", "skew")
