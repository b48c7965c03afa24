"""EmbedSDG on real questions with a real student and teacher, beside seeds drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch

from ...core.presets import choose_preset
from ...embedsdg.presets import PRESETS as METHOD_PRESETS
from ...embedsdg.presets import EmbedSDGPreset
from ...embedsdg.sparsity import density_at
from ...embedsdg.synthesizer import EmbedSDG
from ...evaluation.contamination import near_copy_rates
from ...lm.examples import answer_loss, collate, encode
from ...lm.finetune import PRESETS as STUDENTS
from ...lm.finetune import FinetunePreset, encode_chat, finetune
from ...lm.shapes import SHAPES
from ...teacher import LMTeacher, Reply
from ...teacher.replies import teacher_identity
from ..plans import Work
from ..real import Paper, RealPreset, RealTrial, real_study
from ..real_data import RealData, read_data
from ..study import Study, Unit

read = partial(read_data, roles=("question", "answer"))
REAL = "real rows only"
WAYS: dict[str, dict[str, Any]] = {
    "EmbedSDG": {}, "random seeds, one shown": {"where": "random", "seeds": 1}
}  # fmt: skip
COLUMNS = {
    "answer loss": "answer loss",
    "accepted": "accepted",
    "density": "density",
    "near copies": "near copies, train",
    "rows": "rows written",
}
# What a model too small to keep a reply's form is given: examples to continue.
SMALL_MODEL = 1e9  # parameters
_TWO = """Example 1
Question: {question_1}
Answer: {answer_1}

Example 2
Question: {question_2}
Answer: {answer_2}

Example 3
Question:"""
CONTINUED = {
    "generate without sketch": _TWO,
    "baseline": "Example 1\nQuestion: {question}\nAnswer: {answer}\n\nExample 2\nQuestion:",
}
PAPER = Paper(
    "mistralai/Mistral-7B-Instruct-v0.3", SHAPES["mistral-7b"], "meta-math/MetaMathQA",
    395_000, 250,
    "the paper's teacher is Mistral Large: name one with --teacher, or the student answers",
)  # fmt: skip


@dataclass(frozen=True)
class EmbedSDGReal(RealPreset):
    """Sizes of EmbedSDG on real questions.

    Attributes:
        n_student: real rows that each student learns, beside the synthetic ones.
        temperature: of a model as teacher. continues: a small model continues examples instead.
        student: how a student is trained.
    """

    n_student: int = 48
    temperature: float = 0.7
    continues: bool = True
    student: FinetunePreset = field(default_factory=FinetunePreset)

    steps: ClassVar[tuple[str, ...]] = ("windows", "max_rounds")

    def resolved(self) -> EmbedSDGPreset:
        return choose_preset(self.method, METHOD_PRESETS, self.changes, "EmbedSDG")

    def limited(self, n: int) -> EmbedSDGReal:
        cut = super().limited(n)
        return replace(cut, student=replace(cut.student, max_updates=n))


SMALL = FinetunePreset(rank=8, lr=1e-3, epochs=3, batch_size=8, max_updates=10)
PRESETS = {
    "fast": EmbedSDGReal(
        n_train=96, n_stop=0, n_test=32, n_sample=12, longest=160,
        max_new_tokens=160, changes={"windows": 6, "max_rounds": 2}, student=SMALL,
    ),
    "study": EmbedSDGReal(
        n_train=800, n_stop=0, n_test=200, n_sample=200, n_student=200, longest=384,
        max_new_tokens=384, method="study", seeds=(0, 1, 2),
        student=FinetunePreset(lr=5e-4, epochs=3, batch_size=16),
    ),
    "paper": EmbedSDGReal(
        n_train=None, n_stop=0, n_test=1000, n_sample=1000, n_student=4500, longest=1024,
        max_new_tokens=1024, continues=False, method="paper", seeds=(0, 1, 2),
        student=replace(STUDENTS["paper"], accumulation=8, recomputing=True),
    ),
}  # fmt: skip


class Continuing(LMTeacher):
    """A small model as its own teacher: it continues examples, up to a blank line."""

    def __init__(self, lm: Any, **options: Any):
        super().__init__(lm, chat=False, **options)

    def complete(self, prompts: list[str], **how: Any) -> list[Reply]:
        """Question and answer behind each of `prompts`, which end in "Question:"."""
        written = super().complete(prompts, **how)
        cut = [text.lstrip().partition("\n\n") for text in written]
        return [
            Reply(f"Question: {text}", "stop" if mark else reply.finish_reason)
            for reply, (text, mark, _) in zip(written, cut)
        ]


@dataclass
class EmbedSDGTrial(RealTrial):
    """One set, model and seed: the map of the training rows, and students."""

    asks: ClassVar[bool] = True

    def writer(self, **options: Any) -> Any:
        if self.continues:
            return Continuing(self.lm, **options)
        return super().writer(**options)

    @property
    def continues(self) -> bool:
        """True if the model is its own teacher and too small to be asked."""
        small = self.lm.describe()["parameters"] < SMALL_MODEL
        return self.preset.continues and self.teacher is None and small

    @cached_property
    def real(self) -> list[dict[str, Any]]:
        """The real rows that a student learns."""
        return self.parts[0][: self.preset.n_student]

    def measure_real(self) -> None:
        places = self.fit("EmbedSDG").map
        self.add(REAL, {
            "answer loss": self.taught([]), "density": density(places, self.real),
        })  # fmt: skip

    def measure_way(self, arm: str) -> None:
        """Rows made one way: accepted, how thin their place is, copies, and what they teach."""
        method, preset = self.fit(arm), self.preset
        rows = method.sample(
            preset.n_sample, held_out=self.parts[2], progress=self.progress,
            checkpoint=self.checkpoint(f"answers-{arm}"),
        )  # fmt: skip
        made = [{name: row[name] for name in ("question", "answer")} for row in rows]
        self.keep(arm, made)
        self.add(arm, {"accepted": len(made) / method.report.facts["prompts"]})
        if made:
            questions, train = ([row["question"] for row in each] for each in (made, self.parts[0]))
            copies = near_copy_rates(questions, train)["train"].mean
            thin = density(self.fit("EmbedSDG").map, made)
            self.add(arm, {"near copies, train": copies, "density": thin})
        self.add(arm, {"answer loss": self.taught(made) if made else None})

    def fit(self, arm: str) -> EmbedSDG:
        preset, own = self.preset, {"sketch": "skip"} if self.continues else {}
        chosen = choose_preset(preset.resolved(), METHOD_PRESETS, {**WAYS[arm], **own}, "EmbedSDG")
        options = {"max_new_tokens": preset.max_new_tokens, "temperature": preset.temperature}
        method = EmbedSDG(
            self.lm, teacher=self.writer(seed=self.seed, **options), preset=chosen, seed=self.seed,
            prompts=CONTINUED if self.continues else None,
        )  # fmt: skip
        return method.fit(self.parts[0], checkpoint=self.checkpoint(f"map-{arm}"))

    def taught(self, made: Sequence[Mapping[str, Any]]) -> float:
        """Held-out answer loss of a student of the real rows and `made`, in nats per token."""
        how, rows = self.preset.student, [*self.real, *made]
        student = finetune(self.lm, rows, how, seed=self.seed, progress=self.progress)
        return held_out_loss(student, self.parts[2])


def density(places: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """Mean number of real questions in the windows where the questions of `rows` lie."""
    points = places.place([row["question"] for row in rows])
    return float(np.mean(density_at(places.points, points, places.grid)))


@torch.no_grad()
def held_out_loss(lm: Any, rows: Sequence[Mapping[str, Any]], batch: int = 8) -> float:
    """Nats per answer token of a student, in the form that it has learned."""
    encoded = encode_chat(lm, rows) if lm.chat else encode(lm.tokenizer, rows, lm.context)
    sizes = [sum(label != -100 for label in labels[1:]) for _, labels in encoded]
    total = 0.0
    with lm.evaluating():
        for start in range(0, len(rows), batch):
            part = list(range(start, min(start + batch, len(rows))))
            cells = collate(encoded, part, lm.tokenizer.pad_token_id or 0, lm.device)
            total += float(answer_loss(lm.model, *cells)) * sum(sizes[i] for i in part)
    return total / sum(sizes)


def units(preset: EmbedSDGReal) -> list[Unit]:
    """A unit for the real rows, and one per way to choose seeds."""
    ways = [
        Unit(arm, partial(EmbedSDGTrial.measure_way, arm=arm), measures=("answer loss",))
        for arm in WAYS
    ]
    return [Unit(REAL, EmbedSDGTrial.measure_real, measures=("answer loss",)), *ways]


def work(preset: EmbedSDGReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed; every prompt shows two rows."""
    how, student = preset.resolved(), preset.student
    calls = preset.n_sample * min(2, how.max_rounds)
    rows = preset.n_student + preset.n_sample
    updates = student.epochs * -(-rows // student.batch_size)
    updates = min(updates, student.max_updates or updates)
    mapped = preset.n_train or preset.n_student
    written = calls * min(1.5 * row, preset.max_new_tokens)
    parts = [Work("map", read=mapped * row)]
    for arm in WAYS:
        asked = calls * (300 + 2 * row)
        parts.append(Work(f"{arm}, teacher", read=asked, written=written, calls=calls))
    for arm in (REAL, *WAYS):
        trained = updates * student.batch_size * row
        parts.append(Work(f"{arm}, student", updates, trained, preset.n_test * row))
    return parts


def study(data: RealData, *, teacher: Any = None, command: str = "", **given: Any) -> Study:
    """EmbedSDG on one set of questions; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: rows with `question` and `answer`.
        teacher: that answers; None: the model itself, in its chat template.
        command, given: how it was asked for, for the record.
    """
    who = None if teacher is None else teacher_identity(teacher)
    return real_study(
        "embedsdg", "EmbedSDG on real questions", data, partial(EmbedSDGTrial, teacher=teacher),
        units, PRESETS, COLUMNS,
        samples=("EmbedSDG",),
        notes="Answer loss in nats per answer token of held-out rows, of a student.",
        table_notes=(
            "answer loss: nats per answer token of held-out rows, of a student of the real rows and"
            " of those written. density: real questions in the windows of the written ones.",
            f"A model below {SMALL_MODEL:.0e} parameters that is its own teacher continues the "
            "seeds as examples, without a sketch.",
        ),
        given={"teacher": who, **given},
        key={"teacher": who},
        work=work,
        command=command,
    )  # fmt: skip
