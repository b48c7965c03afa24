"""A teacher with a pool of real problems, which answers with the one nearest to what is asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

# The seeds and the sketch, as the kit's prompts show them.
_SHOWN = re.compile(r"^Question: (.*?)(?=\nAnswer:|\n\n|\Z)", re.M | re.S)


class PoolTeacher:
    """Answers a prompt with the real problem nearest to the mean of those it shows.

    Its problems are real and its answers right, so that two ways to choose seeds differ in the
    place alone: what a perfect teacher could give. No problem is given twice; when none is left,
    the replies are empty. It reads the prompt's text and nothing else.

    Args:
        rows: the pool, with `question` and `answer`; no student may have seen them.
        embed: from n texts to vectors (n, N), in which problems are near; None: the next problem in
            a random order, whatever the prompt.
        seed: of that order.

    Attributes:
        given: the rows given so far, by number.
    """

    group = 256  # prompts at a time, embedded together

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], embed: Callable[..., Any] | None = None,
        *, seed: int = 0,
    ):  # fmt: skip
        self.rows, self.embed, self.name = rows, embed, "pool"
        self.options = {"rows": len(rows), "nearest": embed is not None, "seed": seed}
        self.given: list[int] = []
        self._order = np.random.default_rng(seed).permutation(len(rows))
        if embed is not None:
            self._vectors = np.asarray(embed([row["question"] for row in rows]))

    def complete(self, prompts: Sequence[str]) -> list[str]:
        """A reply per prompt: a problem of the pool in the form that the prompts ask for."""
        return [self._reply(distance) for distance in self._distances(prompts)]

    def _distances(self, prompts: Sequence[str]) -> Sequence[np.ndarray]:
        """Distance of every problem of the pool from each prompt's place; its rank at random."""
        if self.embed is None:
            return [np.argsort(self._order)] * len(prompts)
        shown = [_SHOWN.findall(prompt) for prompt in prompts]
        if not all(shown):
            raise ValueError('a prompt shows no problem: a line "Question: ..." is needed')
        texts = list(dict.fromkeys(text for each in shown for text in each))
        vectors = dict(zip(texts, np.asarray(self.embed(texts))))
        places = (np.mean([vectors[text] for text in each], axis=0) for each in shown)
        return [np.linalg.norm(self._vectors - place, axis=1) for place in places]

    def _reply(self, distance: np.ndarray) -> str:
        if len(self.given) == len(self.rows):
            return ""
        left = np.delete(np.arange(len(self.rows)), self.given)
        self.given.append(int(left[np.argmin(distance[left])]))
        row = self.rows[self.given[-1]]
        return f"### Question\n{row['question']}\n### Answer\n{row['answer']}"
