"""The base of all targets: texts of a known distribution, their probability, an oracle, prompts."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import fsum, inf, log
from typing import TYPE_CHECKING, Any

from ..base import Row, World
from .distribution import Chain, Values

if TYPE_CHECKING:
    from datasets import Dataset

NONE = "none"  # the value of a factor that a text does not show


class Target(ABC):
    """A narrow, skewed part of a world whose distribution p is known exactly.

    Its texts are texts that the world itself could write: some factors are held to a few values,
    others are skewed, and the two of `joint` depend on each other.

    Attributes:
        name: of the world, and of the target.
        world: the world, whose `check` decides what is right.
        factors: the columns whose `distribution` is known and that any text of the world shows.
        joint: the two factors that are coupled.
        shows_examples: whether the embedded model knows prompts for this world that show examples.
        chain: the distribution p itself, one slot a choice.
    """

    name: str
    noun: str  # what a text is called in the embedded model's task line
    factors: tuple[str, ...]
    joint: tuple[str, str]
    shows_examples = False
    world: World
    chain: Chain

    # --- written by a subclass -------------------------------------------------------------------

    @abstractmethod
    def write(self, values: Values) -> str:
        """The text that the values of all slots give."""

    @abstractmethod
    def readings(self, text: str) -> Iterable[Values]:
        """Slots that a text fixes, once for every way to read it; nothing if there is none.

        Two readings of one text never agree in all slots, so their probabilities may be added.
        """

    @abstractmethod
    def _read(self, text: str) -> dict[str, str] | None:
        """The factors of a text of the world, or None."""

    @abstractmethod
    def _solve(self, text: str) -> Row:
        """The world's own row of a text that `_read` accepts."""

    @abstractmethod
    def description(self) -> str:
        """Description of the target for a model that is to write for it."""

    @abstractmethod
    def attributes(self, rng: random.Random) -> dict[str, str]:
        """Attributes for one prompt: what the target is about, each value as often as any other."""

    # --- the distribution ------------------------------------------------------------------------

    def log_prob(self, text: str) -> float:
        """log p(text) in nats, summed over all its derivations; -inf for a text outside."""
        found = [
            p
            for known in self.readings(_text(text))
            for values, p in self.chain.paths(known)
            if self.write(values) == text
        ]
        return log(fsum(found)) if found else -inf

    def entropy(self) -> float:
        """The entropy of p in nats per text, exactly.

        It is that of the choices: no text of these targets can be derived in two ways (tested).
        """
        return self.chain.entropy()

    def distribution(self, *factors: str) -> dict[Any, float]:
        """The true probability of each value of a factor, or of each tuple of several factors.

        Raises:
            ValueError: none is given, or there is no factor of that name.
        """
        unknown = [factor for factor in factors if factor not in self.factors]
        if unknown or not factors:
            raise ValueError(
                f"choose one or more of the factors {', '.join(self.factors)}; found {factors}"
            )
        joint = self.chain.marginal(*factors)
        return joint if len(factors) > 1 else {value: p for (value,), p in joint.items()}

    # --- samples ---------------------------------------------------------------------------------

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row: text, question, answer, those of the world, the factors."""
        names = ("text", "question", "answer", *self.world.columns, *self.factors)
        return tuple(dict.fromkeys(names))

    def texts(self, n: int, seed: int = 0) -> list[str]:
        """`n` independent texts drawn from p."""
        if n < 0:
            raise ValueError(f"n must not be negative, got {n}")
        rng = random.Random(f"target-{self.name}-{seed}")
        return [self.write(self.chain.draw(rng)) for _ in range(n)]

    def rows(self, n: int, seed: int = 0) -> list[Row]:
        """`texts(n, seed)` with their answers and factors (see `columns`)."""
        return [self._row(text, self._read(text)) for text in self.texts(n, seed)]

    def sample(self, n: int, seed: int = 0) -> Dataset:
        """`rows` as a `datasets.Dataset`."""
        from datasets import Dataset

        rows = self.rows(n, seed)
        return Dataset.from_dict({name: [row[name] for row in rows] for name in self.columns})

    # --- any text of the world -------------------------------------------------------------------

    def read(self, text: str) -> dict[str, str] | None:
        """The factors of any well-formed text of the world, not of the target alone; else None.

        White space around the text does not count. A factor that a text does not show is "none".
        """
        return self._read(_text(text).strip())

    def well_formed(self, text: str) -> bool:
        """Tell whether the text can be read and the world accepts its answer."""
        return self.read(text) is not None

    def answer(self, text: str) -> Row | None:
        """The right row of a well-formed text (all `columns`), or None: an oracle for a student."""
        text = _text(text).strip()
        factors = self._read(text)
        return None if factors is None else self._row(text, factors)

    def _row(self, text: str, factors: Mapping[str, str] | None) -> Row:
        if factors is None:
            raise RuntimeError(f"the {self.name} target wrote a text it cannot read: {text!r}")
        row = {"text": text, **self._solve(text), **factors}
        return {name: row[name] for name in self.columns}

    # --- prompts in the embedded model's instruction format --------------------------------------

    def extract(self, text: str) -> str:
        """The target's part of a text in the world's own form, such as a prompted model writes."""
        return text.strip()

    def zero_shot_prompt(self) -> str:
        """The weak template: names the domain and nothing else."""
        return self._prompt({})

    def engineered_prompts(
        self, n: int, real_rows: Sequence[Mapping | str] | None = None, seed: int = 0
    ) -> list[str]:
        """The strong template: `n` prompts with what a person would know of the target.

        Each names attributes of the target, drawn evenly (`attributes`). Where the embedded model's
        format shows examples (the math target) and `real_rows` are given, a prompt shows two of
        them, drawn at random, instead.

        Raises:
            ValueError: n is negative, or there are fewer than two real rows.
        """
        if n < 0 or (real_rows is not None and len(real_rows) < 2):
            raise ValueError(
                f"prompts need n >= 0 and at least two real rows to show, got n={n} and "
                f"{'no' if real_rows is None else len(real_rows)} rows"
            )
        rng = random.Random(f"prompts-{self.name}-{seed}")
        if real_rows is None or not self.shows_examples:
            return [self._prompt(self.attributes(rng)) for _ in range(n)]
        shown = [row if isinstance(row, str) else row["text"] for row in real_rows]
        return [self._prompt({}, rng.sample(shown, 2)) for _ in range(n)]

    def _prompt(self, attributes: Mapping[str, str], examples: Sequence[str] = ()) -> str:
        """The instruction format of `synthkit.lm.documents`; a world may not import that."""
        task = f"Write a {self.noun}{' like these' if examples else ''}."
        keys = [f"{key}: {value}" for key, value in attributes.items()]
        given = [f"Input:\n{example}" for example in examples]
        return "\n".join([task, *keys, *given, "Output:\n"])

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(factors={list(self.factors)}, joint={' x '.join(self.joint)})"
        )


def factor_tv(target: Target, texts: Iterable[str]) -> dict[str, float]:
    """Total variation between the texts' factors and the target's true distribution, in [0, 1].

    Args:
        target: the target.
        texts: the texts to judge; those that are not well formed are left out.

    Returns:
        One number a factor, and one for both of `joint` under "first x second". All are 1 when no
        text is well formed. A finite sample of the target itself is not at 0: read the numbers
        beside those of as many real texts.

    Raises:
        ValueError: no text at all.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a list of str, got one str")
    texts = list(texts)
    if not texts:
        raise ValueError("total variation needs texts, got none")
    read = [factors for factors in map(target.read, texts) if factors]
    groups = [*((factor,) for factor in target.factors), target.joint]
    return {" x ".join(group): _total_variation(target, read, group) for group in groups}


def _total_variation(target: Target, read: list[dict], group: tuple[str, ...]) -> float:
    if not read:
        return 1.0
    true = target.chain.marginal(*group)
    seen = Counter(tuple(factors[name] for name in group) for factors in read)
    return sum(abs(true.get(key, 0.0) - seen[key] / len(read)) for key in {*true, *seen}) / 2


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a target reads one text (str), got {type(text).__name__}: {text!r:.80}")
    return text
