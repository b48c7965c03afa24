"""SynAlign on real texts with a real model: what it writes, weighted in three ways."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ...core.presets import choose_preset
from ...evaluation.contamination import near_copy_rates
from ...lm.shapes import SHAPES
from ...synalign.alignment import align, alignment_report, systematic_resample
from ...synalign.presets import PRESETS as METHOD_PRESETS
from ...synalign.presets import SynAlignPreset
from ...synalign.schemas import SURFACE
from ...synalign.state import classes_of, with_written_classes
from ...synalign.synthesizer import SynAlign
from ...teacher.replies import teacher_identity
from ..plans import Work
from ..real import Paper, RealPreset, RealTrial, real_study
from ..real_data import RealData, about_of, read_data
from ..study import Study, Unit

read = partial(read_data, roles=("text",), optional=("label",))
UNWEIGHTED, TILTING, EXACT = "unweighted", "tilting", "exact"
PER_CLASS = 10  # rows to learn from, on average, below which labels are left out
COLUMNS = {
    "MMD^2, held out": "MMD^2, held out",
    "over unweighted": "over unweighted",
    "over real": "over real",
    "effective share": "effective share",
    "near copies": "near copies, train",
    "rows": "rows written",
}
PAPER = Paper(
    "meta-llama/Meta-Llama-3-8B-Instruct", SHAPES["llama-3.1-8b"], "fancyzhx/ag_news",
    120_000, 55,
    "the paper's encoder is DistilBERT, the kit's TF-IDF unless a program gives another; its "
    "writers are GPT-3.5, GPT-4o and Llama 3",
)  # fmt: skip


@dataclass(frozen=True)
class SynAlignReal(RealPreset):
    """Sizes of SynAlign on real texts: `n_sample` texts are written, and weighted."""

    temperature: float = 1.0

    steps: ClassVar[tuple[str, ...]] = ("picks", "per_record", "retries")
    least: ClassVar[Mapping[str, int]] = {**RealPreset.least, "n_sample": 8}

    def resolved(self) -> SynAlignPreset:
        return choose_preset(self.method, METHOD_PRESETS, self.changes, "SynAlign")


PRESETS = {
    "fast": SynAlignReal(
        n_train=160, n_stop=0, n_test=80, n_sample=48, longest=64, max_new_tokens=64,
        temperature=0.8, changes={"describe": "read", "picks": 16, "retries": 1},
    ),
    "study": SynAlignReal(
        n_train=1000, n_stop=0, n_test=500, n_sample=600, longest=128, max_new_tokens=128,
        method="study", changes={"describe": "read", "picks": 60}, seeds=(0, 1, 2),
    ),
    "paper": SynAlignReal(
        n_train=6000, n_stop=0, n_test=2000, n_sample=24_000, longest=512, max_new_tokens=6144,
        method="paper", seeds=(0, 1, 2),
    ),
}  # fmt: skip


@dataclass
class SynAlignTrial(RealTrial):
    """One set, model and seed.

    Attributes:
        about: a description of the texts, for the writing prompt.
    """

    about: str = ""
    asks: ClassVar[bool] = True

    def measure(self) -> None:
        """Texts that are written once, and each way to weight them."""
        method, rows = self.written()
        fit = with_written_classes(method.fitted, rows)
        real, x = fit.real, fit.encoder(list(rows["text"]))
        y, z = real.vectors[real.fit], real.vectors[real.held_out]
        labels = real.labels and (classes_of(rows, real.column), real.labels_of(real.fit))
        weights = {UNWEIGHTED: np.full(len(x), 1 / len(x))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of collapse: the effective share says it
            for arm in (TILTING, EXACT):
                weights[arm] = align(x, y, method=arm, labels=labels, seed=self.seed)
        for arm, each in weights.items():
            report = alignment_report(x, z, each, fitted=len(y))
            self.add(arm, {
                "MMD^2, held out": report.mmd2,
                "over unweighted": report.ratio,
                "over real": report.mmd2 / report.floor if report.floor > 0 else None,
                "effective share": report.effective / report.n,
            })  # fmt: skip
            self.draw(arm, rows, each)

    def written(self) -> tuple[SynAlign, Any]:
        """The fitted method and the texts that it wrote."""
        preset, (train, _, test) = self.preset, self.parts
        options = {"max_new_tokens": preset.max_new_tokens, "temperature": preset.temperature}
        schema = replace(SURFACE, write=SURFACE.write.replace("one new text", self.about))
        method = SynAlign(
            self.lm, teacher=self.writer(seed=self.seed, **options), schema=schema,
            preset=preset.resolved(), seed=self.seed,
        )  # fmt: skip
        classes = {row.get("label") for row in train}
        label = "label" if "label" in train[0] and len(train) >= PER_CLASS * len(classes) else None
        fit = {"validation": test, "label": label, "progress": self.progress}
        method.fit(train, checkpoint=self.checkpoint("records"), **fit)
        rows = method.pool(
            preset.n_sample, checkpoint=self.checkpoint("answers"), progress=self.progress
        )
        if len(rows) < 2:
            raise ValueError(
                f"{len(rows)} of {preset.n_sample} texts can be used ({method.report.reasons()}); "
                "name another teacher, or a larger model"
            )
        return method, rows

    def draw(self, arm: str, rows: Any, weights: np.ndarray) -> None:
        """Keep the texts that `weights` draw; near copies are counted among them."""
        index = systematic_resample(weights, len(rows), self.seed)
        drawn = [rows[int(i)] for i in index]
        names = [name for name in ("text", "label") if name in rows.column_names]
        self.keep(arm, [{name: row[name] for name in names} for row in drawn])
        real = [row["text"] for row in self.parts[0]]
        copies = near_copy_rates([row["text"] for row in drawn], real)["train"].mean
        self.add(arm, {"near copies, train": copies})


def units(preset: SynAlignReal) -> Sequence[Unit]:
    """One unit: the ways to weight share what is written."""
    arms = (UNWEIGHTED, TILTING, EXACT)
    return [Unit("written", SynAlignTrial.measure, arms, measures=("MMD^2, held out",))]


def work(preset: SynAlignReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed; a prompt has some 100 tokens."""
    how, calls = preset.resolved(), preset.n_sample
    parts = [Work("writing", read=100 * calls, written=calls * row, calls=calls)]
    if how.describe == "teacher":
        described = Work("describing", read=how.picks * (100 + row), written=60 * how.picks,
                         calls=how.picks)  # fmt: skip
        parts.insert(0, described)
    return parts


def study(
    data: RealData,
    *,
    teacher: Any = None,
    about: str | None = None,
    command: str = "",
    **given: Any,
) -> Study:
    """SynAlign on one set of texts; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: rows with `text`, and `label` where there are classes.
        teacher: that describes and writes; None: the model itself, in its chat template.
        about: a description of one text, for the prompt; None: what is known of a public set.
        command, given: how it was asked for, for the record.
    """
    told, who = about_of(data, about), None if teacher is None else teacher_identity(teacher)
    return real_study(
        "synalign", "SynAlign on real texts", data,
        partial(SynAlignTrial, teacher=teacher, about=told), units, PRESETS, COLUMNS,
        samples=(UNWEIGHTED, EXACT),
        notes="MMD^2 of the weighted texts to real ones that no weight was fitted to.",
        table_notes=(
            "MMD^2: to real texts that no weight was fitted to; over real: as a multiple of what "
            f"real texts have. Labels count where a class has {PER_CLASS} rows to learn from.",
        ),
        given={"about": told, "teacher": who, **given},
        key={"about": told, "teacher": who},
        work=work,
        command=command,
    )  # fmt: skip
