"""EmbedSDG on real questions with a real student: does the place matter that seeds come from?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch

from ...core.presets import choose_preset
from ...embedsdg.presets import PRESETS as METHOD_PRESETS
from ...embedsdg.presets import EmbedSDGPreset
from ...embedsdg.seed_map import SeedMap
from ...embedsdg.sparsity import density_at
from ...embedsdg.synthesizer import EmbedSDG
from ...evaluation.contamination import HeldOut, near_copy_rates
from ...evaluation.text import words
from ...lm.examples import collate, encode, final_answer
from ...lm.finetune import PRESETS as STUDENTS
from ...lm.finetune import FinetunePreset, accuracy, encode_chat, finetune
from ...lm.losses import next_token_losses
from ...lm.rows import IGNORED
from ...lm.shapes import SHAPES
from ...teacher import LMTeacher, Reply
from ...teacher.replies import teacher_identity
from ..plans import Work
from ..real import Paper, RealPreset, RealTrial, real_study
from ..real_data import RealData, read_data
from ..study import Study, Unit
from .density_accuracy import density_accuracy
from .pool import PoolTeacher

read = partial(read_data, roles=("question", "answer"), optional=("label",))
REAL, DRAWN, DENSE = "real rows only", "rows drawn from the pool", "dense seeds"
EMBEDSDG, RANDOM = "EmbedSDG", "random seeds, one shown"
# What a teacher is shown. The rows drawn from the pool have no place: their teacher reads nothing.
WAYS: dict[str, dict[str, Any]] = {
    EMBEDSDG: {},
    RANDOM: {"where": "random", "seeds": 1},
    DENSE: {"where": "dense", "sketch": "skip"},
    DRAWN: {"where": "random", "seeds": 1},
}
# The model as its own teacher: it continues examples, or is asked in its chat template.
CONTINUES, ASKED = "the model continues examples", "the model is asked for the form"
# The paper's map with the study's weights, which ask for no forward pass.
MAPS = {
    "student": None,
    "student, paper's map": replace(METHOD_PRESETS["paper"], weights="uniform"),
}
RELATION, TOPICS = "density and likelihood", "words of sparse places"  # units, no arms
LOSS, THIN = "answer loss", "answer loss, thin half"
COLUMNS = {
    "answer loss": LOSS,
    "loss, thin half": THIN,
    "accuracy": "accuracy",
    "accepted": "accepted",
    "density": "density",
    "near copies": "near copies, train",
    "rows": "rows written",
}
READINGS = {
    "per-example Spearman": "example_rho",
    "permutation p": "example_p",
    "per-cell Spearman": "cell_rho",
    "within-type Spearman": "within_rho",
    "45-bin Pearson": "binned_pearson",
    "45-bin Spearman": "binned_spearman",
}
BINS = 45  # of the paper's Figure 7, by its p-values; so many test questions are needed
COMMON = 0.04  # share of the questions that a word must be in to be counted
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
        n_student: real rows that the student learns; the map is drawn of all of `n_train`.
        n_own: replies that the model itself is asked for, where the pool is the teacher.
        ways: the arms, of `WAYS`.
        temperature: of a model as teacher. continues: a small model continues examples instead.
        answer_tokens: of a student's answer, at most; 0: students are not asked, and the loss of
            the right answer is all that is measured.
        chat: students learn in the model's chat template, where it has one.
        student: how the student is trained. further: how each way's student goes on from there, on
            the way's rows alone (Table 1); None: in the same manner.

    The preset `study` asks whether the place matters on real data: its teacher is a pool of real
    problems (`PoolTeacher`), searched on the student's own map, so that the ways differ in the
    place of their rows and in nothing else. Written down before its recorded run on ASDiv with
    SmolLM2 (135 M), five seeds:

    - *The place matters* if EmbedSDG's rows teach more than as many drawn at random from the pool
      (loss of all held-out answers, or of those in the thinner half of the map); it is refuted if
      they teach less, each by its interval over the seeds. We expect "undecided", with differences
      below .02 nats: the map has three dimensions, its density tells rare wordings rather than
      rare skills, and a LoRA learns a form of answer from any row.
    - *Any* rows help: a student that goes on with them has a lower loss than before.
    - Density goes with the answer's likelihood, weakly: a Spearman correlation of .05 to .25 over
      single questions, larger over the 45 bins of the paper's figure, and about 0 within a type.

    The sizes are what one slow core allows: the map's vectors are plain means of the token
    embeddings (`weights="uniform"`) and the sketch is the nearest tokens, since neither asks for a
    forward pass. The rate 1e-3 is that of a timing run with other rows (seed 90); 5e-4 was not
    tried before.
    """

    n_student: int = 48
    n_own: int = 0
    ways: tuple[str, ...] = (EMBEDSDG, RANDOM)
    temperature: float = 0.7
    continues: bool = True
    answer_tokens: int = 64
    chat: bool = True
    student: FinetunePreset = field(default_factory=FinetunePreset)
    further: FinetunePreset | None = None

    steps: ClassVar[tuple[str, ...]] = ("windows", "max_rounds")

    def resolved(self) -> EmbedSDGPreset:
        return choose_preset(self.method, METHOD_PRESETS, self.changes, "EmbedSDG")

    def limited(self, n: int) -> EmbedSDGReal:
        cut, further = super().limited(n), self.further
        return replace(
            cut,
            answer_tokens=min(self.answer_tokens, max(n, 16)),
            student=replace(cut.student, max_updates=n),
            further=further and replace(further, max_updates=n),
        )


SMALL = FinetunePreset(rank=8, lr=1e-3, epochs=3, batch_size=8, max_updates=10)
PRESETS = {
    "fast": EmbedSDGReal(
        n_train=96, n_stop=0, n_test=32, n_sample=12, longest=160,
        max_new_tokens=160, changes={"windows": 6, "max_rounds": 2}, student=SMALL,
    ),
    "study": EmbedSDGReal(
        n_train=320, n_stop=0, n_test=64, n_pool=640, n_sample=32, n_student=64,
        longest=72, answer_tokens=0, chat=False, method="study",
        changes={"weights": "uniform", "sketch": "nearest"},
        ways=(EMBEDSDG, RANDOM, DRAWN), seeds=(0, 1, 2, 3, 4),
        student=FinetunePreset(rank=8, lr=1e-3, epochs=1, batch_size=8),
        further=FinetunePreset(rank=8, lr=5e-4, epochs=1, batch_size=8),
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
    """One set, model and seed: a student of the real rows, its map, and students that go on."""

    asks = property(lambda self: not self.preset.n_pool)

    @property
    def continues(self) -> bool:
        """True if the model is its own teacher and too small to be asked."""
        small = self.lm.describe()["parameters"] < SMALL_MODEL
        return self.preset.continues and self.asks and self.teacher is None and small

    def writer(self, arm: str = EMBEDSDG, **options: Any) -> Any:
        """The teacher of an arm: the pool where there is one and no other teacher is named."""
        if arm == DRAWN:
            return PoolTeacher(self.pool, seed=self.seed)
        if arm == CONTINUES or self.continues:
            return Continuing(self.lm, **options)
        if arm == ASKED:
            return LMTeacher(self.lm, **options)
        if self.asks or self.teacher is not None:
            return super().writer(**options)
        return PoolTeacher(self.pool, self.place, seed=self.seed)

    @cached_property
    def real(self) -> list[dict[str, Any]]:
        """The real rows that the student learns."""
        return self.parts[0][: self.preset.n_student]

    @cached_property
    def student(self) -> Any:
        """SM: the model with an adapter that has learned the real rows."""
        base = copy(self.lm)
        base.chat = self.lm.chat and self.preset.chat
        student = finetune(base, self.real, self.preset.student, **self._how)
        student.attention_weights = remembered(student)  # every way maps the same questions
        return student

    @property
    def _how(self) -> dict[str, Any]:
        return {"seed": self.seed, "progress": self.progress}

    @cached_property
    def pool(self) -> list[dict[str, Any]]:
        """Rows for a teacher that answers with them; none overlaps with the test."""
        held_out = HeldOut([row["question"] for row in self.parts[2]])
        rows = self.spare[: self.preset.n_pool]
        return [row for row in rows if row["question"] not in held_out]

    def draw(self, preset: EmbedSDGPreset | None = None) -> SeedMap:
        """The student's map of the real rows; default: with the method's preset."""
        texts = ([row[name] for row in self.parts[0]] for name in ("question", "answer"))
        return SeedMap.draw(self.student, preset or self.preset.resolved(), *texts, seed=self.seed)

    @cached_property
    def map(self) -> SeedMap:
        return self.draw()

    def place(self, texts: Sequence[str]) -> np.ndarray:
        """Places on the map, in windows: the space in which the pool is searched, (n, K)."""
        return self.map.place(texts) / self.map.grid.side

    @cached_property
    def thin(self) -> np.ndarray:
        """True for the test questions in the thinner half of the map, (n,)."""
        found = densities(self.map, self.parts[2])
        return found <= np.median(found)

    @cached_property
    def right(self) -> np.ndarray:
        """True for the test questions that the student answers, (n,)."""
        return self.answered(self.student)

    def answered(self, student: Any) -> np.ndarray:
        """True for each test question whose final number is found; of those that have one."""
        if not self.preset.answer_tokens:
            return np.array([], bool)
        finals = [final_answer(row["answer"]) for row in self.parts[2]]
        rows = [{**row, "final": final} for row, final in zip(self.parts[2], finals) if final]
        return accuracy(student, rows, max_new_tokens=self.preset.answer_tokens)

    def measure_real(self) -> None:
        self.add(REAL, {
            **self.score(self.student, self.right), "density": density(self.map, self.real),
        })  # fmt: skip

    def measure_way(self, arm: str) -> None:
        """Rows made one way: accepted, how thin their place is, copies, and what they teach."""
        made = self.made(arm, self.preset.n_sample)
        if made:
            questions, train = ([row["question"] for row in each] for each in (made, self.parts[0]))
            copies = near_copy_rates(questions, train)["train"].mean
            self.add(arm, {"near copies, train": copies, "density": density(self.map, made)})
        if not made:
            return self.add(arm, {LOSS: None})
        self.add(arm, self.taught(made))

    def taught(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
        """Scores of a student that has gone on with `rows`."""
        how = self.preset.further or self.preset.student
        student = finetune(self.student, rows, how, **self._how)
        return self.score(student, self.answered(student))

    def measure_own(self, arm: str) -> None:
        """Rows that the model itself writes: how many may be used."""
        self.made(arm, self.preset.n_own)

    def made(self, arm: str, n: int) -> list[dict[str, Any]]:
        """At most `n` rows of an arm, kept as a sample."""
        method = self.fit(arm)
        self.add(arm, {"student copies": method.report.facts["copied"]})
        pooled = isinstance(method.teacher, PoolTeacher)  # it gives no row twice, so it starts anew
        kept = None if pooled else self.checkpoint(f"answers-{arm}")
        rows = method.sample(n, held_out=self.parts[2], progress=self.progress, checkpoint=kept)
        made = [{name: row[name] for name in ("question", "answer", "sketch")} for row in rows]
        self.keep(arm, made)
        self.add(arm, {"accepted": len(made) / method.report.facts["prompts"]})
        return made

    def fit(self, arm: str) -> EmbedSDG:
        preset, continued = self.preset, arm == CONTINUES or self.continues
        own = {"sketch": "skip"} if continued or arm == ASKED else {}
        once = {"max_rounds": 1} if arm in (CONTINUES, ASKED) else {}
        changes = {**WAYS.get(arm, {}), **own, **once}
        options = {"max_new_tokens": preset.max_new_tokens, "temperature": preset.temperature}
        method = EmbedSDG(
            self.student, teacher=self.writer(arm, seed=self.seed, **options), seed=self.seed,
            preset=choose_preset(preset.resolved(), METHOD_PRESETS, changes, "EmbedSDG"),
            prompts=CONTINUED if continued else None,
        )  # fmt: skip
        return method.fit(self.parts[0])

    def score(self, student: Any, right: np.ndarray) -> dict[str, float | None]:
        """Held-out answer loss in nats per token, overall and where the map is thin; accuracy."""
        nats, tokens = answer_nats(student, self.parts[2])
        thin = nats[self.thin].sum() / tokens[self.thin].sum()
        found = right.mean() if len(right) else None
        return {LOSS: nats.sum() / tokens.sum(), THIN: thin, "accuracy": found}

    def relate(self) -> None:
        """Density and the answers' likelihood, on the kit's map and on the paper's."""
        tests = self.parts[2]
        nats, tokens = answer_nats(self.student, tests)
        for arm, preset in MAPS.items():
            drawn = self.map if preset is None else self.draw(preset)
            points = drawn.place([row["question"] for row in tests])
            found = density_accuracy(
                density_at(drawn.points, points, drawn.grid), -nats / tokens, points, drawn.grid,
                bins=BINS, groups=[row.get("label") for row in tests], seed=self.seed,
            )  # fmt: skip
            self.add(arm, {told: getattr(found, name) for told, name in READINGS.items()})

    def count_topics(self) -> None:
        """For each common word and type: how much more frequent it is in the thinner half."""
        rows = [*self.parts[0], *self.parts[2], *self.pool]
        found = densities(self.map, rows)
        thin = found <= np.median(found)
        held = [{f"word: {w}" for w in words(row["question"]) if w.isalpha()} for row in rows]
        if "label" in rows[0]:
            held = [topics | {f"type: {row['label']}"} for topics, row in zip(held, rows)]
        for topic in common_topics(self.data.rows):
            has = np.array([topic in topics for topics in held])
            ratio = (has[thin].sum() + 0.5) / (has[~thin].sum() + 0.5) * (~thin).sum() / thin.sum()
            self.add(topic, {"thin to dense (log2)": np.log2(ratio)})


def common_topics(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The words of three letters or more, and the types, of a share of `COMMON` of the rows."""
    counts = Counter(
        topic for row in rows
        for topic in {f"word: {w}" for w in words(row["question"]) if w.isalpha() and len(w) > 2}
        | ({f"type: {row['label']}"} if "label" in row else set())
    )  # fmt: skip
    return sorted(topic for topic, n in counts.items() if n >= COMMON * len(rows))


def remembered(lm: Any) -> Callable[..., list]:
    """`lm.attention_weights`, each text of a pooling computed once."""
    compute, known = lm.attention_weights, {}

    def weights(texts: Sequence[str], pooling: str = "received", **options: Any) -> list:
        new = [text for text in dict.fromkeys(texts) if (text, pooling) not in known]
        if new:
            known.update(zip(((text, pooling) for text in new), compute(new, pooling, **options)))
        return [known[text, pooling] for text in texts]

    return weights


def densities(places: Any, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Real questions in a window around each question of `rows`, (n,)."""
    points = places.place([row["question"] for row in rows])
    return density_at(places.points, points, places.grid)


def density(places: Any, rows: Sequence[Mapping[str, Any]]) -> float:
    """Mean number of real questions in the windows where the questions of `rows` lie."""
    return float(np.mean(densities(places, rows)))


@torch.no_grad()
def answer_nats(
    lm: Any, rows: Sequence[Mapping[str, Any]], batch: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Nats and tokens (n,) of each row's answer, in the form that a student has learned."""
    encoded = encode_chat(lm, rows) if lm.chat else encode(lm.tokenizer, rows, lm.context)
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i][0]))
    nats, tokens = np.zeros(len(rows)), np.zeros(len(rows))
    with lm.evaluating():
        for start in range(0, len(rows), batch):
            part = order[start : start + batch]
            ids, mask, labels = collate(encoded, part, lm.tokenizer.pad_token_id or 0, lm.device)
            inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
            nats[part] = next_token_losses(lm.model, labels, **inputs).sum(1).float().cpu()
            tokens[part] = (labels[:, 1:] != IGNORED).sum(1).cpu()
    return nats, tokens


def units(preset: EmbedSDGReal) -> list[Unit]:
    """Units: the student, its map, one per way to choose seeds, the model as a teacher."""
    found = [Unit(REAL, EmbedSDGTrial.measure_real, measures=(LOSS,))]
    if preset.n_pool and preset.n_test >= BINS:
        measures = ("per-example Spearman",)
        found.append(Unit(RELATION, EmbedSDGTrial.relate, tuple(MAPS), measures))
    if preset.n_pool:
        found.append(Unit(TOPICS, EmbedSDGTrial.count_topics, (REAL,)))
    for arm in preset.ways:
        measure = partial(EmbedSDGTrial.measure_way, arm=arm)
        found.append(Unit(arm, measure, measures=(LOSS,)))
    for arm in (CONTINUES, ASKED)[: 2 * preset.n_own]:
        found.append(Unit(arm, partial(EmbedSDGTrial.measure_own, arm=arm), measures=("accepted",)))
    return found


def work(preset: EmbedSDGReal, row: float) -> list[Work]:
    """The parts of a run on rows of `row` tokens, per seed; every prompt shows two rows."""
    how, student = preset.resolved(), preset.student
    calls = preset.n_sample * min(2, how.max_rounds)
    mapped = preset.n_train or preset.n_student
    written = calls * min(1.5 * row, preset.max_new_tokens)
    parts = [Work("map", read=mapped * row)]
    for arm in preset.ways if not preset.n_pool else ():
        asked = calls * (300 + 2 * row)
        parts.append(Work(f"{arm}, teacher", read=asked, written=written, calls=calls))
    for arm in (REAL, *preset.ways):
        how = student if arm == REAL else preset.further or student
        learned = preset.n_student if arm == REAL else preset.n_sample
        updates = how.epochs * -(-learned // how.batch_size)
        updates = min(updates, how.max_updates or updates)
        trained, answers = updates * how.batch_size * row, preset.n_test * preset.answer_tokens
        parts.append(Work(f"{arm}, student", updates, trained, preset.n_test * row, answers))
    return parts


def study(
    data: RealData,
    *,
    teacher: Any = None,
    command: str = "",
    units: Callable[[EmbedSDGReal], list[Unit]] = units,
    **given: Any,
) -> Study:
    """EmbedSDG on one set of questions; `runner.run(study, scale, lm=lm)` runs it.

    Args:
        data: rows with `question` and `answer`.
        teacher: that answers; None: the model itself, in its chat template.
        units: from a preset to what is measured.
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
