"""SynAlign: look at few real texts, describe them, write from that, and weight what was written."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import as_count, as_seed
from ..core.fitted import check_model, made_with
from ..core.phases import Phases
from ..core.reports import Report
from ..core.saved import Saved
from ..core.synthesizer import Synthesizer
from ..datasets import as_dataset
from ..embed.encoders import load_embedder
from ..evaluation.contamination import as_held_out
from ..evaluation.text import exact_duplicates
from ..teacher import LMTeacher, as_teacher
from ..teacher.replies import teacher_identity, teacher_name
from .alignment import AlignmentReport, systematic_resample
from .attributes import Schema, write
from .exploration import Plan
from .presets import PRESETS, SynAlignPreset
from .schemas import default_schema, with_class
from .state import (
    RealTexts,
    SynAlignFit,
    as_rows,
    checked_rows,
    identity,
    pack_fit,
    read_real,
    unpack_fit,
)
from .steps import (
    demonstrations_of,
    embedded,
    hold_out,
    judged,
    most_missed,
    records_of,
    weights_of,
    width_of,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from typing_extensions import Self

__all__ = ["PRESETS", "SynAlign", "SynAlignPreset"]


class SynAlign(Synthesizer):
    """Synthetic texts that are distributed as the real ones are (arXiv 2502.08661).

    Args:
        lm: a `synthkit.LM` that describes and writes, and that the embedder "lm" reads.
        teacher: what describes and writes instead, see `synthkit.teacher.as_teacher`.
        embedder: of `synthkit.embed.encoders.load_embedder`; "tfidf" learns from the real texts.
        schema: the attributes; None: `REVIEWS` for rows of the reviews world, else `SURFACE`.
        preset: "fast", "study", "paper" or a `SynAlignPreset`.
        seed: of every choice, and the default of `pool` and `sample`.
        options: single values that replace those of the preset: `picks=60`.

    Attributes:
        fitted: a `SynAlignFit`; ValueError before `fit`.
        alignment: an `AlignmentReport` on the texts held out, of what was weighed last; None
            before, and with fewer than two texts held out.
        report: what happened last; its facts tell of calls (`described`, `written`).

    Raises:
        ValueError: an unknown preset or option, or an impossible value.
    """

    presets = PRESETS
    needs_model = False

    def __init__(
        self, lm: Any = None, *, teacher: Any = None, embedder: Any = "tfidf",
        schema: Schema | None = None, preset: str | SynAlignPreset = "fast", seed: int = 0,
        **options: Any,
    ):  # fmt: skip
        super().__init__(lm, preset=preset, seed=seed, **options)
        self.teacher, self.embedder, self.schema = teacher, embedder, schema
        self._written: tuple[Any, list] = (None, [])
        self._forget()

    def fit(
        self, data: Any, *, validation: Any = None, label: str | None = "label",
        demonstrations: Sequence[int] | None = None, checkpoint: str | Path | None = None,
        progress: bool = False,
    ) -> Self:  # fmt: skip
        """Embed the real texts, pick demonstrations class by class, and describe them.

        Args:
            data: rows with `text` and the class.
            validation: rows that only judge; None sets a share of `data` aside.
            label: the column of the class; rows of the reviews world need not name it, it is the
                sentiment. None: texts without classes.
            demonstrations: rows of `data` to take instead of picking.
            checkpoint: a folder from which an interrupted fit goes on; `save` empties it.

        Raises:
            TypeError, ValueError: rows, vectors or settings that do not fit; see `read_real`,
                `synthkit.embed.encoders.Embedder`, `explore`, `with_class` and `records_of`.
            TeacherError: the teacher failed; what it answered is in the checkpoint.
        """
        super().fit(
            data, validation=validation, checkpoint=checkpoint, progress=progress,
            label=label, demonstrations=demonstrations,
        )  # fmt: skip
        self._forget()
        return self

    def fit_more(
        self, demonstrations: Sequence[int], *, checkpoint: str | Path | None = None,
        progress: bool = False,
    ) -> Self:  # fmt: skip
        """Take further real texts as demonstrations, for example those that `missing` names.

        Args:
            checkpoint: a file for the answers; an interrupted call goes on from there.

        Raises:
            ValueError: not fitted, a row that is not there, or one that is held out.
        """
        fit = self.fitted
        rows = checked_rows(demonstrations, fit.real)
        report = Report(self.name, "fit_more", len(rows))
        kept, records, counts = self._describe(rows, fit.real, fit.schema, checkpoint, progress)
        self._state = replace(
            fit, demonstrations=fit.demonstrations + kept, records=fit.records + records
        )
        report.delivered, report.facts["described"], self.report = len(kept), counts, report
        self._forget()
        return self

    def pool(
        self, n: int | None = None, seed: int | None = None, *, held_out: Any = None,
        checkpoint: str | Path | None = None, progress: bool = False,
    ) -> Dataset:  # fmt: skip
        """`n` written texts without weights, as a `datasets.Dataset` with the columns of `COLUMNS`.

        The records take turns. Texts that cannot be used are missing, with a warning.

        Args:
            n: None is the preset's `per_record` for each record.
            seed: of the writing; None is that of the constructor.
            held_out, checkpoint, progress: as in `sample`.

        Raises:
            ValueError: not fitted, n below 1, or no teacher.
            TeacherError: the teacher failed; what it answered is in the checkpoint.
        """
        k = len(self.fitted.records)
        n = as_count(k * self.preset.per_record if n is None else n)
        self.report = Report(self.name, "pool", n)
        rows = self._pool(n, as_seed(seed, self.seed), held_out, checkpoint, progress)
        self.report.delivered = len(rows)
        if len(rows) < n:
            self.report.warn(f"{len(rows)} of {n} texts can be used ({self.report.reasons()})")
        return rows

    def weigh(self, rows: Any, *, aligned: bool = True) -> np.ndarray:
        """Weights (n,) that bring `rows` close to the real texts, class by class.

        Sets `alignment`.

        Args:
            rows: with `text`, and if the real texts have classes with `label`, or with the column
                that held them there.
            aligned: False gives equal weights, and the report on them.

        Raises:
            ValueError: not fitted, no column of classes, or a class of the real texts that no row
                has.
        """
        fit, rows = self.fitted, as_dataset(rows, "text")
        x = fit.embedder(list(rows["text"]))
        weights = np.full(len(x), 1 / len(x))
        if aligned:
            weights = weights_of(rows, x, fit, self.preset, self.seed)
        self._weighed, self.alignment = (x, weights), judged(x, weights, fit)
        return weights

    def missing(self, k: int, *, again: bool = False) -> list[int]:
        """The `k` real texts that the texts weighed last miss most, by row number, worst first.

        Args:
            again: whether texts that are demonstrations already may be named once more.

        Raises:
            ValueError: nothing has been weighed, or there are fewer than k such texts.
        """
        if self._weighed is None:
            raise ValueError("nothing has been weighed yet: call sample(n) or weigh(rows) first")
        shown = set() if again else set(self.fitted.demonstrations)
        found = [i for i in most_missed(*self._weighed, self.fitted) if i not in shown]
        if not 1 <= k <= len(found):
            raise ValueError(f"asked for {k} of {len(found)} real texts; take 1 to {len(found)}")
        return found[:k]

    def sample(
        self, n: int, *, seed: int | None = None, held_out: Any = None, aligned: bool = True,
        checkpoint: str | Path | None = None, progress: bool = False, strict: bool = False,
    ) -> Dataset:  # fmt: skip
        """`n` texts drawn by weight from a pool of `preset.pool` times as many.

        A text may come several times. Errors are also those of `pool` and `weigh`.

        Args:
            seed: of the writing and of the draw; None is that of the constructor.
            held_out: texts that must not be repeated; they leave the pool.
            aligned: False draws from the same pool with equal weights.
            checkpoint: a file for the answers; an interrupted call goes on from there.
            strict: see `Synthesizer.sample`.

        Returns:
            The columns of `COLUMNS`, and those of every method: `demonstration` is a row of the
            real texts, `call` a place in the pool, `weight` the text's share of the whole pool.
        """
        return super().sample(
            n, seed=seed, held_out=held_out, checkpoint=checkpoint, progress=progress,
            strict=strict, aligned=aligned,
        )  # fmt: skip

    @classmethod
    def load(
        cls, folder: str | Path, lm: Any = None, *, teacher: Any = None, embedder: Any = None,
        schema: Schema | None = None,
    ) -> Self:  # fmt: skip
        """A fitted SynAlign from `folder`; errors are also those of `Synthesizer.load`.

        Args:
            embedder: the one of the fit. None: TF-IDF comes back from the folder, and "lm" reads
                `lm`; any other one is only named there, since a name could stand for any code.
            schema: one of your own has to be given again.
        """
        return super().load(folder, lm, teacher=teacher, embedder=embedder, schema=schema)

    # --- for the base class -------------------------------------------------------------------

    def _read(self, data: Any, label: str | None = "label", demonstrations: Any = None) -> tuple:
        chosen = None if demonstrations is None else [int(i) for i in demonstrations]
        rows = as_dataset(data, "text")
        schema = self.schema or default_schema(rows.column_names)
        return *read_real(rows, label), schema, chosen

    def _fit_key(self, material: tuple, validation: Any) -> str:
        *data, schema, chosen = material
        who = self.teacher if self.preset.describe == "teacher" else None
        who = None if who is None else teacher_identity(who)
        parts = data, chosen, identity(load_embedder(self._encoder, self.lm), schema), who
        return super()._fit_key(parts, validation and validation[:3])

    def _fit(
        self, material: tuple, validation: Any, *, phases: Phases, progress: bool
    ) -> SynAlignFit:
        texts, labels, column, schema, chosen = material
        parts = hold_out(len(texts), self.preset.held_out, labels, self.seed)
        if validation is not None:
            more, their = validation[:2]
            parts = np.arange(len(texts)), len(texts) + np.arange(len(more))
            texts, labels = texts + more, None if labels is None else labels + their
        with_class(schema, column, labels)  # before anything is asked
        embedder, vectors = embedded(texts, parts[0], self._encoder, self.lm)
        real = RealTexts(texts, labels, column, *parts, vectors)
        plan = self._plan(real, chosen)
        kept, records, counts = phases.phase(
            "records",
            lambda: self._describe(plan.picks, real, schema, phases.running("records"), progress),
            lambda made: {"records.json": json.dumps(made).encode()},
            lambda saved: json.loads(saved.read("records.json")),
        )
        self.report.facts["described"] = counts
        width = width_of(real, self.preset.bandwidth)
        return SynAlignFit(real, embedder, plan, schema, width, kept, records)

    def _sample(
        self, n: int, *, seed: int, held_out: Any, checkpoint: Path | None, progress: bool,
        aligned: bool = True,
    ) -> tuple[Dataset, dict[str, Any]]:  # fmt: skip
        size = math.ceil(n * self.preset.pool)
        rows = self._pool(size, seed, held_out, checkpoint, progress)
        if len(rows):
            weights = self.weigh(rows, aligned=aligned)
            self.report.facts["alignment"] = self.alignment
            index = systematic_resample(weights, n, seed)
            drawn = rows[index.tolist()] | {"weight": weights[index].tolist()}
            rows = rows.from_dict(drawn)
        own = self.teacher is None
        model = self.lm.name if own else teacher_name(self.teacher)
        return rows, {"model": model, "temperature": self.preset.temperature if own else None}

    def _pack(self, state: SynAlignFit) -> tuple[Mapping[str, bytes], dict[str, Any]]:
        return pack_fit(state)

    def _unpack(self, saved: Saved) -> SynAlignFit:
        found = unpack_fit(saved, self.lm, self.embedder, self.schema)
        self.schema = found.schema
        if self.embedder is None:
            self.embedder = found.embedder.settings
        return found

    def _about(self, state: SynAlignFit) -> str:
        return f"{len(state.real.texts)} texts"

    @classmethod
    def _check_model(cls, lm: Any, known: Mapping[str, str] | None) -> None:
        if lm is not None and known is not None:  # a teacher may have written, or may write now
            check_model(made_with(lm), known, "this SynAlign was fitted")

    # --- parts --------------------------------------------------------------------------------

    @property
    def _encoder(self) -> Any:
        return "tfidf" if self.embedder is None else self.embedder

    def _forget(self) -> None:
        """No weights: what was fitted has changed."""
        self.alignment: AlignmentReport | None = None
        self._weighed: tuple[np.ndarray, np.ndarray] | None = None

    def writer(self, greedy: bool = False) -> Any:
        """The teacher, or the model as one; ValueError when there is neither."""
        if self.teacher is None and self.lm is None:
            raise ValueError("nobody to ask: give a model (lm=) or a teacher (teacher=)")
        if self.teacher is not None:
            return as_teacher(self.teacher)
        temperature = 0.0 if greedy else self.preset.temperature
        return LMTeacher(
            self.lm, max_new_tokens=self.preset.max_new_tokens, temperature=temperature
        )

    def _plan(self, real: RealTexts, chosen: list[int] | None) -> Plan:
        if chosen is not None:
            return Plan(np.array(checked_rows(chosen, real)), {}, ())
        if (picks := self.preset.picks) > (n := len(real.fit)):
            self.report.warn(
                f"{picks} picks, but {n} real texts to pick from: each is a demonstration once"
            )
        return demonstrations_of(real, self.preset, self.seed)

    def _describe(
        self, rows: Sequence[int], real: RealTexts, schema: Schema, file: Any, progress: bool
    ) -> tuple[list[int], list, dict[str, int]]:
        """Call 1, by a greedy model, by the teacher, or by reading."""
        teacher = self.writer(greedy=True) if self.preset.describe == "teacher" else None
        return records_of(
            rows, real, schema, teacher, retries=self.preset.retries, seed=self.seed,
            checkpoint=file, progress=progress,
        )  # fmt: skip

    def _pool(self, n: int, seed: int, held_out: Any, checkpoint: Any, progress: bool) -> Dataset:
        """Call 2: a pool is written once; the report counts what of it cannot be used."""
        fit, unwanted = self.fitted, as_held_out(held_out)
        key = fit, self.teacher, n, seed
        turns = [i % len(fit.records) for i in range(n)]
        shown = [fit.demonstrations[i] for i in turns]
        if self._written[0] != key:
            rows = write(
                self.writer(), [fit.records[i] for i in turns], fit.full_schema,
                labels=fit.real.labels_of(shown), retries=self.preset.retries,
                least=self.preset.least, seed=seed, checkpoint=checkpoint, progress=progress,
            )  # fmt: skip
            self._written = key, rows
        kept = []
        for row in self._written[1]:
            why = row.get("problem") or ("held out" if row["text"] in unwanted else None)
            if why is None:
                kept.append(row)
            else:
                self.report.rejected[why] += 1
        self.report.facts["written"] = tally(self._written[1], fit.real.texts)
        return as_rows(kept, shown)


def tally(rows: Sequence[Mapping[str, Any]], real: Sequence[str]) -> dict[str, int]:
    """Written texts and calls, and texts that repeat another one or a real one."""
    texts = [row["text"] for row in rows if row["text"]]
    return {
        "texts": len(texts),
        "calls": sum(row["tries"] for row in rows),
        "repeated": int(exact_duplicates(texts).sum()) if texts else 0,
        "copies of real texts": int(exact_duplicates(texts, against=real).sum()) if texts else 0,
    }
