"""Seven ways to make texts of a task, each fitted and sampled through the one interface."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...difflm.synthesizer import DiffLM
from ...embedsdg.synthesizer import EmbedSDG
from ...softsrv.baselines import template
from ...softsrv.filters import EMPTY, UNTERMINATED
from ...softsrv.synthesizer import SoftSRV
from ...spa.synthesizer import SPA
from ...synalign.synthesizer import SynAlign
from ...teacher import LMTeacher
from .tasks import CLASS, CLASSES, Row, Task, as_row, labelled, opened, read_labelled

TEMPLATE, EMBEDSDG, SOFTSRV = "template", "EmbedSDG", "SoftSRV"
SPA_, SYNALIGN, DIFFLM = "SPA", "SynAlign", "DiffLM"
DROP = (EMPTY, UNTERMINATED)
TEMPERATURE = 1.0  # of all ways but SPA, whose answers are greedy


@dataclass
class Way:
    """A method with the task's rows in its own form.

    Attributes:
        method: has `fit` and `sample`.
        into: from the task's rows to what it learns from. out: from a row of its sample to one of
            the task, or None where that cannot be used.
        fitting, sampling: options of `fit` and `sample`.
    """

    method: Any
    into: Callable[[Sequence[Row]], Any]
    out: Callable[[Mapping[str, Any]], Row | None]
    fitting: Mapping[str, Any] = field(default_factory=dict)
    sampling: Mapping[str, Any] = field(default_factory=dict)

    def fit(self, rows: Sequence[Row]) -> Way:
        """Learn from rows of the task."""
        with quiet():
            self.method.fit(self.into(rows), **self.fitting)
        return self

    def sample(self, n: int, **options: Any) -> list[Row]:
        """Those of `n` drafts that can be used."""
        with quiet():
            return usable(map(self.out, self.method.sample(n, **self.sampling, **options)))


class quiet(warnings.catch_warnings):
    """No warnings that drafts were turned away: the share that can be used says it."""

    def __enter__(self):
        found = super().__enter__()
        warnings.simplefilter("ignore", UserWarning)
        return found


def usable(rows: Iterable[Row | None]) -> list[Row]:
    """The rows that are there."""
    return [row for row in rows if row is not None]


@dataclass
class Written:
    """A prompt that a person writes for each class, as a method: it learns nothing."""

    lm: Any
    task: Task
    seed: int
    options: Mapping[str, Any]

    def fit(self, rows: Sequence[Row]) -> None:
        """Leave the rows alone."""

    def sample(self, n: int) -> list[Row]:
        """At most `n` texts, half of each class, in turn."""
        sides = []
        for label in CLASSES:
            prompts = self.task.asks(label, n // 2, random.Random(f"{label}-{self.seed}"))
            sides.append([{"text": t, "label": label} for t in self.answers(prompts, n // 2)])
        return [row for pair in zip(*sides) for row in pair]

    def answers(self, prompts: Sequence[str], n: int) -> list[str]:
        """At most `n` answers that the model ended, or that end with a sentence."""
        if not self.task.stop:
            how = {"drop": DROP, "max_rounds": 1, "seed": self.seed, **self.options}
            return template(self.lm, prompts, **how).sample(n)["text"]
        how = {"temperature": TEMPERATURE, "seed": self.seed, "stop": self.task.stop}
        teacher = LMTeacher(self.lm, **how, **self.options)
        asked = [prompts[i % len(prompts)] for i in range(n)]
        return [each for each in teacher.complete(asked) if each.finish_reason == "stop"]


@dataclass
class SynAlignWay(Way):
    """SynAlign, whose pool is what others sample, and whose sample is drawn by weight."""

    def sample(self, n: int, **options: Any) -> list[Row]:
        """Those texts of a pool of `n` that can be used, without weights."""
        with quiet():
            return usable(map(self.out, self.method.pool(n)))

    def drawn(self, n: int) -> list[Row]:
        """`n` texts that are drawn from the pool by weight."""
        with quiet():
            return usable(map(self.out, self.method.sample(n)))


# --- the ways -------------------------------------------------------------------------------------


def plain(row: Mapping[str, Any]) -> Row | None:
    """A row whose columns are those of the task."""
    return as_row(row["text"], row["label"])


def ways(
    lm: Any, task: Task, preset: Any, seed: int, encoder: Any, rows: Sequence[Row]
) -> dict[str, Callable[[], Way]]:
    """A maker of each way, by name; nothing is made before it is called."""
    long = {"max_new_tokens": preset.max_new_tokens}
    asked = {"temperature": TEMPERATURE, "seed": seed, **long}
    own = {name: dict(getattr(preset, name)) for name in ("embedsdg", "softsrv", "spa",
                                                          "synalign", "difflm")}  # fmt: skip

    def written() -> Way:
        return Way(Written(lm, task, seed, long), list, plain)

    def embedsdg() -> Way:
        method = EmbedSDG(
            lm, teacher=task.between(lm, **asked), prompts=task.prompts, seed=seed, sketch="skip",
            max_rounds=1, **own["embedsdg"],
        )  # fmt: skip
        return Way(method, questions, lambda row: as_row(row["question"], row["final"]))

    def softsrv() -> Way:
        options = {"drop": DROP, "max_rounds": 1, **long, **own["softsrv"]}
        method = SoftSRV(lm, seed=seed, **options)
        return Way(method, lambda rows: [*map(labelled, rows)], lambda r: read_labelled(r["text"]))

    def synalign() -> Way:
        options = {"describe": "read", "retries": 0, "pool": preset.drafts, **own["synalign"]}
        writer = LMTeacher(lm, stop=task.stop, **asked)
        method = SynAlign(
            lm, teacher=writer, encoder=encoder, schema=task.schema, seed=seed, **options
        )
        return SynAlignWay(method, list, plain, {"label": CLASS})

    def difflm() -> Way:
        method = DiffLM(lm, preset="fast", seed=seed, **own["difflm"])
        how = {"max_tries": 1, "temperature": TEMPERATURE}
        return Way(method, lambda rows: [*map(labelled, rows)], lambda r: read_labelled(r["text"]),
                   sampling=how)  # fmt: skip

    return {
        TEMPLATE: written, EMBEDSDG: embedsdg, SOFTSRV: softsrv,
        SPA_: lambda: spa_way(lm, preset, seed, rows), SYNALIGN: synalign, DIFFLM: difflm,
    }  # fmt: skip


def spa_way(lm: Any, preset: Any, seed: int, rows: Sequence[Row], **options: Any) -> Way:
    """SPA: greedy answers, from prompts that name a class and show the first words.

    Args:
        rows: of which the first are the queries that the partition is made by.
    """
    options = {"max_new_tokens": preset.max_new_tokens, "on_small": "fill", **preset.spa, **options}
    method, asked = SPA(lm, seed=seed, **options), [*map(opened, rows[: preset.n_queries])]
    given = {} if method.preset.partition == "random" else {"queries": asked}
    return Way(method, lambda rows: [*map(opened, rows)], ended, given)


def ended(row: Mapping[str, Any]) -> Row | None:
    """A row of SPA's sample; None where its answer was cut off."""
    whole = row["prompt"] + row["completion"]
    return read_labelled(whole) if row["status"] == "kept" else None


def questions(rows: Sequence[Row]) -> list[Row]:
    """Rows as EmbedSDG takes them: the text is the question, its class the answer."""
    return [{"question": row["text"], "answer": row["label"]} for row in rows]


def places(embedsdg: Way, rows: Sequence[Row], n: int) -> list[tuple[str, str]]:
    """The two texts of each place, at most `n`, that EmbedSDG would show to its teacher."""
    with quiet():
        plan = embedsdg.method.plan(n)
    return [tuple(labelled(rows[i]) for i in entry["seeds"]) for entry in plan]


def midpoints(softsrv: Way, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """SoftSRV's contexts half-way between the two texts of each pair, (n, d_e)."""
    first, second = (softsrv.method.fitted.encoder(list(side)).numpy() for side in zip(*pairs))
    return (first + second) / 2
