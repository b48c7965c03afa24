"""SynAlign: look at few real texts, describe them, write from that, and weight what was written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arguments import as_count, as_seed
from ..core.identity import check_model, made_with
from ..core.reports import Report
from ..core.synthesizer import Synthesizer
from ..datasets import as_dataset
from ..embed.encoders import load_embedder
from ..evaluation.contamination import as_held_out
from ..teacher import LMTeacher, as_teacher
from ..teacher.replies import teacher_identity, teacher_name
from . import state, steps
from .attributes import Schema
from .fitting import draw, fit_texts
from .judging import AlignmentReport
from .pool import as_rows, tally, usable_rows, write_pool
from .presets import PRESETS, SynAlignPreset
from .schemas import default_schema

if TYPE_CHECKING:
    from datasets import Dataset
    from typing_extensions import Self


class SynAlign(Synthesizer):
    """Synthetic texts that are distributed as the real ones are (arXiv 2502.08661).

    Args:
        lm: a `synthkit.LM` that describes and writes, and that the encoder "lm" reads.
        teacher: what describes and writes instead, see `synthkit.teacher.as_teacher`.
        encoder: of `synthkit.embed.encoders.load_embedder`; "tfidf" learns from the real texts, and
            so sets them apart from other real ones: take "lm" or a sentence encoder where weights
            matter (lesson 44).
        schema: the attributes; None: `REVIEWS` for rows of the reviews world, else `SURFACE`.
        preset, seed, options: see `Synthesizer`; options are those of `SynAlignPreset`.

    Attributes:
        alignment: an `AlignmentReport` on the texts held out, of what was weighed last; None
            before, and with fewer than two texts held out.
    """

    presets = PRESETS
    needs_model = False

    def __init__(
        self, lm: Any = None, *, teacher: Any = None, encoder: Any = "tfidf",
        schema: Schema | None = None, preset: str | SynAlignPreset = "fast", seed: int = 0,
        **options: Any,
    ):  # fmt: skip
        super().__init__(lm, preset=preset, seed=seed, **options)
        self.teacher, self.encoder, self.schema = teacher, encoder, schema
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
            label: the column of the class (the sentiment in rows of the reviews world); None: texts
                without classes.
            demonstrations: rows of `data` to take instead of picking.

        Raises:
            TypeError, ValueError: rows, vectors or settings that do not fit.
            TeacherError: the teacher failed; what it answered is in the checkpoint.
        """
        own = {"label": label, "demonstrations": demonstrations}
        super().fit(data, validation=validation, checkpoint=checkpoint, progress=progress, **own)
        self._forget()
        return self

    def fit_more(
        self, demonstrations: Sequence[int], *, checkpoint: str | Path | None = None,
        progress: bool = False,
    ) -> Self:  # fmt: skip
        """Take further real texts as demonstrations, for example those that `missing` names.

        ValueError: not fitted, a row that is not there, or one that is held out.
        """
        fit = self.fitted
        rows = state.checked_rows(demonstrations, fit.real)
        kept, records, counts = self._describe(rows, fit.real, fit.schema, checkpoint, progress)
        shown, records = fit.demonstrations + kept, fit.records + records
        self._state = replace(fit, demonstrations=shown, records=records)
        self.report = Report(self.name, "fit_more", len(rows), len(kept))
        self.report.facts["described"] = counts
        self._forget()
        return self

    def pool(
        self, n: int | None = None, *, seed: int | None = None, held_out: Any = None,
        checkpoint: str | Path | None = None, progress: bool = False,
    ) -> Dataset:  # fmt: skip
        """`n` written texts without weights, with the columns of `synalign.pool.COLUMNS`.

        The records take turns; n is by default the preset's `per_record` for each. Texts that
        cannot be used are missing, with a warning. Arguments and errors are those of `sample`.
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
        """Weights (n,) that bring `rows` close to the real texts, class by class; sets `alignment`.

        The rows have `text` and, where the real texts have classes, `label` or their column; with
        `aligned=False` all weigh the same. ValueError: not fitted, or a class that no row has.
        """
        return self._weigh(as_dataset(rows, "text"), self.fitted, aligned)

    def _weigh(self, rows: Dataset, fit: state.SynAlignFit, aligned: bool) -> np.ndarray:
        x = fit.encoder(list(rows["text"]))
        weights = np.full(len(x), 1 / len(x))
        if aligned:
            weights = steps.weights_of(rows, x, fit, self.preset, self.seed)
        self._weighed, self.alignment = (x, weights), steps.judged(x, weights, fit)
        return weights

    def missing(self, k: int, *, again: bool = False) -> list[int]:
        """The `k` real texts that the texts weighed last miss most, by row number, worst first.

        `again` may name demonstrations once more. ValueError: nothing has been weighed, or there
        are fewer than k such texts.
        """
        if self._weighed is None:
            raise ValueError("nothing has been weighed yet: call sample(n) or weigh(rows) first")
        shown = set() if again else set(self.fitted.demonstrations)
        found = [i for i in steps.most_missed(*self._weighed, self.fitted) if i not in shown]
        if not 1 <= k <= len(found):
            raise ValueError(f"asked for {k} of {len(found)} real texts; take 1 to {len(found)}")
        return found[:k]

    def sample(
        self, n: int, *, seed: int | None = None, held_out: Any = None, aligned: bool = True,
        checkpoint: str | Path | None = None, progress: bool = False, strict: bool = False,
    ) -> Dataset:  # fmt: skip
        """`n` texts drawn by weight from a pool of `preset.pool` times as many.

        A text may come several times: the report counts those `drawn again`, and as `repeated`
        those that were written twice. A class of which no text can be used leaves its share of the
        rows open. `held_out` texts leave the pool; `aligned=False` draws with equal weights. All
        else is as in `Synthesizer.sample`.

        Returns:
            The columns of a pool, and those of every method: `demonstration` is a row of the real
            texts, `call` a place in the pool, `weight` the text's share of the whole pool.

        Raises:
            TeacherError: the teacher failed; what it answered is in the checkpoint.
        """
        own = {"checkpoint": checkpoint, "progress": progress, "strict": strict, "aligned": aligned}
        return super().sample(n, seed=seed, held_out=held_out, **own)

    @classmethod
    def load(
        cls, folder: str | Path, lm: Any = None, *, teacher: Any = None, encoder: Any = None,
        schema: Schema | None = None,
    ) -> Self:  # fmt: skip
        """A fitted SynAlign from `folder`; see `Synthesizer.load`.

        Only the encoders TF-IDF and "lm" come back from a folder, and only the kit's schemas.
        """
        return super().load(folder, lm, teacher=teacher, encoder=encoder, schema=schema)

    def writer(self, greedy: bool = False) -> Any:
        """The teacher, or the model as one; ValueError when there is neither."""
        if self.teacher is not None:
            return as_teacher(self.teacher)
        if self.lm is None:
            raise ValueError("nobody to ask: give a model (lm=) or a teacher (teacher=)")
        temperature = 0.0 if greedy else self.preset.temperature
        tokens = self.preset.max_new_tokens
        return LMTeacher(self.lm, max_new_tokens=tokens, temperature=temperature)

    # --- for the base class -------------------------------------------------------------------

    def _read(self, data, label="label", demonstrations=None):
        rows = as_dataset(data, "text")
        chosen = None if demonstrations is None else state.row_numbers(demonstrations)
        schema = self.schema or default_schema(rows.column_names)
        return *state.read_real(rows, label), schema, chosen

    def _fit_key(self, material, validation):
        *data, schema, chosen = material
        asks = self.preset.describe == "teacher" and self.teacher is not None
        who = teacher_identity(self.teacher) if asks else None
        identity = state.identity(load_embedder(self.encoder or "tfidf", self.lm), schema)
        return super()._fit_key((data, chosen, identity, who), validation and validation[:3])

    def _fit(self, material, validation, *, phases, progress):
        return fit_texts(
            material, validation, self.preset, self.seed, encoder=self.encoder or "tfidf",
            lm=self.lm, phases=phases, report=self.report,
            describe=lambda *call: self._describe(*call, progress),
        )  # fmt: skip

    def _sample(self, n, *, seed, held_out, checkpoint, progress, aligned=True):
        size = math.ceil(n * self.preset.pool)
        rows = self._pool(size, seed, held_out, checkpoint, progress)
        if len(rows):
            fit, written = self.fitted, state.with_written_classes(self.fitted, rows)
            weights = self._weigh(rows, written, aligned)
            self.report.facts["alignment"] = self.alignment
            if lost := n - -(-n * len(written.real.fit) // len(fit.real.fit)):
                self.report.rejected["no text of its class"] += lost
            rows = draw(rows, weights, n - lost, seed, self.report)
        if self.teacher is not None:
            return rows, {"model": teacher_name(self.teacher)}
        return rows, {"temperature": self.preset.temperature}

    _pack = staticmethod(state.pack_fit)

    def _unpack(self, saved):
        fit = state.unpack_fit(saved, self.lm, self.encoder, self.schema)
        self.schema, self.encoder = fit.schema, self.encoder or fit.encoder.settings
        return fit

    def _about(self, fit):
        return f"{len(fit.real.fit)} texts"

    @classmethod
    def _check_model(cls, lm, known):
        if lm is not None and known is not None:  # a teacher may have written, or may write now
            check_model(made_with(lm), known, "this SynAlign was fitted")

    # --- parts --------------------------------------------------------------------------------

    def _forget(self) -> None:
        """No weights: what was fitted has changed."""
        self.alignment: AlignmentReport | None = None
        self._weighed: tuple[np.ndarray, np.ndarray] | None = None

    def _describe(self, rows, real, schema, checkpoint, progress):
        """Call 1, by the teacher, by a greedy model, or by reading."""
        return steps.records_of(
            rows, real, schema,
            self.writer(greedy=True) if self.preset.describe == "teacher" else None,
            retries=self.preset.retries, seed=self.seed, checkpoint=checkpoint, progress=progress,
        )  # fmt: skip

    def _pool(self, n: int, seed: int, held_out: Any, checkpoint: Any, progress: bool) -> Dataset:
        """Call 2: a pool is written once; the report counts what of it cannot be used."""
        fit, key = self.fitted, (self.fitted, self.teacher, n, seed)
        if self._written[0] != key:
            how = {"seed": seed, "checkpoint": checkpoint, "progress": progress}
            self._written = key, write_pool(self.writer(), fit, self.preset, n, **how)
        rows, reasons = usable_rows(self._written[1], as_held_out(held_out))
        self.report.rejected.update(reasons)
        self.report.facts["written"] = tally(self._written[1], fit.real.texts)
        return as_rows(rows)
