"""SynAlign's claims one by one in the reviews world, whose attributes are known of every text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from ...embed.encoders import TfidfEmbedder
from ...lm.finetune import FinetunePreset
from ...synalign.alignment import systematic_resample
from ...synalign.exploration import (
    gp_select,
    k_centre_select,
    medoid_select,
    random_select,
)
from ...worlds import load_world
from ...worlds.reviews import VALUES
from ..study import Case, Trial, Unit
from .coverage import coverage
from .prediction import tuned_accuracy
from .ranking import interleave, mrr, ndcg
from .retriever import Retriever, relevant_by
from .weights import (
    ADAM,
    DENSITY,
    EXACT,
    LABEL,
    NARROW,
    ORACLE,
    POOLED,
    REAL,
    TILTING,
    UNWEIGHTED,
    Texts,
    measure_weights,
    student_accuracy,
    weigh,
)
from .writing import SYNALIGN, WRITERS, habitual_writer, measure_texts, read_back, write

# Ways to choose demonstrations, and the part of the experiment in which they are compared.
EXPLORATION = "exploration"
GP, RANDOM = "GP uncertainty", "random"
SELECTIONS: dict[str, Callable[..., np.ndarray]] = {
    GP: lambda x, k, seed: gp_select(x, k, seed=seed).picks,
    RANDOM: lambda x, k, seed: random_select(x, k, seed=seed),
    "k-centre": lambda x, k, seed: k_centre_select(x, k, seed=seed),
    "medoids": lambda x, k, seed: medoid_select(x, k, seed=seed),
}
# Pools of which nothing but the distribution is wrong, or nothing at all.
POOLS = {"skewed pool": "llm", "balanced pool": "uniform"}
SKEWED, BALANCED = POOLS
FEW = "skewed pool, few real texts"
WEIGHTS = (UNWEIGHTED, TILTING, EXACT, DENSITY, ORACLE)
SKEWED_ONLY = (ADAM, NARROW, POOLED)
RETRIEVER, UNTUNED = "retriever", "not tuned"
STUDENT, MIXED = "fine-tuned student", "half real, half tilting"
TAUGHT = (UNWEIGHTED, TILTING, REAL, MIXED)
SEARCHED = (UNTUNED, UNWEIGHTED, TILTING, REAL)
FITTED_TO_FEW = (UNWEIGHTED, TILTING, EXACT)
WRITTEN, ALIGNED = "written by the model", "SynAlign, aligned"


@dataclass(frozen=True)
class ExperimentPreset:
    """Sizes of the experiment.

    Attributes:
        n_real: real texts that weights are fitted to; n_few: in the part with few of them.
        n_pool: synthetic texts of a pool; n_held_out: real texts that measure.
        n_drawn: texts that a student is trained on; draws: times that they are drawn.
        picks: demonstrations whose coverage is measured.
        weights: arms of every pool; skewed_only: arms of the skewed pool alone.
        n_habits: reviews with a chat model's habits that the writer is trained on.
        n_written: texts that it writes, by each way to ask; 0 for none.
        per_record: of them, texts from one demonstration.
        student: how a small language model is trained to name the label; None for no such student.
        n_tested: held-out texts that this student names the label of, and that are searched.
        retrieval: whether a retriever is tuned.
        seeds: each draws its own texts.
    """

    n_real: int = 600
    n_few: int = 25
    n_pool: int = 5000
    n_held_out: int = 3000
    n_drawn: int = 1000
    draws: int = 3
    picks: int = 60
    weights: tuple[str, ...] = WEIGHTS
    skewed_only: tuple[str, ...] = SKEWED_ONLY
    n_habits: int = 800
    n_written: int = 960
    per_record: int = 4
    student: FinetunePreset | None = field(default_factory=lambda: FinetunePreset(epochs=3))
    n_tested: int = 600
    retrieval: bool = True
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)


PRESETS = {
    "fast": ExperimentPreset(
        n_real=400,
        n_pool=2000,
        n_held_out=1000,
        n_drawn=600,
        picks=40,
        weights=(UNWEIGHTED, TILTING),
        skewed_only=(),
        n_habits=320,
        n_written=120,
        student=None,
        retrieval=False,
        seeds=(0,),
    ),
    "study": ExperimentPreset(),
}


def cases(preset: ExperimentPreset) -> list[Case]:
    """One case; its parts are pools and tasks, and each has arms of its own."""

    def part(name: str, measure: Callable, arms: Sequence[str], **how) -> list[Unit]:
        how["part"] = name
        return [Unit(a, partial(measure, arm=a, **how), labels={"part": name}) for a in arms]

    units = part(EXPLORATION, explore, tuple(SELECTIONS))
    for pool, arms, n_real in (
        (SKEWED, (*preset.weights, *preset.skewed_only), None),
        (BALANCED, preset.weights, None),
        (FEW, FITTED_TO_FEW, preset.n_few),
    ):
        units += part(pool, run_pool, (*arms, REAL), n_real=n_real)
    if preset.retrieval:
        units.append(Unit(RETRIEVER, search, SEARCHED, labels={"part": RETRIEVER}))
    if preset.n_written:
        units += part(WRITTEN, run_written, WRITERS[:-1])
        write = partial(run_written, arm=SYNALIGN, part=WRITTEN)
        units.append(Unit(SYNALIGN, write, (SYNALIGN, ALIGNED), labels={"part": WRITTEN}))
    if preset.student is not None:
        units += part(STUDENT, tune_student, TAUGHT)
    return [Case(units, ReviewsTrial)]


@dataclass
class ReviewsTrial(Trial):
    """One seed: its real texts and the pools beside them, each drawn once."""

    _placed: tuple = ((), ())  # the pool that was asked for last

    @cached_property
    def real(self) -> list[dict]:
        return load_world("reviews").rows(self.preset.n_real, f"real {self.seed}")

    @cached_property
    def held_out(self) -> list[dict]:
        return load_world("reviews").rows(self.preset.n_held_out, f"held out {self.seed}")

    @cached_property
    def writer(self):
        return habitual_writer(self.lm, self.preset.n_habits, self.seed)

    def placed(self, *sets: Sequence[Mapping]) -> tuple[Texts, ...]:
        """Sets of texts and the held-out ones, by an encoder that is fitted on the sets."""
        encode = TfidfEmbedder(dims=64).fit([row["text"] for rows in sets for row in rows])
        return tuple(
            Texts(rows, encode([row["text"] for row in rows]).astype(float))
            for rows in (*sets, self.held_out)
        )

    def pool(self, part: str = SKEWED, n_real: int | None = None) -> tuple[Texts, ...]:
        """The pool of a part, the real texts that weights are fitted to, and those held out."""
        skew = POOLS.get(part, POOLS[SKEWED])
        if self._placed[0] != (skew, n_real):
            world = load_world("reviews", distribution=skew)
            rows = world.rows(self.preset.n_pool, f"pool {self.seed}")
            self._placed = (skew, n_real), self.placed(rows, self.real[:n_real])
        return self._placed[1]

    def judge(self, weights: np.ndarray, *texts: Texts) -> dict[str, float]:
        """Measures of weights of a pool, with its real and held-out texts."""
        seeds = [10 * self.seed + draw for draw in range(self.preset.draws)]
        return measure_weights(weights, *texts, self.preset.n_drawn, seeds)

    @cached_property
    def explored(self) -> tuple[Texts, ...]:
        return self.placed(self.real)

    def drawn(self, arm: str, n: int, seed: int = 0) -> list[Mapping]:
        """Rows of the skewed pool, drawn by an arm's weights; of `REAL` and `MIXED`, real ones."""
        if arm == REAL:
            return self.real
        if arm == MIXED:
            half = len(self.real) // 2
            return [*self.real[:half], *self.drawn(TILTING, n, seed)[: len(self.real) - half]]
        pool, real, _ = self.pool()
        return [pool.rows[i] for i in systematic_resample(weigh(arm, pool, real), n, seed)]


def explore(trial: ReviewsTrial, part: str, arm: str) -> None:
    """Distance of demonstrations to real texts that were not among the candidates."""
    real, held_out = trial.explored
    picks = SELECTIONS[arm](real.points, trial.preset.picks, seed=trial.seed)
    found = coverage(real.points, picks, held_out.points)
    cells = real.of(*VALUES)
    seen = {cells[i] for i in picks}
    trial.add(arm, {
        "combinations seen": np.mean([cell in seen for cell in held_out.of(*VALUES)]),
        "combinations": len(seen),
        "farthest": found["largest distance"],
        "distance": found["mean distance"],
    })  # fmt: skip


# --- weights of a pool ----------------------------------------------------------------------------


def run_pool(trial: ReviewsTrial, part: str, arm: str, n_real: int | None) -> None:
    """An arm's weights on one pool, and students trained on what they draw."""
    pool, real, held_out = trial.pool(part, n_real)
    if arm == REAL:
        trial.add(arm, student_accuracy(real, held_out, [np.arange(len(real.rows))]))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of weights that collapse, which are measured here
        trial.add(arm, trial.judge(weigh(arm, pool, real), pool, real, held_out))


# --- students and retrievers of weighted texts ----------------------------------------------------

ASKED_FOR = ("topic", "tone")  # what a query names, and what makes a document relevant


def tune_student(trial: ReviewsTrial, part: str, arm: str) -> None:
    """A fine-tuned language model names the label; it can read what a linear student cannot."""
    n = trial.preset.n_tested
    train = named(trial.drawn(arm, len(trial.real)))
    test = named(trial.held_out[:n])
    score = tuned_accuracy(trial.lm, train, test, trial.preset.student, trial.seed)
    sarcastic = np.array([row["tone"] == "sarcastic" for row in trial.held_out[:n]])
    trial.add(arm, {
        "accuracy, sarcastic": score.right[sarcastic].mean(),
        "macro F1": score.macro_f1,
        "accuracy": score.accuracy,
    })  # fmt: skip


def named(rows: Sequence[Mapping]) -> list[dict[str, str]]:
    """Rows with `text` and, as `label`, what a student is asked for."""
    return [{"text": row["text"], "label": row[LABEL]} for row in rows]


def search(trial: ReviewsTrial) -> None:
    """A bi-encoder tuned on synthetic (query, text) pairs, drawn by weight and at random."""
    preset, seed = trial.preset, trial.seed
    test = trial.held_out[: preset.n_tested]
    queries = sorted(set(map(query_of, test)))
    relevant = relevant_by(queries, list(map(query_of, test)))
    rows = trial.pool()[0].rows
    texts = [*queries, *(row["text"] for row in (*rows, *trial.real))]
    encode, rankings = TfidfEmbedder(dims=64).fit(texts), {}
    for arm in SEARCHED:
        retriever = Retriever(encode, seed=seed)
        if arm != UNTUNED:
            drawn = trial.drawn(arm, preset.n_drawn, seed)
            asked = list(map(query_of, drawn))
            retriever.fit([(q, row["text"]) for q, row in zip(asked, drawn)], groups=asked)
        rankings[arm] = retriever.rank(queries, [row["text"] for row in test])
    for arm, ranked in rankings.items():
        clicks = interleave(ranked, rankings[UNWEIGHTED], relevant, seed).mean
        trial.add(arm, {
            "clicks won": clicks if arm != UNWEIGHTED else 0.5,
            "MRR": mrr(ranked, relevant).mean(),
            "nDCG@10": ndcg(ranked, relevant, 10).mean(),
        })  # fmt: skip


def query_of(row: Mapping[str, str]) -> str:
    """The query that a text answers."""
    return " ".join(row[name] for name in ASKED_FOR)


# --- texts that a model writes --------------------------------------------------------------------


def run_written(trial: ReviewsTrial, part: str, arm: str) -> None:
    """Texts of the model if it is asked in one way; SynAlign's are aligned as well."""
    preset, how = trial.preset, {"per_record": trial.preset.per_record, "seed": trial.seed}
    rows = write(trial.writer, arm, trial.real, preset.n_written, **how)
    pool, real, held_out = trial.placed(read_back(rows), trial.real)
    equal = np.full(len(rows), 1 / len(rows))
    trial.add(arm, measure_texts(pool, rows))
    trial.add(arm, trial.judge(equal, pool, real, held_out))
    if arm == SYNALIGN:
        weights = weigh(TILTING, pool, real)
        trial.add(ALIGNED, trial.judge(weights, pool, real, held_out))
