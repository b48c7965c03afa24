"""A law as a chain of small choices: draw from it, sum over it, know its entropy."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import lru_cache
from math import log
from typing import Any

from ..base import weighted

Values = dict[str, Any]  # slot -> the value chosen for it
Law = Mapping[Any, float]  # value -> probability

NOTHING: Law = {None: 1.0}  # the law of a slot that a text does not have


def shares(weights: Mapping[Hashable, float]) -> dict[Any, float]:
    """`weights` divided by their sum.

    Raises:
        ValueError: no weight at all, or one that is not positive.
    """
    if not weights or min(weights.values()) <= 0:
        raise ValueError(f"shares need positive weights, got {dict(weights)}")
    total = sum(weights.values())
    return {value: weight / total for value, weight in weights.items()}


def uniform(values: Iterable[Hashable]) -> dict[Any, float]:
    """The same probability for each of `values`."""
    return shares(dict.fromkeys(values, 1.0))


def zipf(values: Iterable[Hashable], s: float = 1.0) -> dict[Any, float]:
    """Zipf's law: the probability of the value of rank r is proportional to 1 / r**s."""
    return shares({value: 1 / rank**s for rank, value in enumerate(values, start=1)})


def favouring(favourites: tuple, values: Iterable[Hashable]) -> dict[Any, float]:
    """Two favourites with .55 and .30 of the probability; the rest of `values` share .15."""
    first, second = favourites
    others = [value for value in values if value not in favourites]
    return {first: 0.55, second: 0.30, **{value: 0.15 / len(others) for value in others}}


@lru_cache(maxsize=4096)
def dealt(weights: tuple[tuple[Hashable, float], ...], k: int) -> Law:
    """The law of `k` values drawn one after the other without putting back, as tuples in order.

    Args:
        weights: (value, weight) pairs; each draw is in proportion to the weights that are left.
    """
    if k == 0:
        return {(): 1.0}
    total = sum(weight for _, weight in weights)
    law: dict[tuple, float] = {}
    for i, (value, weight) in enumerate(weights):
        for rest, p in dealt(weights[:i] + weights[i + 1 :], k - 1).items():
            law[(value, *rest)] = weight / total * p
    return law


def entropy(law: Law) -> float:
    """-sum p log p, in nats."""
    return -sum(p * log(p) for p in law.values())


class Chain:
    """A joint law written as p(x_1) p(x_2 | x_1) ... : slots, each with a law given earlier ones.

    Args:
        slots: slot -> function from the values chosen so far to the law of the slot.
        parents: the slots that the laws of later ones look at. The others can be summed out one by
            one, which keeps `marginal` and `entropy` exact and quick.
    """

    def __init__(self, slots: Mapping[str, Callable[[Values], Law]], parents: Collection[str]):
        unknown = set(parents) - set(slots)
        if unknown:
            raise ValueError(f"parents {sorted(unknown)} are no slots; slots are {list(slots)}")
        self.slots = dict(slots)
        self.parents = frozenset(parents)

    def draw(self, rng: random.Random) -> Values:
        """One value for each slot."""
        values: Values = {}
        for slot, law in self.slots.items():
            values[slot] = weighted(rng, law(values))
        return values

    def paths(self, known: Mapping[str, Any] | None = None) -> list[tuple[Values, float]]:
        """All ways to fill the slots that agree with `known`, each with its probability."""
        known = known or {}
        found: list[tuple[Values, float]] = [({}, 1.0)]
        for slot, law in self.slots.items():
            longer = []
            for values, p in found:
                options = law(values)
                if slot in known:
                    value = known[slot]
                    options = {value: options[value]} if value in options else {}
                longer += [({**values, slot: x}, p * q) for x, q in options.items()]
            found = longer
        return found

    def marginal(self, *names: str) -> dict[tuple, float]:
        """The joint law of some slots: a tuple of their values -> probability.

        Raises:
            ValueError: there is no such slot.
        """
        missing = [name for name in names if name not in self.slots]
        if missing or not names:
            raise ValueError(f"no slot {missing}; choose from {', '.join(self.slots)}")
        found: list[tuple[Values, float]] = [({}, 1.0)]
        left = set(names)
        for slot, law in self.slots.items():
            if not left:
                break
            left.discard(slot)
            if slot in self.parents or slot in names:
                found = _branch(found, slot, law)
        law_of: dict[tuple, float] = {}
        for values, p in found:
            key = tuple(values[name] for name in names)
            law_of[key] = law_of.get(key, 0.0) + p
        return law_of

    def entropy(self) -> float:
        """The entropy of all slots together in nats, by the chain rule: no sampling."""
        found: list[tuple[Values, float]] = [({}, 1.0)]
        total = 0.0
        for slot, law in self.slots.items():
            total += sum(p * entropy(law(values)) for values, p in found)
            if slot in self.parents:
                found = _branch(found, slot, law)
        return total


def _branch(found: list[tuple[Values, float]], slot: str, law: Callable[[Values], Law]) -> list:
    return [({**v, slot: x}, p * q) for v, p in found for x, q in law(v).items()]
