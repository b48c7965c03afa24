"""A method on real data with a real model: sizes, the split of the rows, what was written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.files import write_jsonl
from ..teacher import as_teacher
from .measurements import means, samples_file
from .real_data import RealData
from .study import Case, Study, Table, Trial, Unit, settings

if TYPE_CHECKING:
    import pandas as pd

    from ..lm.shapes import Shape
    from .plans import Work
    from .results import Result

DATA = "data"  # the unit that counts the rows
FEWEST = 12  # rows, in all
COUNTS = (
    "to learn from", "to stop", "to test", "looked at", "too long", "repeated", "tokens per row"
)  # fmt: skip


@dataclass(frozen=True)
class RealPreset:
    """Sizes of a method on real data; each method has a class of its own.

    Attributes:
        n_train: rows to learn from; None: all that are left. n_stop: rows that end a training.
        n_test: rows that judge. n_pool: rows to be spared for a teacher that answers with them.
            With fewer rows than these four ask for, all shrink alike.
        n_sample: rows that each arm writes.
        longest: tokens of a row at most; longer rows are left out and counted.
        max_new_tokens: of a row that is written.
        method: the preset of the method. changes: options that differ from it.
        seeds: each splits the rows and fits anew.
    """

    n_train: int | None = 96
    n_stop: int = 16
    n_test: int = 32
    n_pool: int = 0
    n_sample: int = 24
    longest: int | None = 128
    max_new_tokens: int = 128
    method: str = "fast"
    changes: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)

    # Options of the method that `limited` cuts, and the least of any size where it is above 1.
    steps: ClassVar[tuple[str, ...]] = ()
    least: ClassVar[Mapping[str, int]] = {
        "n_train": 8, "n_stop": 2, "n_test": 2, "n_sample": 2, "max_new_tokens": 16,
    }  # fmt: skip

    def resolved(self) -> Any:
        """The method's preset, with the changes."""
        raise NotImplementedError

    def option(self, name: str) -> Any:
        """One option of the method."""
        return getattr(self.resolved(), name)

    def limited(self, n: int) -> RealPreset:
        """The same run with every count and every number of steps cut to `n`; one seed.

        A few counts stay at what is needed to run at all (`least`).
        """
        sizes = {}
        for name in (each.name for each in fields(self)):
            if name.startswith(("n_", "max_")):
                value, cut = getattr(self, name), max(n, self.least.get(name, 1))
                sizes[name] = cut if value is None else min(value, cut)
        known = {name: self.option(name) for name in self.steps}
        changes = {name: min(n, value) for name, value in known.items() if value is not None}
        return replace(self, **sizes, changes={**self.changes, **changes}, seeds=self.seeds[:1])


@dataclass(frozen=True)
class Paper:
    """A paper's own setting, where it is known.

    Attributes:
        model: the hub id. shape: of it. data: the hub name.
        rows, row_tokens: rows of the data, and tokens of one, about.
        note: what the paper leaves open, or does otherwise.
    """

    model: str
    shape: Shape
    data: str
    rows: int
    row_tokens: int
    note: str = ""


@dataclass
class RealTrial(Trial):
    """One model, set and seed.

    Attributes:
        data: the rows. teacher: that is asked, where the method asks one; None: the model.
    """

    data: RealData | None = None
    teacher: Any = None
    asks: ClassVar[bool] = False  # whether the method asks a teacher

    @cached_property
    def fitting(self) -> tuple[list[dict[str, Any]], dict[str, float]]:
        """The different rows that are short enough, and counts of all rows."""
        rows = list({json.dumps(row, default=str): dict(row) for row in self.data.rows}.values())
        repeated = len(self.data.rows) - len(rows)
        rows = self.some(rows)
        lengths = [len(ids) for ids in self.lm.token_ids([self.data.text_of(row) for row in rows])]
        longest = min(self.preset.longest or self.lm.context, self.lm.context)
        kept = [i for i, length in enumerate(lengths) if length <= longest]
        if len(kept) < FEWEST:
            raise ValueError(
                f"{self.data.name} has {len(kept)} different rows of at most {longest} tokens; "
                f"{FEWEST} are needed (found {len(self.data.rows)} rows, the shortest of "
                f"{min(lengths)} tokens)"
            )
        counts = {
            "looked at": len(rows), "too long": len(rows) - len(kept), "repeated": repeated,
            "tokens per row": float(np.mean([lengths[i] for i in kept])),
        }  # fmt: skip
        return [rows[i] for i in kept], counts

    def some(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """At most ten times the rows that are needed, since the tokens of all are counted."""
        preset = self.preset
        most = preset.n_train and 10 * (preset.n_train + preset.n_stop + preset.n_test)
        if not most or len(rows) <= most:
            return rows
        return [rows[i] for i in np.random.default_rng(self.seed).permutation(len(rows))[:most]]

    @cached_property
    def shuffled(self) -> list[dict[str, Any]]:
        """The rows of `fitting` in an order drawn with the seed."""
        rows = self.fitting[0]
        return [rows[i] for i in np.random.default_rng(self.seed).permutation(len(rows))]

    @cached_property
    def parts(self) -> tuple[list[dict[str, Any]], ...]:
        """Rows to learn from, to stop a training at, and to test on: the first of `shuffled`."""
        train, stop, test = split_sizes(len(self.shuffled), self.preset)
        ends = (0, test, test + stop, test + stop + train)
        test, stop, train = (self.shuffled[a:b] for a, b in pairwise(ends))
        return train, stop, test

    @property
    def spare(self) -> list[dict[str, Any]]:
        """Rows of `shuffled` that are in no part."""
        return self.shuffled[sum(map(len, self.parts)) :]

    def writer(self, **options: Any) -> Any:
        """The teacher; without one the model itself.

        Args:
            options: of the `LMTeacher` that a model becomes.

        Raises:
            ValueError: there is no teacher, and the model has no chat template.
        """
        told = self.lm if self.teacher is None else self.teacher
        if not getattr(told, "is_embedded", True) and not told.chat:
            raise ValueError(
                f"{told.name!r} has no chat template, so it cannot be asked: name a teacher "
                "(--teacher ADDRESS#MODEL, or an instruct model)"
            )
        return as_teacher(told, **options)

    def measure_data(self) -> None:
        if self.asks:
            self.writer()  # is refused before anything is measured
        self.add(DATA, {**dict(zip(COUNTS, map(len, self.parts))), **self.fitting[1]})

    def checkpoint(self, name: str) -> Path:
        """The folder or file from which an interrupted part of a unit goes on."""
        return self.log.path.parent / "unfinished" / f"{name}-{self.seed}"

    def finish(self) -> None:
        shutil.rmtree(self.log.path.parent / "unfinished", ignore_errors=True)

    def keep(self, arm: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep the rows that an arm has written beside the log, and count them."""
        write_jsonl(samples_file(self.log.path.parent, arm, self.seed), rows)
        self.add(arm, {"rows written": len(rows)})


def split_sizes(n: int, preset: RealPreset) -> tuple[int, int, int]:
    """Rows to learn from, to stop at and to test on, of `n` rows."""
    held = preset.n_stop + preset.n_test
    train = preset.n_train or max(n - held, held)  # of few rows, half are learned from
    share = min(1.0, n / (train + held + preset.n_pool))
    sizes = [max(int(share * size), 1) if size else 0 for size in (preset.n_stop, preset.n_test)]
    return min(int(share * train), n - sum(sizes)), *sizes


def real_study(
    name: str,
    title: str,
    data: RealData,
    trial: Callable[..., RealTrial],
    units: Callable[[Any], Sequence[Unit]],
    presets: Mapping[str, RealPreset],
    columns: Mapping[str, str],
    *,
    samples: Sequence[str] = (),
    notes: str = "",
    table_notes: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
    key: Mapping[str, Any] | None = None,
    work: Callable[[Any, float], list[Work]] | None = None,
    command: str = "",
) -> Study:
    """A study of a method on one real set; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        units: from a preset to the units of the method.
        columns: of the table, by heading a measure.
        samples: arms of which a few rows are shown.
        given: settings of the run, for the record. key: what else the measurements depend on.
        work: from a preset and the tokens per row to the parts of the run.
    """

    def cases(preset: RealPreset) -> list[Case]:
        counted = Unit(DATA, lambda trial: trial.measure_data(), measures=("tokens per row",))
        parts = {"data": data.key, "options": preset.resolved(), **(key or {})}
        make = partial(trial, data=data)
        return [Case([counted, *units(preset)], make, {"data": data.name}, parts)]

    return Study(
        name, title, cases, presets,
        place="{data}",
        tables=(
            Table(partial(arm_table, columns=columns), notes=tuple(table_notes)),
            Table(count_table, "rows"),
        ),
        notes=notes,
        settings=settings,
        command=command or f"run(synthkit.studies.{name}.real.study(data))",
        given={**data.facts(), **(given or {})},
        samples=tuple(samples),
        work=work,
    )  # fmt: skip


def arm_table(result: Result, place: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """Mean over the seeds, a row per arm."""
    frame = means(result, columns, data=place)
    return frame.drop(index=DATA, errors="ignore")


def count_table(result: Result, place: str) -> pd.DataFrame:
    """The rows that were used, and those that were left out."""
    return means(result, dict(zip(COUNTS, COUNTS)), (DATA,), data=place).round().astype("Int64")


def by_label(result: Result) -> pd.DataFrame:
    """Mean over the seeds: a row per arm and label, a column per measure."""
    frame = result.frame()
    labels = [name for name in frame if name not in ("measure", "seed", "value", "arm")]
    wide = frame.pivot_table("value", [*labels, "arm"], "measure", sort=False).round(3)
    return wide.rename_axis(None, axis=1)


def at_sizes(
    make: Callable[..., Study], data: RealData, preset: RealPreset, told: str, command: str
) -> Study:
    """A method's study on real data at sizes of its own, in a place of its own.

    Args:
        make: the method's `study`. preset: the sizes; they become the scale "study".
        told: what the place adds to the name of the data. command: that runs it.
    """
    found = make(replace(data, name=f"{data.name}, {told}"), command=command)
    return replace(found, presets={"study": preset})
