"""A distribution as a chain of small choices: draw from it, sum over it, know its entropy."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from functools import lru_cache
from math import log
from typing import Any

from ..base import weighted

Values = dict[str, Any]  # slot -> the value chosen for it
Distribution = Mapping[Any, float]  # value -> probability
Conditional = Callable[[Values], Distribution]  # of a slot, given the values of earlier ones

NOTHING: Distribution = {None: 1.0}  # the distribution of a slot that a text does not have


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
def dealt(weights: tuple[tuple[Hashable, float], ...], k: int) -> Distribution:
    """The distribution of `k` values drawn in turn without replacement, as tuples in order.

    Args:
        weights: (value, weight) pairs; each draw is in proportion to the weights that are left.
    """
    if k == 0:
        return {(): 1.0}
    total = sum(weight for _, weight in weights)
    found: dict[tuple, float] = {}
    for i, (value, weight) in enumerate(weights):
        for rest, p in dealt(weights[:i] + weights[i + 1 :], k - 1).items():
            found[(value, *rest)] = weight / total * p
    return found


def entropy(distribution: Distribution) -> float:
    """-sum p log p, in nats."""
    return -sum(p * log(p) for p in distribution.values())


class Chain:
    """A joint distribution p(x_1) p(x_2 | x_1) ... over slots, each conditional on earlier ones.

    Args:
        slots: slot -> function from the values chosen so far to its distribution.
        parents: the slots that later ones depend on. The others can be summed out one by one,
            which keeps `marginal` and `entropy` exact and quick.
    """

    def __init__(self, slots: Mapping[str, Conditional], parents: Collection[str]):
        unknown = set(parents) - set(slots)
        if unknown:
            raise ValueError(f"parents {sorted(unknown)} are no slots; slots are {list(slots)}")
        self.slots = dict(slots)
        self.parents = frozenset(parents)

    def draw(self, rng: random.Random) -> Values:
        """One value for each slot."""
        values: Values = {}
        for slot, conditional in self.slots.items():
            values[slot] = weighted(rng, conditional(values))
        return values

    def paths(self, known: Mapping[str, Any] | None = None) -> list[tuple[Values, float]]:
        """All ways to fill the slots that agree with `known`, each with its probability."""
        known = known or {}
        found: list[tuple[Values, float]] = [({}, 1.0)]
        for slot, conditional in self.slots.items():
            longer = []
            for values, p in found:
                options = conditional(values)
                if slot in known:
                    value = known[slot]
                    options = {value: options[value]} if value in options else {}
                longer += [({**values, slot: x}, p * q) for x, q in options.items()]
            found = longer
        return found

    def marginal(self, *names: str) -> dict[tuple, float]:
        """The joint distribution of some slots: a tuple of their values -> probability.

        Raises:
            ValueError: there is no such slot.
        """
        missing = [name for name in names if name not in self.slots]
        if missing or not names:
            raise ValueError(f"no slot {missing}; choose from {', '.join(self.slots)}")
        found: list[tuple[Values, float]] = [({}, 1.0)]
        left = set(names)
        for slot, conditional in self.slots.items():
            if not left:
                break
            left.discard(slot)
            if slot in self.parents or slot in names:
                found = _branch(found, slot, conditional)
        total: dict[tuple, float] = {}
        for values, p in found:
            key = tuple(values[name] for name in names)
            total[key] = total.get(key, 0.0) + p
        return total

    def entropy(self) -> float:
        """The entropy of all slots together in nats, by the chain rule: no sampling."""
        found: list[tuple[Values, float]] = [({}, 1.0)]
        total = 0.0
        for slot, conditional in self.slots.items():
            total += sum(p * entropy(conditional(values)) for values, p in found)
            if slot in self.parents:
                found = _branch(found, slot, conditional)
        return total


def _branch(found: list[tuple[Values, float]], slot: str, conditional: Conditional) -> list:
    return [({**v, slot: x}, p * q) for v, p in found for x, q in conditional(v).items()]
