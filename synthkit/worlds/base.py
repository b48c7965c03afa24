"""Base of all worlds: rows with their latent factors, a truth check, other words for a row."""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


class World(ABC):
    """A generator of examples whose truth is known.

    A subclass sets `name`, `columns`, `factors` and `header`, and writes `example`, `check` and
    `text`. Every random choice comes from the `random.Random` that is passed in, so the same seed
    gives the same rows on every machine.
    """

    name: str
    columns: tuple[str, ...]  # every column of a row, in order
    factors: tuple[str, ...]  # the columns that are latent factors
    header: tuple[str, ...]  # the columns that describe a row to a model

    @abstractmethod
    def example(self, rng: random.Random) -> Row:
        """One row drawn from the world's own distribution."""

    @abstractmethod
    def check(self, row: Mapping[str, Any]) -> bool:
        """Check a row by its surface text, never by how it was made.

        A row that cannot be read is wrong (False); a missing column raises KeyError naming it.
        """

    @abstractmethod
    def text(self, row: Mapping[str, Any]) -> str:
        """The row as one text, the way a language model reads it."""

    def attributes(self, row: Mapping[str, Any]) -> dict[str, str]:
        """The row's `header`: its attributes, above a text that a model should follow."""
        self.require(row, *self.header)
        return {name: row[name] for name in self.header}

    def rephrase(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """The same facts in other words. A world without paraphrases returns the row itself."""
        return dict(row)

    def similar(self, row: Mapping[str, Any], rng: random.Random) -> Row:
        """Another example that shares the row's attributes. By default only the words differ."""
        return self.rephrase(row, rng)

    def rows(self, n: int, seed: int = 0) -> list[Row]:
        """`n` rows as plain dictionaries (see `sample`)."""
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        rng = random.Random(f"{self.name}-{seed}")
        return [self.example(rng) for _ in range(n)]

    def sample(self, n: int, seed: int = 0) -> Dataset:
        """`n` rows as a `datasets.Dataset`, the latent factors among its columns."""
        from datasets import Dataset

        rows = self.rows(n, seed)
        return Dataset.from_dict({name: [row[name] for row in rows] for name in self.columns})

    def require(self, row: Mapping[str, Any], *names: str) -> None:
        """Raise KeyError when `row` lacks one of `names`, saying which columns were found."""
        missing = [name for name in names if name not in row]
        if missing:
            raise KeyError(
                f"the {self.name} world needs the column(s) {', '.join(missing)}; "
                f"found {', '.join(row)}"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(columns={list(self.columns)})"


def weighted(rng: random.Random, weights: Mapping[str, float]) -> str:
    """One key of `weights`, drawn in proportion to its value."""
    return rng.choices(list(weights), weights=list(weights.values()))[0]


def positive_weights(
    given: Mapping[str, float], known: Iterable[str], what: str, option: str
) -> dict[str, float]:
    """The positive weights of `given`.

    Args:
        given: how often each of some names is drawn, up to a factor.
        known: the names there are.
        what, option: what the error calls a name, and the argument that gave the weights.

    Raises:
        ValueError: an unknown name, a weight that is negative or not finite, or none above 0.
    """
    known = list(known)
    unknown = [name for name in given if name not in known]
    if unknown:
        raise ValueError(f"unknown {what}(s) {unknown} in {option}; choose from {', '.join(known)}")
    bad = {name: weight for name, weight in given.items() if not 0 <= weight < float("inf")}
    if bad or not any(given.values()):
        raise ValueError(
            f"{option} must be finite, not negative and not all zero; found {bad or dict(given)}"
        )
    return {name: float(weight) for name, weight in given.items() if weight > 0}


def form_pattern(form: str, slots: Mapping[str, str]) -> re.Pattern:
    """Turn a form such as `"{a} saw the {x}."` into a pattern with a named group per slot.

    `slots` gives the expression of each slot. A slot that comes twice must read the same twice.
    """
    seen: set[str] = set()
    parts = []
    for literal, slot in re.findall(r"([^{]*)(?:\{(\w+)\})?", form):
        parts.append(re.escape(literal))
        if slot:
            parts.append(f"(?P={slot})" if slot in seen else f"(?P<{slot}>{slots[slot]})")
            seen.add(slot)
    return re.compile("".join(parts))
